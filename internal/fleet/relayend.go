package fleet

import (
	"context"
	"fmt"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// RelayEnd is how a relay ended.
type RelayEnd struct {
	// Died says how it ended before it was told to; empty: it did not.
	Died string `json:"died,omitempty"`
	// Notes are what it did that a relay should not.
	Notes []measure.RelayNote `json:"notes,omitempty"`
}

// stopRequest ends a relay.
type stopRequest struct {
	ID string `json:"id"`
	// Look asks what the relay is doing, now that nobody uses it: its trial has failed.
	Look bool `json:"look,omitempty"`
}

// end ends a relay and all that it has started. It takes a bounded time, whatever
// the relay does.
func (r *liveRelay) end(ctx context.Context, look bool) RelayEnd {
	defer r.cleanUp()
	var e RelayEnd
	note := func(what, format string, args ...any) {
		e.Notes = append(e.Notes, measure.RelayNote{What: what, Detail: fmt.Sprintf(format, args...)})
	}
	select {
	case <-r.child.ended:
		e.Died = r.child.failure().Error()
	default:
		if busy := r.busy(ctx, look); busy > minBusy {
			note(measure.NoteBusy, "it keeps %.1f CPUs busy although nobody uses it", busy)
		}
		if !r.child.stopTree(relayGrace, r.kin) {
			note(measure.NoteStubborn, "it did not end within %v of SIGTERM, and was killed", relayGrace)
		} else if r.kin != nil {
			r.kin.rest(restGrace)
		}
	}
	if r.kin == nil {
		r.child.stop(0)
		return e
	}
	port := stillListening(r.info.Addr)
	killed, left := r.kin.end()
	r.child.stop(0)
	var apart []relative
	for _, p := range killed {
		if p.own {
			apart = append(apart, p)
		}
	}
	if len(apart) > 0 {
		note(measure.NoteLeft, "it left processes in a session or group of their own, which were killed: %s", list(apart))
	}
	if len(left) > 0 {
		note(measure.NoteLeft, "processes of its cannot be ended: %s", list(left))
	}
	if port != "" {
		if r.released(ctx) {
			port += ", until it was killed"
		}
		note(measure.NotePort, "%s", port)
	}
	return e
}

// released reports whether the relay's port is free, or soon will be: a process that is
// killed closes its sockets by and by on a busy machine.
func (r *liveRelay) released(ctx context.Context) bool {
	for deadline := time.Now().Add(releaseGrace); ; {
		if stillListening(r.info.Addr) == "" {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
			return false
		}
	}
}

// releaseGrace is how long a process that was killed may take to close its sockets.
const releaseGrace = 5 * time.Second

// restGrace is how long the processes of a relay that has ended, which were told to
// end with it, may take more.
const restGrace = 500 * time.Millisecond

const (
	// idleLooks is how often an idle relay is looked at, with lookPause in between.
	idleLooks = 20
	lookPause = 10 * time.Millisecond
	// minBusy is how many threads must have something to do, on average, for it to be
	// called busy.
	minBusy = 0.8
)

// busy is how many CPUs a relay wants that nobody uses; 0 if it is not known.
func (r *liveRelay) busy(ctx context.Context, look bool) float64 {
	if !look || r.kin == nil {
		return 0
	}
	pids, err := r.kin.pids()
	if err != nil {
		return 0
	}
	n := 0
	for range idleLooks {
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
			return 0
		}
		n += probe.Runnable(pids)
	}
	return float64(n) / idleLooks
}
