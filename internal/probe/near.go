package probe

import (
	"context"
	"slices"
	"time"

	"hdbench/internal/measure"
)

// Near waits for two CPUs to be as near as they mostly are. A guest's CPUs may be moved
// by its hypervisor, to where they share a cache and to where they do not, and a relay
// beside its client then has two speeds. So it waits for so long each time, and for no
// more than a share of its time in all. Where the CPUs are mostly far apart, that is
// how they are.
type Near struct {
	look   func(ctx context.Context) (time.Duration, error)
	began  time.Time
	looks  []time.Duration // that no waiting came before, in order of length
	waited time.Duration   // in all
}

// Bounds of the waiting.
const (
	nearWait      = 5 * time.Second
	nearWaitFirst = 10 * time.Second // in all, and
	nearWaitShare = 0.1              // of the time since the beginning
	nearPause     = 100 * time.Millisecond
	// nearTries are the looks for one distance, where others have the CPUs.
	nearTries = 3
)

// NewNear is by a function that looks at the CPUs' distance.
func NewNear(look func(ctx context.Context) (time.Duration, error)) *Near {
	return &Near{look: look, began: time.Now()}
}

// Wait waits until the CPUs are near, or for long enough. It returns how far they are
// then and how long that took.
func (n *Near) Wait(ctx context.Context) (at, waited time.Duration, err error) {
	if at, err = n.See(ctx); err != nil {
		return 0, 0, err
	}
	i, _ := slices.BinarySearch(n.looks, at)
	n.looks = slices.Insert(n.looks, i, at)
	for begun := time.Now(); err == nil && n.Far(at) && n.mayWait(waited); waited = time.Since(begun) {
		at, err = n.seeAfter(ctx, nearPause)
	}
	n.waited += waited
	return at, waited, err
}

// Usual is the median of the looks that no waiting came before; 0 before the first.
func (n *Near) Usual() time.Duration {
	if len(n.looks) == 0 {
		return 0
	}
	return n.looks[(len(n.looks)-1)/2]
}

// Far reports whether a distance is of CPUs that are farther apart than mostly.
func (n *Near) Far(at time.Duration) bool { return at > measure.Farther*n.Usual() }

// See looks at the distance, again where others had the CPUs.
func (n *Near) See(ctx context.Context) (time.Duration, error) { return n.seeAfter(ctx, 0) }

func (n *Near) seeAfter(ctx context.Context, pause time.Duration) (at time.Duration, err error) {
	for range nearTries {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if at, err = n.look(ctx); err == nil {
			break
		}
		pause = nearPause
	}
	return at, err
}

// mayWait reports whether there is time to wait, after so much of it.
func (n *Near) mayWait(already time.Duration) bool {
	all := nearWaitFirst + time.Duration(nearWaitShare*float64(time.Since(n.began)))
	return already < nearWait && n.waited+already < all
}
