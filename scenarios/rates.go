package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"hdbench/internal/fleet"
	"hdbench/internal/units"
	"hdbench/results"
)

// chooseRates gives every configuration its offered rates. Where the scenario
// leaves them open, a short probe finds what each configuration carries.
func (s *sweep) chooseRates(ctx context.Context, cs []Configuration) error {
	knees := map[results.Config]Knee{}
	if s.sc.Load.needsProbe() {
		var err error
		if knees, err = s.probeAll(ctx, cs); err != nil {
			return err
		}
	}
	byShape := map[results.Shape][]Knee{}
	for _, c := range cs { // in the scenario's order
		if k, ok := knees[c.Config]; ok {
			byShape[c.Load] = append(byShape[c.Load], k)
		}
	}
	for i := range cs {
		c := &cs[i]
		for _, r := range s.sc.Load.Rate {
			switch {
			case r.Auto:
				if k, ok := knees[c.Config]; ok {
					c.add(ladder(k, byShape[c.Load])...)
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

// probeAll finds every configuration's knee.
func (s *sweep) probeAll(ctx context.Context, cs []Configuration) (map[results.Config]Knee, error) {
	var todo []results.Config
	for _, c := range cs {
		if s.why(c.Config) == "" {
			todo = append(todo, c.Config)
		}
	}
	knees := map[results.Config]Knee{}
	names := results.Names(todo)
	s.Progress.Begin("probe for the offered rates", len(todo))
	defer s.Progress.End()
	for _, c := range todo {
		s.Progress.Step(names[c] + ", burst " + c.Load.Burst)
		k, err := s.probe(ctx, c)
		if err != nil {
			return nil, err
		}
		if k.Bps == 0 {
			s.Progress.Done("nothing could be measured")
			continue
		}
		knees[c] = k
		text := fmt.Sprintf("carries about %.0f Mbps", k.Bps/1e6)
		if k.ClientLimited {
			text += " at least (then the client is at its limit)"
		}
		s.Progress.Done(text)
	}
	return knees, nil
}

// probe takes short looks at one configuration at rising rates. All go through
// one relay process; it is not used for anything after. Every look is recorded.
func (s *sweep) probe(ctx context.Context, c results.Config) (Knee, error) {
	var r *fleet.Relay
	defer func() {
		if r != nil {
			_ = stopRelay(ctx, r) // it is not used for anything after
		}
	}()
	k := newKneeFinder()
	for run := 1; !k.done; run++ {
		p := results.Point{Config: c, Offered: k.next}
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
				err = s.measure(ctx, t, r, probeWindows)
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
			k.failed()
			continue
		}
		limited := slices.ContainsFunc(t.Validity, func(f results.Finding) bool { return f.Code == results.ClientLimited })
		k.saw(t.Load.DeliveredBps, limited)
	}
	return k.knee, nil
}
