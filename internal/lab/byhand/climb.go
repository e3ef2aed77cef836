package byhand

import (
	"context"
	"math"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
	"hdbench/internal/units"
	"hdbench/results"
)

// Climb finds what a relay carries by hand: the offered rate is doubled until
// delivered falls, then the step above the highest rate carried is halved, and those
// about the most delivered. Each look is a relay of its own, for an overloaded one may
// not recover. One look that was carried proves its rate, so a rate that little is
// missing of is looked at again.
type Climb struct {
	Relay   Relay
	Load    Load        // its rate is chosen
	Halving int         // looks between two rates
	Near    *probe.Near // of the CPUs, that a look waits for; nil: for nothing
}

// Top is what a climb has found.
type Top struct {
	Carried float64 // highest offered rate of which no more than results.CarriedBound was missing, bit/s
	Steady  float64 // the same, with every lower rate that was looked at carried too
	Most    float64 // highest delivered rate, bit/s: the mean of looks that did not choose it
	At      string  // offered for it
	Looks   int
	Failed  int // looks that ended without numbers
}

// Bounds of a climb.
const (
	climbFrom = 1 * units.Gbps
	climbTo   = 100 * units.Gbps
	// lowest ends the way down, where climbFrom is too high.
	lowest = 30 * units.Mbps
	// falling is the share of the most delivered below which it has fallen.
	falling = 0.9
	// little is what may be missing of a rate for it to be looked at again, so often
	// in all: a relay at its knee may break down in one window and not in the next.
	little  = 0.25
	looksAt = 3
)

// climbing is a climb under way.
type climbing struct {
	Climb
	top     Top
	at      map[float64]float64 // mean delivered, by what was offered
	carried map[float64]bool
	missed  float64 // lowest rate that was not carried
	last    error   // of a look without numbers
}

// Run climbs. It ends with an error only if nothing could be measured, or ctx ends.
func (c Climb) Run(ctx context.Context) (Top, error) {
	r := &climbing{Climb: c, at: map[float64]float64{}, carried: map[float64]bool{}, missed: math.Inf(1)}
	for _, part := range []func(context.Context) error{r.double, r.halve, r.about, r.again} {
		if err := part(ctx); err != nil {
			return r.top, err
		}
	}
	if r.top.Most == 0 {
		return r.top, r.last
	}
	for rate := range r.carried {
		if rate < r.missed {
			r.top.Steady = math.Max(r.top.Steady, rate)
		}
	}
	return r.top, nil
}

// double doubles the rate until delivered has fallen, from a rate that is carried.
func (c *climbing) double(ctx context.Context) error {
	for rate := units.Rate(climbFrom); rate >= lowest; rate /= 2 {
		if err := c.offer(ctx, rate); err != nil {
			return err
		}
		if c.carried[float64(rate)] {
			break
		}
	}
	beyond := 0
	for rate := 2 * units.Rate(climbFrom); rate <= climbTo && beyond < 2; rate *= 2 {
		if err := c.offer(ctx, rate); err != nil {
			return err
		}
		if d := c.at[float64(rate)]; d < falling*c.at[c.best()] || d < falling*float64(rate)/2 {
			beyond++
		}
	}
	return nil
}

// halve halves the step above the highest rate carried.
func (c *climbing) halve(ctx context.Context) error {
	for range c.Halving {
		_, above := c.beside(c.top.Carried)
		if c.top.Carried == 0 || math.IsInf(above, 1) {
			return nil
		}
		if err := c.offer(ctx, between(c.top.Carried, above)); err != nil {
			return err
		}
	}
	return nil
}

// about offers max, and rates about the one at which most is delivered.
func (c *climbing) about(ctx context.Context) error {
	if err := c.offer(ctx, units.Max); err != nil {
		return err
	}
	best := c.best()
	below, above := c.beside(best)
	for _, rate := range []float64{below, above} {
		if rate > 0 && !math.IsInf(rate, 1) && !units.Rate(best).IsMax() {
			if err := c.offer(ctx, between(rate, best)); err != nil {
				return err
			}
		}
	}
	return nil
}

// again looks at the best rate anew: the looks that chose it are too good.
func (c *climbing) again(ctx context.Context) error {
	best := units.Rate(c.best())
	if best == 0 {
		return nil
	}
	mean, err := c.mean(ctx, best, func(*measure.Load) bool { return false })
	if mean > 0 {
		c.top.Most, c.top.At = mean, best.String()
	}
	return err
}

// best is the rate at which most was delivered; 0: at none.
func (c *climbing) best() float64 {
	best := 0.0
	for rate, d := range c.at {
		if d > c.at[best] {
			best = rate
		}
	}
	return best
}

// beside are the rates next to one that were offered, max not among them.
func (c *climbing) beside(rate float64) (below, above float64) {
	above = math.Inf(1)
	for o := range c.at {
		switch {
		case units.Rate(o).IsMax():
		case o < rate:
			below = math.Max(below, o)
		case o > rate:
			above = math.Min(above, o)
		}
	}
	return below, above
}

// offer looks at a rate, unless it has.
func (c *climbing) offer(ctx context.Context, rate units.Rate) error {
	if _, ok := c.at[float64(rate)]; ok {
		return nil
	}
	mean, err := c.mean(ctx, rate, func(m *measure.Load) bool {
		if m == nil || rate.IsMax() {
			return true
		}
		missing := (&results.Trial{Load: m}).Missing()
		if missing <= results.CarriedBound {
			c.carried[float64(rate)] = true
			c.top.Carried = math.Max(c.top.Carried, float64(rate))
		}
		return missing <= results.CarriedBound || missing > little
	})
	if err != nil {
		return err
	}
	c.at[float64(rate)] = mean
	if !rate.IsMax() && !c.carried[float64(rate)] {
		c.missed = math.Min(c.missed, float64(rate))
	}
	return nil
}

// mean is what looks at a rate deliver on average, until one is enough; 0 if none has
// numbers. A look without is nil.
func (c *climbing) mean(ctx context.Context, rate units.Rate, enough func(*measure.Load) bool) (float64, error) {
	sum, n := 0.0, 0
	for range looksAt {
		m, err := c.one(ctx, rate)
		if err != nil {
			return 0, err
		}
		if m != nil {
			sum, n = sum+m.DeliveredBps, n+1
		}
		if enough(m) {
			break
		}
	}
	return sum / math.Max(1, float64(n)), nil
}

// one is one look; nil without numbers. Its error is ctx's.
func (c *climbing) one(ctx context.Context, rate units.Rate) (*measure.Load, error) {
	m, err := c.look(ctx, rate)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.top.Looks++
	if err != nil {
		c.top.Failed++
		c.last = err
		return nil, nil
	}
	return m, nil
}

// between is the geometric mean of two rates, to three digits.
func between(a, b float64) units.Rate {
	v := math.Sqrt(a * b)
	scale := math.Pow(10, math.Floor(math.Log10(v))-2)
	return units.Rate(math.Round(v/scale) * scale)
}

// look is made again where the CPUs were moved apart meanwhile.
func (c Climb) look(ctx context.Context, r units.Rate) (m *measure.Load, err error) {
	if c.Near == nil {
		return c.once(ctx, r)
	}
	for range looksAt {
		_, _, before := c.Near.Wait(ctx)
		if m, err = c.once(ctx, r); err != nil {
			break
		}
		if at, after := c.Near.See(ctx); before != nil || after != nil || !c.Near.Far(at) {
			break
		}
	}
	return m, err
}

func (c Climb) once(ctx context.Context, r units.Rate) (*measure.Load, error) {
	live, err := c.Relay.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer live.Stop()
	l := c.Load
	l.Rate = r
	return l.Run(ctx, live.Addr)
}
