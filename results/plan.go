package results

import (
	"fmt"
	"slices"

	"hdbench/results/stat"
)

// Plan is the trials that a sweep set out to make. Its resolved scenario says so,
// which this package does not read: who opens a folder gives it its plan.
type Plan struct {
	Points []Point
	// MinRuns and MaxRuns are how often each point is measured; with UntilCI until
	// the 95 % interval of what it delivers is that share of it to each side.
	// With UntilCeiling points get more than MinRuns only where a ceiling may stand on
	// them, and while its interval reaches further than that share: see More.
	MinRuns, MaxRuns int
	UntilCI          float64
	UntilCeiling     float64
	// Unresolved says that the sweep has not come so far as to know its points.
	Unresolved bool
}

// InARow is how many runs in a row must find the interval narrow. Runs that stop at
// the first narrow interval stop where it is narrow by chance: it then covers the
// mean in as little as 90 % of cases instead of 95. The more runs may follow, the
// more such chances there are; so many in a row keep it at 93 % or more.
func (p *Plan) InARow() int {
	n := 1 + min(3, (p.MaxRuns-p.MinRuns)/2)
	if p.MinRuns == 2 { // whose interval is all but a guess
		n = max(n, 2)
	}
	return n
}

// Enough reports whether so many runs of a point whose throughput counts are all
// that a plan with UntilCI wants.
func (p *Plan) Enough(made []*Trial) bool { return p.narrow(made, p.InARow()) }

// narrow reports whether the last runs of a point, so many in a row, found its
// interval narrow.
func (p *Plan) narrow(made []*Trial, inARow int) bool {
	if p.UntilCI == 0 || len(made) < p.MinRuns {
		return false
	}
	var delivered []float64
	for _, t := range made {
		if t.Counts() {
			delivered = append(delivered, t.Load.DeliveredBps)
		}
	}
	for n := range inARow {
		if k := len(delivered) - n; k < p.MinRuns || !stat.Narrow(delivered[:k], p.UntilCI) {
			return false
		}
	}
	return true
}

// First is how many runs every point gets.
func (p *Plan) First() int {
	if p.UntilCeiling > 0 {
		return p.MinRuns
	}
	return p.MaxRuns
}

// More are the points that get MinRuns more runs when all have had their first ones,
// so many: with UntilCeiling those that may be the highest of a configuration, where
// its ceiling has a wide interval.
func (p *Plan) More(made []*Trial, had int) ([]Point, error) {
	if p.UntilCeiling == 0 || had >= p.MaxRuns {
		return nil, nil
	}
	points, err := Points(slices.DeleteFunc(slices.Clone(made), func(t *Trial) bool { return t.Run > had }))
	if err != nil {
		return nil, err
	}
	var more []Point
	for _, of := range byConfig(points) {
		of = slices.DeleteFunc(of, func(p *PointStats) bool { return len(p.counted) == 0 })
		for _, i := range stat.Undecided(deliveredByRun(of), p.UntilCeiling) {
			more = append(more, of[i].Point)
		}
	}
	return more, nil
}

// wanted is how many runs each point is to have, as far as the folder's trials tell.
func (s *Set) wanted(made map[Point][]*Trial) map[Point]int {
	p := s.Plan
	wanted := make(map[Point]int, len(p.Points))
	var all []*Trial
	for _, point := range p.Points {
		wanted[point] = p.First()
		all = append(all, made[point]...)
	}
	for had := p.First(); ; had += p.MinRuns {
		for point, n := range wanted {
			if len(made[point]) < n && !s.finished(made[point]) {
				return wanted // nobody has looked yet whether there are to be more
			}
		}
		more, err := p.More(all, had)
		if err != nil || len(more) == 0 {
			return wanted
		}
		for _, point := range more {
			wanted[point] = min(had+p.MinRuns, p.MaxRuns)
		}
	}
}

// progress is how far a folder's sweep came with its plan.
type progress struct {
	Made    int  `json:"trials"`
	Planned int  `json:"planned"`
	AtMost  bool `json:"at_most,omitempty"` // Planned is: points may need fewer runs

	left map[Point]int // runs still to be made, of the points that are not finished
}

// progress compares a folder's trials with its plan; nil where none is known. What
// failed, or cannot be measured here, has been tried.
func (s *Set) progress() *progress {
	if s.Plan == nil {
		return nil
	}
	made := map[Point][]*Trial{}
	for _, t := range s.Trials {
		if t.Kind == KindTrial {
			made[t.Point] = append(made[t.Point], t)
		}
	}
	if s.Plan.Unresolved && len(made) > 0 {
		return nil // nobody wrote the plan down
	}
	p := &progress{left: map[Point]int{}}
	wanted := s.wanted(made)
	for _, point := range s.Plan.Points {
		runs := made[point]
		p.Made += len(runs)
		p.Planned += len(runs)
		if left := wanted[point] - len(runs); left > 0 && !s.finished(runs) {
			p.Planned += left
			p.AtMost = p.AtMost || s.Plan.UntilCI > 0
			p.left[point] = left
		}
	}
	return p
}

// finished reports whether a point with fewer runs than there may be needs no more.
func (s *Set) finished(runs []*Trial) bool {
	switch {
	case slices.ContainsFunc(runs, func(t *Trial) bool { return t.NA != "" }):
		return true // it is said once
	case s.Plan.UntilCI > 0 && s.Environment.Interleaved != nil:
		return len(runs) >= s.Plan.MinRuns // pairs decide, and the other half is elsewhere
	default:
		return s.Plan.narrow(runs, 1) // earlier builds asked for no more
	}
}

// Interrupted says that a folder's sweep did not come to its end, and how far it
// came; empty if it did, or nobody knows.
func (s *Set) Interrupted() string {
	p := s.progress()
	switch {
	case p == nil:
		return ""
	case s.Plan.Unresolved:
		return "interrupted: before its first trial"
	case len(p.left) == 0:
		return ""
	case p.AtMost:
		return fmt.Sprintf("interrupted: %d of at most %s", p.Made, plural(p.Planned, "trial"))
	}
	return fmt.Sprintf("interrupted: %d of %s", p.Made, plural(p.Planned, "trial"))
}

// interruptedJSON is the same for machines; nil if it is not so.
func (s *Set) interruptedJSON() *progress {
	if s.Interrupted() == "" {
		return nil
	}
	return s.progress()
}

// interruption is what an answer says first; empty if the sweep is whole.
func (s *Set) interruption() string {
	text := s.Interrupted()
	if text == "" {
		return ""
	}
	return fmt.Sprintf("The sweep was %s. What follows is of those; hdbench sweep --resume makes the others.", text)
}
