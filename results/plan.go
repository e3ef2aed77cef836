package results

import (
	"fmt"
	"slices"
)

// Plan is the trials that a sweep set out to make. Its resolved scenario says so,
// which this package does not read: who opens a folder gives it its plan.
type Plan struct {
	Points []Point
	// MinRuns and MaxRuns are how often each point is measured; with UntilCI until
	// the 95 % interval of what it delivers is that share of it to each side.
	MinRuns, MaxRuns int
	UntilCI          float64
	// Unresolved says that the sweep has not come so far as to know its points.
	Unresolved bool
}

// Enough reports whether the runs of a point, those whose throughput is trusted, are all that a plan with
// UntilCI wants.
func (p *Plan) Enough(made []*Trial) bool {
	if p.UntilCI == 0 || len(made) < p.MinRuns {
		return false
	}
	var delivered []float64
	for _, t := range made {
		if t.Trusts(Throughput) {
			delivered = append(delivered, t.Load.DeliveredBps)
		}
	}
	return len(delivered) >= p.MinRuns && Narrow(delivered, p.UntilCI)
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
	for _, point := range s.Plan.Points {
		runs := made[point]
		p.Made += len(runs)
		p.Planned += len(runs)
		if left := s.Plan.MaxRuns - len(runs); left > 0 && !s.finished(runs) {
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
		return s.Plan.Enough(runs)
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
