package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// bootLocal starts an agent on this host, as a child of the controller. The
// token goes through its standard input, which then stays open: its end is one
// more way to learn that the controller has gone.
func (f *Fleet) bootLocal(ctx context.Context, m Member, o Options) (*Host, error) {
	c, err := startChild(newSpawner(), cpu.Of(), unix.SIGTERM, nil,
		o.Binary, "agent", "--nats", f.srv.url(), "--name", m.Agent, "--credential", "-")
	if err != nil {
		return nil, err
	}
	h := &Host{fleet: f, member: m, gone: c.ended, end: func() { c.stop(agentGrace) }}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	if _, err := io.WriteString(c.stdin, f.srv.token+"\n"); err != nil {
		h.close()
		return nil, fmt.Errorf("hand over the credential: %w", err)
	}
	if err := h.greet(ctx); err != nil {
		h.close()
		if errors.Is(err, ErrAgentGone) {
			err = c.failure()
		}
		return nil, err
	}
	return h, nil
}

// agentGrace is how long an agent may take to end its children.
const agentGrace = 5 * time.Second

// greet asks a new agent who it is, until it answers.
func (h *Host) greet(ctx context.Context) error {
	for {
		var r hostReply
		err := h.call(ctx, verbHost, struct{}{}, &r)
		if err == nil {
			h.info, h.build = r.Host, r.Version
			if _, err = h.SyncClock(ctx); err == nil {
				return nil
			}
		}
		// No responders: it has not subscribed yet, to this or to all it will answer.
		if ctx.Err() != nil || !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		case <-h.gone:
			return ErrAgentGone
		}
	}
}
