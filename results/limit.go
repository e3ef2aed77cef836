package results

import (
	"fmt"
	"slices"
	"strings"
)

// Limit is what stopped a configuration from carrying more: a Cause, or NotReached.
type Limit struct {
	What Cause
	// Evidence is the figures it rests on, of one of the trials that agree.
	Evidence string
	Remedy   string
	Trials   int // trials above the highest rate carried that were asked
	Agree    int // of which say so
}

// NotReached is the limit of a configuration that carried all it was offered.
const NotReached Cause = "not-reached"

// limitInfo is what a limit means and what would move it.
type limitInfo struct {
	what    Cause
	meaning string
	remedy  string
	// bound: the relay was not at its own limit, so its ceiling is at least what was
	// measured.
	bound bool
}

var limits = []limitInfo{
	{RelayCPU, "the relay used up its CPUs", "more workers or faster CPUs for the relay", false},
	{SendQueue, "the relay's send queues dropped while it had CPU time left", "a deeper send queue", false},
	{BackPressure, "the relay held its senders back while it had CPU time left: its buffers, queues or windows were full", "larger socket buffers, or more peers", false},
	{ByClient, "the client sent or read late: the relay had more to give", "give the client more CPUs or a second host", true},
	{ByLine, "the network between relay and clients was full", "a faster link", true},
	{NotReached, "all that was offered was carried", "offer more", true},
	{Unclear, "the evidence does not say, or says two things at once", "give relay and client more CPUs, or hosts of their own, and repeat", true},
}

func limitInfoOf(c Cause) limitInfo {
	i := slices.IndexFunc(limits, func(l limitInfo) bool { return l.what == c })
	if i < 0 {
		return limitInfo{what: c, bound: true}
	}
	return limits[i]
}

// agreeing is the share that must say the same, of the trials that say something;
// speaking is the share of those asked that must do so.
const agreeing, speaking = 2.0 / 3, 0.5

// limitRates is how many offered rates above the highest carried are asked. Far
// above its knee a relay may be stopped by something else.
const limitRates = 2

// limitOf finds a configuration's limit from the trials at the rates just above the
// highest that it carried.
func limitOf(points []*PointStats) Limit {
	knee := -1
	for i, p := range points {
		if !p.Point.Offered.IsMax() && p.WasCarried() {
			knee = i
		}
	}
	count := map[Cause]int{}
	example := map[Cause]string{}
	asked, rates := 0, 0
	for _, p := range points[knee+1:] {
		if p.Valid == 0 || rates == limitRates {
			continue
		}
		rates++
		for _, t := range p.counted {
			g := groundsOf(t)
			c := g.cause()
			if c == Carried {
				continue
			}
			asked++
			count[c]++
			if example[c] == "" {
				example[c] = fmt.Sprintf("at %v offered: %s", offeredText(p), g.String())
			}
		}
	}
	if asked == 0 {
		return Limit{What: NotReached, Remedy: limitInfoOf(NotReached).remedy}
	}
	l := Limit{What: Unclear, Trials: asked}
	definite := asked - count[Unclear]
	for _, c := range []Cause{RelayCPU, SendQueue, BackPressure, ByClient, ByLine} {
		if float64(definite) >= speaking*float64(asked) && float64(count[c]) >= agreeing*float64(definite) && definite > 0 {
			l.What, l.Agree, l.Evidence = c, count[c], example[c]
		}
	}
	if l.What == Unclear && l.Agree == 0 {
		l.Agree = count[Unclear]
		var said []string
		for _, i := range limits {
			if n := count[i.what]; n > 0 {
				said = append(said, fmt.Sprintf("%d say %s (%s)", n, i.what, example[i.what]))
			}
		}
		l.Evidence = strings.Join(said, "; ")
	}
	l.Remedy = limitInfoOf(l.What).remedy
	return l
}

func offeredText(p *PointStats) string {
	if p.Point.Offered.IsMax() {
		return "max"
	}
	return mbps(float64(p.Point.Offered)) + " Mbps"
}
