package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// boot starts the host's agent, or takes over the one that is there, and greets it.
func (h *Host) boot(ctx context.Context) error {
	start := h.bootLocal
	switch {
	case h.fleet.o.NATS != nil:
		start = h.adopt
	case h.member.Remote():
		start = h.bootSSH
	}
	err := start(ctx)
	for deadline := time.Now().Add(busyPatience); errors.Is(err, ErrBusy) && time.Now().Before(deadline); err = start(ctx) {
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var said *RemoteError
	switch {
	case errors.As(err, &said): // which says already whose answer it is
		return err
	case err != nil:
		return fmt.Errorf("agent %s: %w", h.member.Agent, err)
	}
	if r := h.reply(); h.fleet.o.Version != "" && r.Version != h.fleet.o.Version {
		h.close()
		return fmt.Errorf("agent %s: %w: it is hdbench %s, this is %s; install the same on every host", h.member.Agent, ErrVersion, r.Version, h.fleet.o.Version)
	}
	if limits := h.Limits(); limits != "" {
		h.fleet.o.Log(fmt.Sprintf("agent %s: %s", h.member.Agent, limits))
	}
	return nil
}

// How long to wait for a host that is in use: a sweep that has just ended, or was
// killed, may still be giving it back. And how often to look.
const (
	busyPatience = 5 * time.Second
	busyPause    = 250 * time.Millisecond
)

// ErrVersion means that an agent is of another version than its controller.
var ErrVersion = errors.New("the agent is of another version")

// bootLocal starts an agent on this host, as a child of the controller.
func (h *Host) bootLocal(ctx context.Context) error {
	c, err := startChild(h.fleet.spawn, cpu.Of(), unix.SIGTERM, nil,
		h.fleet.o.Binary, "agent", "--stdio", "--name", h.member.Agent)
	if err != nil {
		return err
	}
	return h.attach(ctx, c, c.failure)
}

// agentHello is what an agent says first on its standard output. What came before
// is of the user's login shell.
const agentHello = "hdbench agent " + serviceVersion + " is here"

// maxPreamble is how many lines a login shell may say before.
const maxPreamble = 1000

// attach gives a new agent its credential and connects its standard input and
// output to the embedded server. Then it greets it. failure says how the agent
// ended.
func (h *Host) attach(ctx context.Context, c *child, failure func() error) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	fail := func(err error) error {
		c.hangUp(agentGrace)
		return err
	}
	if _, err := io.WriteString(c.stdin, h.fleet.srv.passwords[h.member.Agent]+"\n"); err != nil {
		<-c.ended
		return fail(failure())
	}
	hello := make(chan error, 1)
	go func() { hello <- awaitHello(c) }()
	select {
	case err := <-hello:
		if err != nil {
			select {
			case <-c.ended:
				err = failure()
			default:
			}
			return fail(err)
		}
	case <-ctx.Done():
		return fail(fmt.Errorf("it says nothing: %w", context.Cause(ctx)))
	}
	conn, err := h.fleet.srv.pipe()
	if err != nil {
		return fail(err)
	}
	go func() {
		// Either way's end is the end of both.
		_, _ = io.Copy(c.stdin, conn)
		c.stdin.Close()
	}()
	go func() {
		_, _ = io.Copy(conn, c.stdout)
		conn.Close()
	}()
	l := newLife(func() {
		conn.Close()
		c.hangUp(agentGrace)
	})
	go func() {
		<-c.ended
		l.lose(failure())
	}()
	h.mu.Lock()
	h.life = l
	h.mu.Unlock()
	if err := h.greet(ctx); err != nil {
		h.close()
		return err
	}
	return nil
}

// awaitHello reads up to the agent's first words.
func awaitHello(c *child) error {
	for range maxPreamble {
		line, err := c.line()
		if err != nil {
			return err
		}
		if string(line) == agentHello {
			return nil
		}
	}
	return errors.New("what it prints is not what a hdbench agent does")
}

// agentGrace is how long an agent may take to end its children.
const agentGrace = 5 * time.Second
