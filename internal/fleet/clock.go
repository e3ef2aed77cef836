package fleet

import (
	"context"
	"time"
)

// Offset is how far a host's CLOCK_MONOTONIC is ahead of the controller's, and
// how wrong that can be.
type Offset struct {
	Ahead time.Duration
	Bound time.Duration
}

// clockRounds is how often a clock is asked; the quickest answer counts.
const clockRounds = 8

// SyncClock measures the host's offset by request and reply. The host read its
// clock somewhere between the sending and the arrival of the answer, so half of
// that time bounds the error.
func (h *Host) SyncClock(ctx context.Context) (Offset, error) {
	best := Offset{Bound: time.Hour}
	for range clockRounds {
		var r clockReply
		sent := h.fleet.Now()
		if err := h.call(ctx, verbClock, struct{}{}, &r); err != nil {
			return Offset{}, err
		}
		got := h.fleet.Now()
		if bound := time.Duration(got-sent) / 2; bound < best.Bound {
			best = Offset{Ahead: time.Duration(r.MonoNS - (sent + int64(bound))), Bound: bound}
		}
	}
	h.mu.Lock()
	h.offset = best
	h.mu.Unlock()
	return best, nil
}

// local converts a time of the controller's clock to the host's.
func (h *Host) local(controllerNS int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return controllerNS + int64(h.offset.Ahead)
}
