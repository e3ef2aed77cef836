package fleet

import (
	"context"
	"time"

	"hdbench/internal/probe"
)

type distanceRequest struct {
	CPUs [2]int `json:"cpus"`
}

// distance times a cache line between two CPUs of this agent's host.
func (a *agent) distance(_ context.Context, r distanceRequest) (int64, error) {
	d, err := probe.Distance(r.CPUs[0], r.CPUs[1])
	return d.Nanoseconds(), err
}

// Distance is how long a cache line takes between two of the host's CPUs and back.
// While it looks, for a millisecond if nobody else has them, they have nothing else to
// do.
func (h *Host) Distance(ctx context.Context, a, b int) (time.Duration, error) {
	var ns int64
	err := h.call(ctx, verbDistance, distanceRequest{[2]int{a, b}}, &ns)
	return time.Duration(ns), err
}
