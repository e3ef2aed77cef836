package scenarios

import (
	"context"
	"math/rand/v2"
	"time"

	"hdbench/internal/units"
	"hdbench/results"
)

// simulated is a relay that is a formula: what it does to a load, of which no look
// can be sure.
type simulated struct {
	rng    *rand.Rand
	knee   float64                                            // bits per second
	past   func(x float64) (loss, shortfall float64)          // at x times the knee, x > 1
	jitter float64                                            // SD of the knee from look to look, relative
	spoil  float64                                            // how often a look loses something for reasons of its own
	client float64                                            // what the client can do; 0: anything
	broken func(load units.Rate, n int) (results.Code, error) // looks that do not come off
	seen   []results.Look                                     // in order
}

func (s *simulated) Look(_ context.Context, load units.Rate, d time.Duration, n int) (results.Look, error) {
	l := results.Look{Load: load, Duration: d}
	if s.broken != nil {
		var err error
		if l.Invalid, err = s.broken(load, n); err != nil {
			return l, err
		}
	}
	if s.client > 0 && float64(load) > s.client {
		l.Invalid = results.ClientLimited
	}
	if x := float64(load) / (s.knee * (1 + s.jitter*s.rng.NormFloat64())); x > 1 {
		l.Loss, l.Shortfall = s.past(x)
	}
	if s.rng.Float64() < s.spoil {
		l.Loss = max(l.Loss, 0.02)
	}
	s.seen = append(s.seen, l)
	return l, nil
}

// What relays do past the knee.
func levelsOff(x float64) (loss, shortfall float64)   { return 1 - 1/x, 0 }
func collapses(x float64) (loss, shortfall float64)   { return 1 - 0.1/x, 0 }
func pushesBack(x float64) (loss, shortfall float64)  { return 0, 1 - 1/x }
func losesSlowly(x float64) (loss, shortfall float64) { return min(1, 0.5*(x-1)*(x-1)), 0 }

// relays of the simulations, and at which multiple of its knee each stops being
// within 0, and within 0.5 %, of loss.
var simulatedRelays = []struct {
	name     string
	past     func(float64) (float64, float64)
	ndr, pdr float64
}{
	{"levels off", levelsOff, 1, 1 / 0.995},
	{"collapses", collapses, 1, 1},
	{"pushes back", pushesBack, 1 / 0.99, 1 / 0.99},
	{"loses slowly", losesSlowly, 1, 1.1},
}
