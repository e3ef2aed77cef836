package byhand

import (
	"context"
	"slices"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// Near waits for a CPU of the relay and one of the client to be as near as they
// mostly are, as a sweep does: a hypervisor may move them to different caches.
type Near struct {
	Relay, Client int             // CPUs
	looks         []time.Duration // in order of length
	waited        time.Duration
}

// Bounds of the waiting.
const (
	nearWait  = 5 * time.Second
	nearAll   = time.Minute // for all looks together
	nearPause = 100 * time.Millisecond
)

// Is reports whether they are near now, as far as is known.
func (n *Near) Is() bool {
	if n == nil {
		return true
	}
	d, err := probe.Distance(n.Relay, n.Client)
	if err != nil {
		return true
	}
	i, _ := slices.BinarySearch(n.looks, d)
	n.looks = slices.Insert(n.looks, i, d)
	return d <= measure.Farther*n.looks[(len(n.looks)-1)/2]
}

// Wait waits, not for ever.
func (n *Near) Wait(ctx context.Context) error {
	begun := time.Now()
	for !n.Is() && time.Since(begun) < nearWait && n.waited < nearAll {
		select {
		case <-time.After(nearPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if n != nil {
		n.waited += time.Since(begun)
	}
	return nil
}
