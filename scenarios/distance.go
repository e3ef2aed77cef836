package scenarios

import (
	"context"
	"slices"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// A guest's CPUs may be moved by its hypervisor, to where they share a cache and to
// where they do not, and a relay beside its client then has two speeds. So before a
// load begins the sweep waits for the relay's CPU and the client's to be as near as
// they mostly are: for so long each time, and for no more than a share of its time in
// all. Where they are mostly far apart, that is how they are.
const (
	nearWait      = 5 * time.Second
	nearWaitFirst = 10 * time.Second // in all, and
	nearWaitShare = 0.1              // of the time since the sweep began
	nearPause     = 100 * time.Millisecond
)

// nearness is what a sweep knows of how far the relay's CPUs are from the client's.
type nearness struct {
	look   func(ctx context.Context, a, b int) (time.Duration, error)
	pause  time.Duration
	cpus   [2]int
	began  time.Time
	looks  []time.Duration // that no waiting came before, in order of length
	waited time.Duration   // in all
}

// newNearness is nil where relay and client have no CPUs of one host, or the same, and
// in the lab, whose CPUs are emulated.
func (s *sweep) newNearness() *nearness {
	if s.relayHost.Info().Lab != "" {
		return nil
	}
	for _, h := range s.clientHosts {
		client, err := cpu.Parse(s.clientCPUs(h))
		if err != nil || !s.relayHost.SameMachine(h) {
			continue
		}
		r, c := s.split.Relay.List(), client.List()
		if len(r) > 0 && len(c) > 0 && s.split.Relay.Intersection(client).IsEmpty() {
			return &nearness{look: s.relayHost.Distance, pause: nearPause, cpus: [2]int{r[0], c[0]}, began: time.Now()}
		}
	}
	return nil
}

// before waits until the CPUs are near, and begins a record of their distance. It is
// nil where there is none to know.
func (n *nearness) before(ctx context.Context) *measure.Distance {
	if n == nil {
		return nil
	}
	d := &measure.Distance{CPUs: n.cpus}
	at, err := n.see(ctx, 0)
	if err == nil {
		i, _ := slices.BinarySearch(n.looks, at)
		n.looks = slices.Insert(n.looks, i, at)
	}
	begun := time.Now()
	for err == nil && at > measure.Farther*n.usual() && n.mayWait(time.Since(begun)) {
		at, err = n.see(ctx, n.pause)
		d.Waited = time.Since(begun).Seconds()
	}
	n.waited += time.Duration(d.Waited * float64(time.Second))
	n.fill(d, &d.BeforeNS, at, err)
	return d
}

// usual is the median of the looks.
func (n *nearness) usual() time.Duration { return n.looks[(len(n.looks)-1)/2] }

// mayWait reports whether there is time to wait, after so much of it.
func (n *nearness) mayWait(already time.Duration) bool {
	all := nearWaitFirst + time.Duration(nearWaitShare*float64(time.Since(n.began)))
	return already < nearWait && n.waited+already < all
}

// after completes the record once the load has ended.
func (n *nearness) after(ctx context.Context, d *measure.Distance) {
	if d != nil && d.NA == "" {
		at, err := n.see(ctx, 0)
		n.fill(d, &d.AfterNS, at, err)
	}
}

func (n *nearness) fill(d *measure.Distance, ns *int64, at time.Duration, err error) {
	if err != nil {
		d.NA = err.Error()
		return
	}
	*ns = at.Nanoseconds()
	d.UsualNS = n.usual().Nanoseconds()
}

// see looks after a pause, and again where others had the CPUs.
func (n *nearness) see(ctx context.Context, pause time.Duration) (at time.Duration, err error) {
	for range 3 {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if at, err = n.look(ctx, n.cpus[0], n.cpus[1]); err == nil {
			break
		}
		pause = n.pause
	}
	return at, err
}
