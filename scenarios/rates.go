package scenarios

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hdbench/internal/fleet"
	"hdbench/internal/units"
	"hdbench/results"
)

// chooseRates gives every configuration its offered rates. Where the scenario
// leaves them open, a climb finds what each configuration carries.
func (s *sweep) chooseRates(ctx context.Context, cs []Configuration) error {
	knees := map[results.Config]Knee{}
	if s.sc.Load.needsKnee() {
		var err error
		if knees, err = s.climbAll(ctx, cs); err != nil {
			return err
		}
	}
	for i := range cs {
		c := &cs[i]
		if k, ok := knees[c.Config]; ok && s.sc.Load.Search != nil && s.sc.Load.Search.Max == 0 {
			c.SearchMax = searchTop(k)
		}
		for _, r := range s.sc.Load.Rate {
			switch {
			case r.Auto:
				if k, ok := knees[c.Config]; ok {
					c.add(offers(c.Config, k, knees)...)
				}
			case r.Percent > 0:
				if k, ok := knees[c.Config]; ok {
					c.add(share(k, r.Percent))
				}
			default:
				c.add(r.Fixed)
			}
		}
		if len(c.Rates) == 0 && len(s.sc.Load.Rate) > 0 { // it cannot be measured: one row says why
			c.add(units.Gbps)
		}
		slices.SortFunc(c.Rates, func(a, b Rate) int { return cmp.Compare(a.Fixed, b.Fixed) })
	}
	return nil
}

func (c *Configuration) add(rates ...units.Rate) {
	for _, r := range rates {
		if !slices.Contains(c.Rates, Rate{Fixed: r}) {
			c.Rates = append(c.Rates, Rate{Fixed: r})
		}
	}
}

// climbAll finds every configuration's knee.
func (s *sweep) climbAll(ctx context.Context, cs []Configuration) (map[results.Config]Knee, error) {
	var todo []results.Config
	for _, c := range cs {
		if s.why(c.Config) == "" {
			todo = append(todo, c.Config)
		}
	}
	knees := map[results.Config]Knee{}
	names := results.Names(todo)
	s.Progress.Begin("climbs to the knee", len(todo))
	defer s.Progress.End()
	for _, c := range todo {
		s.Progress.Step(names[c] + ", burst " + c.Load.Burst)
		k, err := s.climb(ctx, c)
		if err != nil {
			return nil, err
		}
		if k.Bps == 0 {
			s.Progress.Done("nothing could be measured")
			continue
		}
		knees[c] = k
		s.Progress.Done(k.String())
	}
	return knees, nil
}

// climb takes short looks at one configuration until its knee is found. They go
// through one relay process while it carries them; one that did not gets no more
// looks: its queues may still be full. Every look is recorded.
func (s *sweep) climb(ctx context.Context, c results.Config) (Knee, error) {
	var r *fleet.Relay
	stop := func() {
		if r != nil {
			_ = stopRelay(ctx, r) // it is not used for anything after
		}
		r = nil
	}
	defer func() { stop() }()
	cl := newClimber()
	runs := map[rung]int{}
	for !cl.done {
		look := cl.next
		runs[look.at]++
		p, run := results.Point{Config: c, Offered: look.at.rate()}, runs[look.at]
		started := false
		t, err := s.attempt(ctx, c, func() (*results.Trial, error) {
			t := s.newTrial(results.KindProbe, p)
			t.ID, t.Run = results.TrialID(results.KindProbe, p, run), run
			began := time.Now()
			var err error
			if r == nil {
				r, err = s.startBuild(ctx, c, fleet.Binary{})
			}
			if err == nil {
				started = true
				err = s.measure(ctx, t, r, look.windows())
			}
			if err != nil {
				r = nil // it may have gone; what is left of it is ended before the next attempt
			}
			if t.Relay != nil {
				// The relay has served other looks before: its counters are not this one's.
				t.Relay.Counters = nil
			}
			s.finish(t, began, err)
			return t, err
		}, s.append)
		if err != nil {
			return Knee{}, err
		}
		if !started {
			// The trials will say so, each for itself.
			return Knee{}, nil
		}
		if !t.OK() {
			cl.failed()
			continue
		}
		seen := climbSeen{cause: results.CauseOf(t), missing: t.Missing(), deliveredBps: t.Load.DeliveredBps}
		cl.saw(seen)
		if seen.cause != results.Carried {
			stop()
		}
	}
	return cl.knee(), nil
}
