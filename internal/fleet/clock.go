package fleet

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
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

// SyncClocks measures the offsets of several hosts, at once, in their order.
func SyncClocks(ctx context.Context, hosts []*Host) ([]Offset, error) {
	offsets := make([]Offset, len(hosts))
	g, ctx := errgroup.WithContext(ctx)
	for i, h := range hosts {
		g.Go(func() (err error) {
			offsets[i], err = h.SyncClock(ctx)
			return err
		})
	}
	return offsets, g.Wait()
}

// Apart is how far the clocks of any two hosts may be apart after their offsets
// have been taken off: each is wrong by its own bound at most.
func Apart(offsets []Offset) time.Duration {
	var bounds []time.Duration
	for _, o := range offsets {
		bounds = append(bounds, o.Bound)
	}
	slices.Sort(bounds)
	var apart time.Duration
	for _, b := range bounds[max(len(bounds)-2, 0):] {
		apart += b
	}
	return apart
}

// local converts a time of the controller's clock to the host's.
func (h *Host) local(controllerNS int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return controllerNS + int64(h.offset.Ahead)
}
