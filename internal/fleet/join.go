package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"hdbench/internal/cpu"
)

// join is a fleet of agents that are there already, at the user's nats-server.
func join(ctx context.Context, o Options) (_ *Fleet, err error) {
	f := newFleet(o)
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.nc, err = o.NATS.connect(nats.Name("hdbench controller"),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				f.o.Log(fmt.Sprintf("the connection to the nats-server broke: %v", err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			f.o.Log("connected again, to " + nc.ConnectedUrlRedacted())
			// Answers may have been lost on the way here.
			for _, h := range f.hosts {
				if l := h.alive(); l != nil {
					l.interrupt()
				}
			}
		})); err != nil {
		return nil, err
	}
	for _, m := range o.Members {
		f.hosts = append(f.hosts, &Host{fleet: f, member: m})
	}
	for _, h := range f.hosts {
		if err := h.boot(ctx); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// adopt takes the lease of an agent that somebody else has started.
func (h *Host) adopt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	l := newLife(func() { h.giveBack() })
	h.mu.Lock()
	h.life = l
	h.mu.Unlock()
	err := h.greet(ctx)
	if err == nil {
		return nil
	}
	h.close()
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: it does not answer; is it running, and connected to the same nats-server?", ErrAgentGone)
	}
	return err
}

// giveBack ends the lease, if the agent can still be told.
func (h *Host) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), agentGrace)
	defer cancel()
	// Who is not told finds out by our silence.
	_ = h.request(ctx, verbRelease, struct{}{}, nil)
}

// Meta is what an agent of the user's says of itself for others to find it by.
type Meta struct {
	Role   Role
	Labels map[string]string
	Data   string // address of its data link
	CPUs   string // for its role
}

// Bounds of labels.
const maxLabels = 32

// Check finds what cannot be said.
func (m Meta) Check() error {
	if _, err := ParseRole(string(m.Role)); err != nil {
		return err
	}
	if m.Data != "" {
		if _, err := netip.ParseAddr(m.Data); err != nil {
			return fmt.Errorf("data address: %w", err)
		}
	}
	if _, err := cpu.ParseList(m.CPUs); err != nil {
		return err
	}
	if len(m.Labels) > maxLabels {
		return fmt.Errorf("%d labels, want %d at most", len(m.Labels), maxLabels)
	}
	for k, v := range m.Labels {
		if CheckAgentName(k) != nil || len(v) > maxText {
			return fmt.Errorf("label %s=%s: want a key of letters, digits, - and _, and a value of %d bytes at most", k, v, maxText)
		}
	}
	return nil
}

// AgentName is the name of an agent of the user's: the one given, or one made of
// what its host is called and its role.
func AgentName(given string, r Role) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	return strings.Trim(host[:min(len(host), 40)], "-") + "-" + string(r)
}
