package scenarios

import (
	"context"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// A guest's CPUs may be moved by its hypervisor, to where they share a cache and to
// where they do not, and a relay beside its client then has two speeds. So before a
// load begins the sweep waits for the relay's CPU and the client's to be as near as
// they have been: for so long each time, and for no more than a share of its time in
// all. Where they are seldom near, that is how they are: nothing is waited for.
const (
	nearWait      = 5 * time.Second
	nearWaitFirst = 10 * time.Second // in all, and
	nearWaitShare = 0.1              // of the time since the sweep began
	nearPause     = 100 * time.Millisecond
	// nearLeast is the share of the looks that find the CPUs near where they mostly
	// are, from so many looks on.
	nearLeast = 1.0 / 3
	nearLooks = 6
)

// nearness is what a sweep knows of how far the relay's CPUs are from the client's.
type nearness struct {
	look    func(ctx context.Context, a, b int) (time.Duration, error)
	pause   time.Duration
	cpus    [2]int
	began   time.Time
	nearest time.Duration // 0: not known
	waited  time.Duration // in all
	// Of the looks that no waiting came before: how many there were, and how many
	// found the CPUs near.
	looks, near int
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
		n.looks++
		if !n.far(at) {
			n.near++
		}
	}
	begun := time.Now()
	for err == nil && n.usual() && n.far(at) && n.mayWait(time.Since(begun)) {
		at, err = n.see(ctx, n.pause)
		d.Waited = time.Since(begun).Seconds()
	}
	n.waited += time.Duration(d.Waited * float64(time.Second))
	n.fill(d, &d.BeforeNS, at, err)
	return d
}

func (n *nearness) far(at time.Duration) bool { return at > measure.Farther*n.nearest }

// usual reports whether the CPUs are mostly near.
func (n *nearness) usual() bool {
	return n.looks < nearLooks || float64(n.near) >= nearLeast*float64(n.looks)
}

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
	if n.usual() {
		d.NearestNS = n.nearest.Nanoseconds()
	}
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
	if err == nil && (n.nearest == 0 || at < n.nearest) {
		n.nearest = at
	}
	return at, err
}
