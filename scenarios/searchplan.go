package scenarios

import (
	"context"
	"time"

	"hdbench/internal/units"
	"hdbench/results"
)

// searchEstimate is about how many looks a search will take and how long: those
// it takes of a relay whose loss sets in slowly in the middle of its range.
func (s *Scenario) searchEstimate(highest units.Rate) (looks int, took time.Duration, err error) {
	spec := s.Load.Search.spec(highest)
	c, err := newController(spec)
	if err != nil {
		return 0, 0, err
	}
	m := &imagined{knee: c.ev.Loads[len(c.ev.Loads)/2], each: s.Warmup + overhead}
	for more := true; more; {
		if more, err = c.step(context.Background(), m); err != nil {
			return 0, 0, err
		}
	}
	return c.ev.Looks(), m.took, nil
}

// imagined is the relay of an estimate.
type imagined struct {
	knee units.Rate
	each time.Duration // of a look, beside its window
	took time.Duration
}

func (m *imagined) Look(_ context.Context, load units.Rate, d time.Duration, _ int) (results.Look, error) {
	m.took += d + m.each
	l := results.Look{Load: load, Duration: d}
	if over := float64(load/m.knee) - 1; over > 0 {
		l.Loss = min(1, over*over)
	}
	return l, nil
}

// searchGuess is the highest rate an estimate takes for auto.
const searchGuess = 20 * units.Gbps
