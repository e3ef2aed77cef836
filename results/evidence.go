package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"hdbench/internal/units"
)

// Look is one trial of a search.
type Look struct {
	Load      units.Rate
	Duration  time.Duration
	Loss      float64 // of what was sent
	Shortfall float64 // of what was offered: held back by back-pressure
	// Invalid is why the look says nothing about the relay; empty if it does.
	Invalid Code
}

// unserved is the share of the load that did not come through.
func (l Look) unserved() float64 { return 1 - (1-l.Loss)*(1-l.Shortfall) }

// How often looks at a load may be invalid before the load is given up. A client
// that is at its limit will be so again; other faults may be chance.
const (
	maxClientLimited = 2
	maxInvalid       = 3
)

// Class is what the looks at a load say of it under one goal.
type Class int

// The classes of MLRsearch, and one for loads that cannot be measured.
const (
	Undecided  Class = iota
	LowerBound       // the relay carries it
	UpperBound       // it does not
	Blocked          // undecided, and its looks are invalid again and again
)

// Evidence is the looks of one search, by load. It judges; what to look at next
// is the controller's business (package scenarios).
type Evidence struct {
	Spec  SearchSpec
	Loads []units.Rate // the ladder
	looks [][]Look     // by ladder index
	n     int
}

// NewEvidence starts with nothing known. The spec must pass Check.
func NewEvidence(spec SearchSpec) *Evidence {
	loads := spec.Ladder()
	return &Evidence{Spec: spec, Loads: loads, looks: make([][]Look, len(loads))}
}

// Add takes a look. A load that is not on the ladder is an error: the look is of
// another search.
func (e *Evidence) Add(l Look) error {
	i, ok := e.index(l.Load)
	if !ok {
		return fmt.Errorf("a look at %v, which the search has no reason to take", l.Load)
	}
	e.looks[i] = append(e.looks[i], l)
	e.n++
	return nil
}

// index finds a load that may have been rounded on its way through a file.
func (e *Evidence) index(load units.Rate) (int, bool) {
	const near = 1e-7
	i, _ := slices.BinarySearch(e.Loads, load-load*near)
	return i, i < len(e.Loads) && math.Abs(float64(e.Loads[i]/load)-1) <= near
}

// Looks is how many looks were taken.
func (e *Evidence) Looks() int { return e.n }

// At is how many looks were taken at a load.
func (e *Evidence) At(i int) int { return len(e.looks[i]) }

// Effort is how long and how often a goal wants a load looked at: a search has a
// rough one to start with and a final one.
type Effort struct {
	Long time.Duration // looks shorter than this cannot make a lower bound
	Sum  time.Duration // what is enough to decide
}

// Rough is decided by one short look.
func (e *Evidence) Rough() Effort {
	d := time.Duration(e.Spec.InitialNS)
	return Effort{d, d}
}

// Final is what a bound must stand on.
func (e *Evidence) Final() Effort {
	return Effort{time.Duration(e.Spec.FinalNS), time.Duration(e.Spec.SumNS)}
}

// sums are the durations of the looks at a load: long or short, good or bad.
type sums struct{ goodLong, badLong, goodShort, badShort float64 }

func (e *Evidence) sums(i int, loss float64, effort Effort) (s sums, limited, invalid int) {
	for _, l := range e.looks[i] {
		d := float64(l.Duration)
		bad := l.Loss > loss || l.Shortfall > e.Spec.Shortfall
		switch long := l.Duration >= effort.Long; {
		case l.Invalid != "":
			invalid++
			if l.Invalid == ClientLimited {
				limited++
			}
		case long && bad:
			s.badLong += d
		case long:
			s.goodLong += d
		case bad:
			s.badShort += d
		default:
			s.goodShort += d
		}
	}
	return s, limited, invalid
}

// Class classifies a load for the goal of that loss ratio, as appendix A of the
// draft has it: would the load be a lower bound if all that is still missing
// turned out well, and would it be if all turned out badly?
func (e *Evidence) Class(i int, loss float64, effort Effort) Class {
	s, limited, invalid := e.sums(i, loss, effort)
	exceed := e.Spec.ExceedRatio
	balance := s.goodShort * exceed / (1 - exceed)
	bad := s.badLong + max(0, s.badShort-balance)
	whole := max(s.goodLong+bad, float64(effort.Sum))
	optimistic := bad <= whole*exceed
	pessimistic := whole-s.goodLong <= whole*exceed
	switch {
	case optimistic && pessimistic:
		return LowerBound
	case !optimistic && !pessimistic:
		return UpperBound
	case limited >= maxClientLimited || invalid >= maxInvalid:
		return Blocked
	}
	return Undecided
}

// Bounds are a goal's relevant bounds as ladder indices: the lowest load that is
// an upper bound, the highest below it that is a lower one, and the lowest above
// that which cannot be measured. -1 and len(Loads) are none.
func (e *Evidence) Bounds(loss float64, effort Effort) (lower, upper, blocked int) {
	n := len(e.Loads)
	classes := make([]Class, n)
	for i := range classes {
		if len(e.looks[i]) > 0 {
			classes[i] = e.Class(i, loss, effort)
		}
	}
	lower, upper, blocked = -1, n, n
	if i := slices.Index(classes, UpperBound); i >= 0 {
		upper = i
	}
	for i := upper - 1; i >= 0; i-- {
		if classes[i] == LowerBound {
			lower = i
			break
		}
	}
	if i := slices.Index(classes[lower+1:], Blocked); i >= 0 {
		blocked = lower + 1 + i
	}
	return lower, upper, blocked
}

// conditional is the conditional throughput at a load (appendix B of the draft):
// the load times what comes through at the worst of the quantile of the looks that
// the goal wants to be good.
func (e *Evidence) conditional(i int) units.Rate {
	effort := e.Final()
	var long []Look
	var whole float64
	for _, l := range e.looks[i] {
		if l.Invalid == "" && l.Duration >= effort.Long {
			long = append(long, l)
			whole += float64(l.Duration)
		}
	}
	slices.SortFunc(long, func(a, b Look) int { return cmp.Compare(a.unserved(), b.unserved()) })
	remaining := max(whole, float64(effort.Sum)) * (1 - e.Spec.ExceedRatio)
	quantile := 1.0
	for k, l := range long {
		if k > 0 && remaining <= 0 {
			break
		}
		quantile = l.unserved()
		remaining -= float64(l.Duration)
	}
	if remaining > 0 {
		quantile = 1
	}
	return units.Rate(float64(e.Loads[i]) * (1 - quantile))
}
