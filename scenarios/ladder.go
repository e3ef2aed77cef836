package scenarios

import (
	"math"

	"hdbench/internal/units"
)

// rung is a place on the ladder of offered rates: the same rates on every machine
// and every night, so that what was measured in one sweep was measured in another.
// The ladder is R20 of the preferred numbers (ISO 3), twenty equal steps of a
// decade, each as the standard rounds it. Every second rung is one of R10, every
// fourth one of R5, every eighth, which is a step of 2.5, one of r25: coarser ladders
// share their rungs with the finer ones.
type rung int

// The ladders, by how many rungs of R20 a step is.
const (
	r20 = 1
	r10 = 2
	r5  = 4
	r25 = 8
	// doubling is a factor of two: three steps of R10.
	doubling = 6
)

// preferred is a decade of R20, hundredths.
var preferred = [...]int64{100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900}

// decade is how many rungs one has.
const decade = len(preferred)

// rungUnit is the rate of rung 0.
const rungUnit = units.Mbps

// Bounds of the ladder; below and above them nothing is offered.
const (
	lowestRung  rung = 1 * rung(decade)   // 10 Mbps
	highestRung rung = 5*rung(decade) + 6 // 200 Gbps
)

// rate is the offered rate of a rung from lowestRung, a whole number of bits.
func (r rung) rate() units.Rate {
	v := preferred[int(r)%decade]
	for range int(r) / decade {
		v *= 10
	}
	return units.Rate(v) * (rungUnit / 100)
}

// rungBelow is the highest rung of a ladder whose rate is not above bps.
func rungBelow(bps float64, step int) rung {
	// The standard's roundings are within 1.3 % of equal steps, so the rung is this
	// one or a neighbour of it.
	r := rung(step * int(math.Floor(float64(decade)*math.Log10(bps/float64(rungUnit))/float64(step))))
	r = min(max(r, lowestRung), highestRung-highestRung%rung(step))
	for r+rung(step) <= highestRung && float64((r+rung(step)).rate()) <= bps {
		r += rung(step)
	}
	for r-rung(step) >= lowestRung && float64(r.rate()) > bps {
		r -= rung(step)
	}
	return r
}

// below is the highest rung of a ladder that is below r.
func (r rung) below(step int) rung { return max((r-1)/rung(step)*rung(step), lowestRung) }

// above is the lowest rung of a ladder that is above r.
func (r rung) above(step int) rung { return min((r/rung(step)+1)*rung(step), highestRung) }
