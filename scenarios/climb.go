package scenarios

import (
	"fmt"
	"math"

	"hdbench/internal/units"
	"hdbench/results"
)

// Knee is where a configuration's climb ended: it carries one rate, and not the
// next.
type Knee struct {
	Carried units.Rate // highest rate that was carried; 0: none was
	Above   units.Rate // next rate on the ladder, which was not; 0: everything was carried
	// Bps is between the two, in the middle of their logarithms. Where no rate was
	// carried it is the most that was delivered.
	Bps     float64
	Limit   results.Cause // what kept Above from being carried; empty without Above
	Missing float64       // share of Above that did not come through
}

// ClientLimited reports whether it was not the relay that ended the climb. The
// relay may carry more.
func (k Knee) ClientLimited() bool { return soft(k.Limit) }

// String is the knee in a line.
func (k Knee) String() string {
	switch above := fmt.Sprintf("at %v %.1f %% is missing: %s", k.Above, 100*k.Missing, k.Limit); {
	case k.Above == 0:
		return fmt.Sprintf("carries %v and more", k.Carried)
	case k.Carried == 0:
		return above
	default:
		return fmt.Sprintf("carries %v; %s", k.Carried, above)
	}
}

// soft reports whether an outcome says nothing about the relay at higher rates. A
// client's cost per packet falls with the load, so it may fail at a rate and do
// well at twice that.
func soft(o results.Cause) bool { return o == results.ByClient || o == results.Unclear }

// climbLook is a look to be taken.
type climbLook struct {
	at   rung
	long bool // its window is: it repeats one that was not carried
}

// climbSeen is what a look has shown.
type climbSeen struct {
	cause        results.Cause
	missing      float64 // by shortfall and loss together
	deliveredBps float64
}

const (
	// climbFrom is where a climb begins: 500 Mbps.
	climbFrom rung = 2*rung(decade) + 14
	// climbLooks is how many looks a rate gets before it is taken as not carried,
	climbLooks = 3
	// or one less where all of them missed climbGross of it: what spoils a look by
	// chance seldom spoils so much, and twice in a row.
	climbGross = 0.05
)

// climber decides, from one look after another, at which rate to look next. It is
// a pure function of the looks it was shown: no clock, no randomness, no I/O.
//
// It doubles the rate while it is carried, then halves the interval between what is
// carried and what is not, to neighbours on the ladder. One carried look proves a
// rate and every rate below it, whatever was seen there; a rate that would end the
// climb is looked at again, for longer. Where the client ended it, or nobody knows
// who did, higher rates are tried before it is believed.
type climber struct {
	looks map[rung][]climbSeen
	next  climbLook
	done  bool
}

func newClimber() *climber {
	return &climber{looks: map[rung][]climbSeen{}, next: climbLook{at: climbFrom}}
}

// saw takes the look that next asked for.
func (c *climber) saw(s climbSeen) {
	c.looks[c.next.at] = append(c.looks[c.next.at], s)
	c.choose()
}

// failed takes it that the relay could not be measured at next: what was seen
// before must do.
func (c *climber) failed() { c.done = true }

// carried reports whether some look at a rung was.
func (c *climber) carried(r rung) bool {
	for _, s := range c.looks[r] {
		if s.cause == results.Carried {
			return true
		}
	}
	return false
}

// ended reports whether a rung has had looks enough to be taken as not carried.
func (c *climber) ended(r rung) bool {
	looks := c.looks[r]
	gross := true
	for _, s := range looks {
		gross = gross && s.missing >= climbGross
	}
	return !c.carried(r) && (len(looks) >= climbLooks || gross && len(looks) == climbLooks-1)
}

// limit is what ended a rung: what its last look says that says anything.
func (c *climber) limit(r rung) results.Cause {
	looks := c.looks[r]
	for i := len(looks) - 1; i >= 0; i-- {
		if o := looks[i].cause; o != results.Unclear && o != results.Carried {
			return o
		}
	}
	return results.Unclear
}

// missing is the least that was missing of a rung.
func (c *climber) missing(r rung) float64 {
	least := math.Inf(1)
	for _, s := range c.looks[r] {
		least = min(least, s.missing)
	}
	return least
}

// highest is the highest rung that was carried; below lowestRung: none.
func (c *climber) highest() rung {
	best := lowestRung - 1
	for r := range c.looks {
		if r > best && c.carried(r) {
			best = r
		}
	}
	return best
}

// seenAbove is the lowest rung above r that was looked at.
func (c *climber) seenAbove(r rung) (rung, bool) {
	for r++; r <= highestRung; r++ {
		if len(c.looks[r]) > 0 {
			return r, true
		}
	}
	return 0, false
}

// choose finds the next look.
func (c *climber) choose() {
	low := c.highest()
	high, ended := c.seenAbove(low)
	switch {
	case ended && !c.ended(high):
		c.next = climbLook{at: high, long: true}
		return
	case !ended && low >= highestRung, ended && high <= lowestRung:
		c.done = true
		return
	case !ended:
		c.next = climbLook{at: min(low+doubling, highestRung)}
		return
	case low < lowestRung:
		c.next = climbLook{at: max(high-doubling, lowestRung)}
		return
	}
	if r, ok := c.higher(high); ok {
		c.next = climbLook{at: r}
		return
	}
	if high-low == 1 {
		c.done = true
		return
	}
	c.next = climbLook{at: low + (high-low)/2}
}

// higher is a rate above one that the client ended, or nobody knows who, where one
// short look may show that more is carried: twice and four times that, and half-way
// between these in the logarithm; but none above a rate at which the relay fails.
func (c *climber) higher(high rung) (rung, bool) {
	const half = doubling / 2
	top := min(high+2*doubling, highestRung)
	var gap rung // the first that is too wide
	for at := high; soft(c.limit(at)); {
		next, ok := c.seenAbove(at)
		if !ok {
			if at < top {
				return min(at+doubling, top), true
			}
			break
		}
		if gap == 0 && next-at > half {
			gap = at
		}
		at = next
	}
	return gap + half, gap > 0
}

// knee is what was found.
func (c *climber) knee() Knee {
	var k Knee
	low := c.highest()
	if low >= lowestRung {
		k.Carried = low.rate()
		k.Bps = float64(k.Carried)
	} else {
		for _, looks := range c.looks {
			for _, s := range looks {
				k.Bps = max(k.Bps, s.deliveredBps)
			}
		}
	}
	if high, ok := c.seenAbove(low); ok {
		k.Above, k.Limit, k.Missing = high.rate(), c.limit(high), c.missing(high)
		if k.Carried > 0 && c.done && high-low == 1 {
			k.Bps = math.Sqrt(float64(k.Carried) * float64(k.Above))
		}
	}
	return k
}

func (l climbLook) windows() windows {
	if l.long {
		return climbAgainWindows
	}
	return climbWindows
}
