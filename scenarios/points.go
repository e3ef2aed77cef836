package scenarios

import (
	"math"

	"hdbench/internal/units"
	"hdbench/results"
)

// Which rates a configuration is offered follows from the knees of its load. Knees
// are never found twice the same, so what is chosen from them is coarse, and a
// knee that moves a little changes one rate at most, and seldom: the two that all carry
// are on a ladder of steps of 2.5, those about TS's knee on R5, and only the two around
// a configuration's own knee on R10.
const (
	commonRates = 2
	autoRates   = commonRates + 2 + 2 + 1 // what rate: auto makes at most
	// flat is the share of the lowest knee up to which all are in their flat part.
	flat = 0.8
)

// offers are the rates of one configuration under rate: auto: two that every
// configuration of its load carries; TS's knee and 1.6 times that, where the load
// has a TS baseline; its own knee from both sides; and max.
func offers(c results.Config, own Knee, knees map[results.Config]Knee) []units.Rate {
	lowest, ts := own.Bps, 0.0
	for o, k := range knees {
		if o.Load != c.Load {
			continue
		}
		lowest = min(lowest, k.Bps)
		if o.Relay == results.RelayDerper {
			ts = max(ts, k.Bps) // the best of TS: who beats that beats all of it
		}
	}
	var rungs []rung
	common := rungBelow(flat*lowest, r25)
	if ts > 0 {
		at := anchor(ts)
		rungs = append(rungs, at, at.above(r5))
		common = min(common, at.below(r25))
	}
	for range commonRates {
		if common >= lowestRung {
			rungs = append(rungs, common)
		}
		if common -= r25; common < lowestRung {
			common += r25 - r5
		}
	}
	below := rungBelow(own.Bps, r10)
	rungs = append(rungs, below)
	if own.Above > 0 {
		rungs = append(rungs, below.above(r10))
	}
	var rates []units.Rate
	for _, r := range rungs {
		rates = append(rates, r.rate())
	}
	return append(rates, units.Max)
}

// anchor is the rung of R5 that stands for a knee. It changes where R10, on which the
// knee itself is offered, does not: so a knee that moves a little does not change
// both. The rung is from 0.71 to 1.12 times the knee.
func anchor(bps float64) rung {
	return rungBelow(bps*math.Pow(10, 1.0/20), r5)
}

// share is p percent of a knee: the rate of R10 at or below it, the same on many
// nights.
func share(k Knee, p float64) units.Rate { return rungBelow(k.Bps*p/100, r10).rate() }
