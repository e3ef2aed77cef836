package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"hdbench/results"
)

// Runs is how often a point is measured: a fixed number of times, or until its
// delivered rate, or the ceiling that may stand on it, is known well enough.
type Runs struct {
	Min, Max int
	// UntilCI ends the runs of a point when the 95 % interval of its mean
	// delivered rate reaches at most this share of it to each side, and has done so
	// for some runs in a row. 0: never.
	UntilCI float64
	// UntilCeiling gives every point Min runs, and as many again to the points that
	// may be a configuration's ceiling while the ceiling's 95 % interval reaches
	// further than this share of it to each side. 0: no more than Min.
	UntilCeiling float64
}

// fixedRuns is a fixed number of runs.
func fixedRuns(n int) Runs { return Runs{Min: n, Max: n} }

// typical is about how many runs a point will have: half of the points are of the
// flat part, where every run delivers the same.
func (r Runs) typical() float64 {
	if r.UntilCI == 0 {
		return float64(r.planned())
	}
	return float64(min(r.Min+r.plan().InARow()-1, r.Max)+r.Max) / 2
}

// planned is how many runs of a point are counted before a sweep.
func (r Runs) planned() int { return r.plan().First() }

// plan is what is decided by results: whether a folder has all its runs.
func (r Runs) plan() *results.Plan {
	return &results.Plan{MinRuns: r.Min, MaxRuns: r.Max, UntilCI: r.UntilCI, UntilCeiling: r.UntilCeiling}
}

// String is the runs in words.
func (r Runs) String() string {
	switch {
	case r.UntilCI > 0:
		return fmt.Sprintf("%d to %d, until the 95 %% interval is within ±%s of the mean", r.Min, r.Max, showShare(r.UntilCI))
	case r.UntilCeiling > 0:
		return fmt.Sprintf("%d; where a ceiling may stand on it up to %d, until that is within ±%s", r.Min, r.Max, showShare(r.UntilCeiling))
	}
	return strconv.Itoa(r.Max)
}

// enough reports whether a point needs no more runs after these. What was not
// valid does not count: a point whose runs are all marked gets every one of them.
func (r Runs) enough(made []*results.Trial) bool {
	return r.plan().Enough(made)
}

func (r Runs) node() *yaml.Node {
	if r.UntilCI == 0 && r.UntilCeiling == 0 {
		return scalar(strconv.Itoa(r.Max))
	}
	n := mapping()
	n.Style = yaml.FlowStyle
	n.add("min", scalar(strconv.Itoa(r.Min)))
	n.add("max", scalar(strconv.Itoa(r.Max)))
	if r.UntilCI > 0 {
		n.add("until_ci", scalar(showShare(r.UntilCI)))
	} else {
		n.add("until_ceiling", scalar(showShare(r.UntilCeiling)))
	}
	return n.Node
}

// runs reads a number, or {min, max, until_ci} or {min, max, until_ceiling}.
func (d *decoder) runs(n *yaml.Node, r *Runs) {
	if n.Kind != yaml.MappingNode {
		count := 0
		one(d, "runs", &count, intIn(1, maxRuns))(n)
		*r = fixedRuns(count)
		return
	}
	var v Runs
	before := len(d.errs)
	d.mapping(n, "runs", fields{
		"min":           one(d, "runs.min", &v.Min, intIn(2, maxRuns)), // an interval needs two
		"max":           one(d, "runs.max", &v.Max, intIn(2, maxRuns)),
		"until_ci":      one(d, "runs.until_ci", &v.UntilCI, parseHalfWidth),
		"until_ceiling": one(d, "runs.until_ceiling", &v.UntilCeiling, parseHalfWidth),
	})
	switch {
	case len(d.errs) > before:
	case v.UntilCI > 0 && v.UntilCeiling > 0:
		d.fail(n, "runs: want until_ci or until_ceiling, not both")
	case v.Min == 0 || v.Max == 0 || v.UntilCI == 0 && v.UntilCeiling == 0:
		d.fail(n, "runs: want min, max and until_ci, such as {min: 3, max: 10, until_ci: 2%%}, or until_ceiling")
	case v.Max <= v.Min:
		d.fail(n, "runs: max is %d, want more than min, which is %d", v.Max, v.Min)
	}
	*r = v
}

func parseHalfWidth(s string) (float64, error) {
	p, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(p, 64)
	if !ok || err != nil || !(v >= 0.01 && v <= 50) {
		return 0, errors.New(strconv.Quote(s) + ": want 0.01% to 50%, half the width of the 95 % interval as a share of the value")
	}
	return v / 100, nil
}
