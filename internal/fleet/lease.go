package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// leaseAsk bounds one renewal of a lease: shorter than the term, so that there
// are several chances.
const leaseAsk = leaseTerm / 4

// greet takes the lease of a new agent, as soon as it answers, and asks it who it
// is. From then on the lease is renewed until the agent is lost.
func (h *Host) greet(ctx context.Context) error {
	l := h.alive()
	var held leaseReply
	for {
		err := h.call(ctx, verbLease, leaseRequest{Who: h.fleet.who()}, &held)
		if err == nil {
			break
		}
		// No responders: it has not subscribed yet, to this or to all it will answer.
		if ctx.Err() != nil || !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		case <-l.gone:
			return goneError(l.why)
		}
	}
	// Some endpoints may still be on their way to the server: the lease's is the
	// last one that an agent adds.
	var r hostReply
	if err := h.call(ctx, verbHost, struct{}{}, &r); err != nil {
		return err
	}
	h.mu.Lock()
	h.about = r
	h.mu.Unlock()
	if _, err := h.SyncClock(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		h.keepLease(ctx, l, held)
	}()
	return nil
}

// keepLease renews the lease every second, until ctx is done or the agent lost.
// Either side draws the same conclusion from the same silence.
func (h *Host) keepLease(ctx context.Context, l *life, held leaseReply) {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.gone:
			return
		case <-tick.C:
		}
		var r leaseReply
		ask, cancel := context.WithTimeout(ctx, leaseAsk)
		err := h.request(ask, verbLease, leaseRequest{Who: h.fleet.who()}, &r)
		cancel()
		switch {
		case err == nil:
			heard = time.Now()
			if r.Agent != held.Agent || r.Term != held.Term {
				// It has been started anew, or has given the lease up in between: it
				// has nothing left of what it was ordered.
				l.lose(errors.New("the agent has given up what it was doing: it had not heard of the controller for too long"))
				return
			}
			if r.Reconnects != held.Reconnects {
				held.Reconnects = r.Reconnects
				l.interrupt()
				h.fleet.o.Log(fmt.Sprintf("agent %s: its connection broke and is there again", h.member.Agent))
			}
		case errors.Is(err, ErrHeld), errors.Is(err, ErrBusy):
			l.lose(err)
			return
		case time.Since(heard) > leaseTerm:
			l.lose(fmt.Errorf("it has not answered for %v (%w)", leaseTerm, err))
			return
		}
	}
}

// Gone is closed when the host's agent is lost.
func (h *Host) Gone() <-chan struct{} {
	l := h.alive()
	if l == nil {
		gone := make(chan struct{})
		close(gone)
		return gone
	}
	return l.gone
}

// Revive gets back the agents that are lost: starts those anew that the controller
// has started, and takes the lease of the others again. An agent that is there is
// left alone. What the lost ones were doing is lost with them.
func (f *Fleet) Revive(ctx context.Context) error {
	for _, h := range f.hosts {
		l := h.alive()
		if l != nil {
			select {
			case <-l.gone:
			default:
				continue
			}
			h.close()
		}
		before := h.Info()
		if err := h.boot(ctx); err != nil {
			return err
		}
		if now := h.Info(); before.Name != "" && !now.Same(before) {
			return fmt.Errorf("agent %s: %w: it was %s with Linux %s, CPUs %s; it is %s with Linux %s, CPUs %s",
				h.member.Agent, ErrChanged, before.Name, before.Kernel, before.CPUs, now.Name, now.Kernel, now.CPUs)
		}
	}
	return nil
}
