package scenarios

import (
	"context"
	"fmt"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// A guest's CPUs may be moved by its hypervisor, to where they share a cache and to
// where they do not, and a relay beside its client then has two speeds. So before a
// load begins the sweep waits for the relay's CPU and the client's to be as near as
// they have been: for so long each time, and so long in all.
const (
	nearWait    = 5 * time.Second
	nearWaitAll = 45 * time.Second
	nearPause   = 100 * time.Millisecond
)

// nearness is what a sweep knows of how far the relay's CPUs are from the client's.
type nearness struct {
	look    func(ctx context.Context, a, b int) (time.Duration, error)
	pause   time.Duration
	cpus    [2]int
	nearest time.Duration // 0: not known, or given up
	waited  time.Duration // in all
	gaveUp  bool
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
			return &nearness{look: s.relayHost.Distance, pause: nearPause, cpus: [2]int{r[0], c[0]}}
		}
	}
	return nil
}

// before waits until the CPUs are near, and begins a record of their distance. It is
// nil where there is none to know.
func (n *nearness) before(ctx context.Context, note func(string)) *measure.Distance {
	if n == nil {
		return nil
	}
	d := &measure.Distance{CPUs: n.cpus}
	at, err := n.see(ctx, 0)
	for begun := time.Now(); err == nil && !n.gaveUp && at > measure.Farther*n.nearest; {
		if waited := time.Since(begun); waited >= nearWait || n.waited+waited >= nearWaitAll {
			break
		}
		at, err = n.see(ctx, n.pause)
		d.Waited = time.Since(begun).Seconds()
	}
	n.waited += time.Duration(d.Waited * float64(time.Second))
	if err == nil && n.waited >= nearWaitAll && !n.gaveUp && at > measure.Farther*n.nearest {
		n.gaveUp = true
		note(fmt.Sprintf("the hypervisor keeps the relay's CPU %d away from the client's CPU %d: %v for a cache line and back, where it was %v; not waited for any more", n.cpus[0], n.cpus[1], at, n.nearest))
	}
	n.fill(d, &d.BeforeNS, at, err)
	return d
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
	if !n.gaveUp {
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
