package scenarios

import (
	"context"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// nearness waits for the relay's first CPU and the client's to be near before a load
// begins, and records how far they were.
type nearness struct {
	cpus [2]int
	near *probe.Near
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
			look := func(ctx context.Context) (time.Duration, error) { return s.relayHost.Distance(ctx, r[0], c[0]) }
			return &nearness{[2]int{r[0], c[0]}, probe.NewNear(look)}
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
	at, waited, err := n.near.Wait(ctx)
	d := &measure.Distance{CPUs: n.cpus, Waited: waited.Seconds()}
	n.fill(d, &d.BeforeNS, at, err)
	return d
}

// after completes the record once the load has ended.
func (n *nearness) after(ctx context.Context, d *measure.Distance) {
	if d != nil && d.NA == "" {
		at, err := n.near.See(ctx)
		n.fill(d, &d.AfterNS, at, err)
	}
}

func (n *nearness) fill(d *measure.Distance, ns *int64, at time.Duration, err error) {
	if err != nil {
		d.NA = err.Error()
		return
	}
	*ns, d.UsualNS = at.Nanoseconds(), n.near.Usual().Nanoseconds()
}
