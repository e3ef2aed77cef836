package byhand

import (
	"context"
	"math"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results"
)

// Climb finds what a relay carries by hand: the offered rate is doubled until
// delivered falls, then the steps about the highest rate carried, and about the most
// delivered, are halved. Each look is a relay of its own, for an overloaded one may
// not recover.
type Climb struct {
	Relay   Relay
	Load    Load // its rate is chosen
	Halving int  // looks between two rates
}

// Top is what a climb has found.
type Top struct {
	Carried float64 // highest offered rate of which no more than results.CarriedBound was missing, bit/s
	Steady  float64 // the same, with every lower rate that was looked at carried too
	Most    float64 // highest delivered rate, bit/s
	At      string  // offered for it
	Looks   int
	Failed  int // looks that ended without numbers
}

// Bounds of a climb.
const (
	climbFrom = 250 * units.Mbps
	climbTo   = 100 * units.Gbps
	// falling is the share of the most delivered below which it has fallen.
	falling = 0.9
)

// Run climbs. It ends with an error only if nothing could be measured, or ctx ends.
func (c Climb) Run(ctx context.Context) (Top, error) {
	var top Top
	at := map[float64]float64{} // delivered, by what was offered
	carried := map[float64]bool{}
	missed := math.Inf(1) // lowest rate that was not carried
	var last error
	look := func(r units.Rate) error {
		if _, ok := at[float64(r)]; ok {
			return nil
		}
		m, err := c.look(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		top.Looks++
		if err != nil {
			top.Failed++
			last = err
			at[float64(r)] = 0
			missed = math.Min(missed, float64(r))
			return nil
		}
		at[float64(r)] = m.DeliveredBps
		switch {
		case r.IsMax():
		case missing(m) <= results.CarriedBound:
			carried[float64(r)] = true
			top.Carried = math.Max(top.Carried, float64(r))
		default:
			missed = math.Min(missed, float64(r))
		}
		if m.DeliveredBps > top.Most {
			top.Most, top.At = m.DeliveredBps, r.String()
		}
		return nil
	}
	beyond := 0
	for r := units.Rate(climbFrom); r <= climbTo && beyond < 2; r *= 2 {
		if err := look(r); err != nil {
			return top, err
		}
		if at[float64(r)] < falling*top.Most || at[float64(r)] < falling*float64(r)/2 {
			beyond++
		}
	}
	for range c.Halving {
		above := math.Inf(1) // the lowest rate over the highest carried that was not
		for o := range at {
			if !units.Rate(o).IsMax() && o > top.Carried {
				above = math.Min(above, o)
			}
		}
		if top.Carried == 0 || math.IsInf(above, 1) {
			break
		}
		if err := look(between(top.Carried, above)); err != nil {
			return top, err
		}
	}
	if err := look(units.Max); err != nil {
		return top, err
	}
	for range c.Halving {
		best := 0.0
		for o, d := range at {
			if !units.Rate(o).IsMax() && d > at[best] {
				best = o
			}
		}
		below, above := 0.0, math.Inf(1)
		for o := range at {
			switch {
			case units.Rate(o).IsMax():
			case o < best:
				below = math.Max(below, o)
			case o > best:
				above = math.Min(above, o)
			}
		}
		for _, r := range []float64{below, above} {
			if r > 0 && !math.IsInf(r, 1) && best > 0 {
				if err := look(between(r, best)); err != nil {
					return top, err
				}
			}
		}
	}
	if top.Most == 0 {
		return top, last
	}
	for r := range carried {
		if r < missed {
			top.Steady = math.Max(top.Steady, r)
		}
	}
	return top, nil
}

// between is the geometric mean of two rates, to three digits.
func between(a, b float64) units.Rate {
	v := math.Sqrt(a * b)
	scale := math.Pow(10, math.Floor(math.Log10(v))-2)
	return units.Rate(math.Round(v/scale) * scale)
}

func (c Climb) look(ctx context.Context, r units.Rate) (*measure.Load, error) {
	live, err := c.Relay.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer live.Stop()
	l := c.Load
	l.Rate = r
	return l.Run(ctx, live.Addr)
}

func missing(m *measure.Load) float64 {
	return (&results.Trial{Load: m}).Missing()
}

// Longest is how long a climb lasts at most, for what is said of the time left.
func (c Climb) Longest() time.Duration {
	return time.Duration(10+3*c.Halving) * (c.Load.Measure + time.Second)
}
