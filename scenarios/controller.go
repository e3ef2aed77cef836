package scenarios

import (
	"context"
	"fmt"
	"time"

	"hdbench/internal/units"
	"hdbench/results"
)

// Measurer takes looks for a search.
type Measurer interface {
	// Look offers a load for that long. n counts the looks at this load, from 1.
	// An invalid look is no error; one that could not be taken is.
	Look(ctx context.Context, load units.Rate, d time.Duration, n int) (results.Look, error)
}

// controller decides what a search looks at next. It is a pure function of the
// looks it has seen, in their order: no clock, no randomness, no I/O. So a search
// that was interrupted goes on when the recorded looks are shown to a new one.
//
// It searches as MLRsearch does (draft-ietf-bmwg-mlrsearch), for all goals over
// the same looks: first roughly, deciding by one short look and halving until the
// bounds are coarseSteps apart; then in earnest, from those bounds: it confirms
// them, moves out by doubling steps if one does not hold, and halves what is left.
type controller struct {
	ev      *results.Evidence
	rough   bool
	hints   []hint // by goal, once the rough part is over
	pending look
	done    bool
}

// look is one to be taken.
type look struct {
	at       int // ladder index
	duration time.Duration
}

// hint is where the rough part found a goal's bounds: ladder indices, -1 and
// len(Loads) for none.
type hint struct{ lower, upper int }

// coarseSteps is how close the rough part gets: a look there is short and may be
// wrong, so the last halvings are left to the looks that count.
const coarseSteps = 4

func newController(spec results.SearchSpec) (*controller, error) {
	if err := spec.Check(); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	c := &controller{ev: results.NewEvidence(spec), rough: true}
	c.choose()
	return c, nil
}

// next is the look to take; ok is false when the search is over.
func (c *controller) next() (load units.Rate, d time.Duration, n int, ok bool) {
	if c.done {
		return 0, 0, 0, false
	}
	return c.ev.Loads[c.pending.at], c.pending.duration, c.ev.At(c.pending.at) + 1, true
}

// saw takes the look that next asked for.
func (c *controller) saw(l results.Look) error {
	load, d, _, ok := c.next()
	switch {
	case !ok:
		return fmt.Errorf("search: a look at %v after its end", l.Load)
	case l.Duration != d || !near(l.Load, load):
		return fmt.Errorf("search: a look at %v for %v where one at %v for %v comes next", l.Load, l.Duration, load, d)
	}
	if err := c.ev.Add(l); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	c.choose()
	return nil
}

// near allows for a load's having been written and read.
func near(a, b units.Rate) bool { return a/b > 1-1e-7 && a/b < 1+1e-7 }

// choose finds the next look: the first goal that is not done has it.
func (c *controller) choose() {
	if c.rough {
		for _, loss := range c.ev.Spec.LossRatios {
			lower, upper, blocked := c.ev.Bounds(loss, c.ev.Rough())
			if top := min(upper, blocked); top-lower > coarseSteps {
				c.pending = look{middle(lower, top), time.Duration(c.ev.Spec.InitialNS)}
				return
			}
		}
		for _, loss := range c.ev.Spec.LossRatios {
			lower, upper, _ := c.ev.Bounds(loss, c.ev.Rough())
			c.hints = append(c.hints, hint{lower, upper})
		}
		c.rough = false
	}
	for i, loss := range c.ev.Spec.LossRatios {
		lower, upper, blocked := c.ev.Bounds(loss, c.ev.Final())
		if top := min(upper, blocked); top-lower > 1 {
			c.pending = look{c.hints[i].between(lower, top), time.Duration(c.ev.Spec.FinalNS)}
			return
		}
	}
	c.done = true
}

// between is where to look between two bounds that are more than a step apart,
// given where the rough part found them.
func (h hint) between(lower, upper int) int {
	inside := func(i int) bool { return i > lower && i < upper }
	down := upper - max(coarseSteps, h.lower-upper)
	up := lower + max(coarseSteps, lower-h.upper)
	switch {
	case inside(h.lower):
		return h.lower
	case inside(h.upper):
		return h.upper
	case upper <= h.lower && inside(down):
		return down
	case lower >= h.upper && inside(up):
		return up
	}
	return middle(lower, upper)
}

// middle halves an interval of the ladder, which is even in the logarithm.
func middle(lower, upper int) int { return lower + (upper-lower)/2 }

// step takes the next look, if there is one.
func (c *controller) step(ctx context.Context, m Measurer) (more bool, err error) {
	load, d, n, ok := c.next()
	if !ok {
		return false, nil
	}
	l, err := m.Look(ctx, load, d, n)
	if err != nil {
		return false, err
	}
	l.Load, l.Duration = load, d
	if err := c.saw(l); err != nil {
		return false, err
	}
	return !c.done, nil
}
