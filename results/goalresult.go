package results

import (
	"cmp"
	"fmt"
	"slices"

	"hdbench/internal/units"
)

// GoalResult is what a search found for one goal.
type GoalResult struct {
	LossRatio float64    `json:"loss_ratio"`
	Lower     units.Rate `json:"lower_bound,omitempty"` // the relay carries it; 0: no load that was tried
	Upper     units.Rate `json:"upper_bound,omitempty"` // it does not carry this; 0: it carries all that could be tried
	// Conditional is what comes through at the lower bound.
	Conditional units.Rate `json:"conditional_throughput,omitempty"`
	// Done says that there is nothing left to look at.
	Done bool `json:"done"`
	// Irregular is why there are not both bounds within the width, if there are not.
	Irregular string `json:"irregular,omitempty"`
	// Inversion is the lowest load above the upper bound that was carried
	// nevertheless; 0: there is none.
	Inversion units.Rate `json:"loss_inversion,omitempty"`
}

// Name is the goal's.
func (g GoalResult) Name() string { return GoalName(g.LossRatio) }

// Results are those of all goals.
func (e *Evidence) Results() []GoalResult {
	var rs []GoalResult
	for _, loss := range e.Spec.LossRatios {
		rs = append(rs, e.result(loss))
	}
	return rs
}

func (e *Evidence) result(loss float64) GoalResult {
	n := len(e.Loads)
	lower, upper, blocked := e.Bounds(loss, e.Final())
	r := GoalResult{LossRatio: loss, Done: min(upper, blocked)-lower <= 1}
	if lower >= 0 {
		r.Lower, r.Conditional = e.Loads[lower], e.conditional(lower)
	}
	if upper < n {
		r.Upper = e.Loads[upper]
	}
	for i := upper + 1; i < n; i++ {
		if len(e.looks[i]) > 0 && e.Class(i, loss, e.Final()) == LowerBound {
			r.Inversion = e.Loads[i]
			break
		}
	}
	switch {
	case !r.Done:
		r.Irregular = "the search did not end"
	case blocked < upper:
		r.Irregular = fmt.Sprintf("looks at %v say nothing: %s", e.Loads[blocked], e.why(blocked))
	case upper == 0:
		r.Irregular = fmt.Sprintf("the lowest load, %v, is not carried", e.Loads[0])
	case upper == n:
		r.Irregular = fmt.Sprintf("all loads up to the highest, %v, are carried", e.Loads[n-1])
	}
	return r
}

// why says why the looks at a load are invalid: the commonest code.
func (e *Evidence) why(i int) Code {
	count := map[Code]int{}
	var codes []Code
	for _, l := range e.looks[i] {
		if l.Invalid == "" {
			continue
		}
		if count[l.Invalid] == 0 {
			codes = append(codes, l.Invalid)
		}
		count[l.Invalid]++
	}
	if len(codes) == 0 {
		return ""
	}
	return slices.MaxFunc(codes, func(a, b Code) int { return cmp.Compare(count[a], count[b]) })
}
