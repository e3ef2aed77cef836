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
// delivered rate is known well enough.
type Runs struct {
	Min, Max int
	// UntilCI ends the runs of a point when the 95 % interval of its mean
	// delivered rate reaches at most this share of it to each side, and has done so
	// for some runs in a row. 0: never.
	UntilCI float64
}

// fixedRuns is a fixed number of runs.
func fixedRuns(n int) Runs { return Runs{Min: n, Max: n} }

// typical is about how many runs a point will have: half of the points are of the
// flat part, where every run delivers the same.
func (r Runs) typical() float64 {
	if r.UntilCI == 0 {
		return float64(r.Max)
	}
	return float64(min(r.Min+r.plan().InARow()-1, r.Max)+r.Max) / 2
}

// plan is what is decided by results: whether a folder has all its runs.
func (r Runs) plan() *results.Plan {
	return &results.Plan{MinRuns: r.Min, MaxRuns: r.Max, UntilCI: r.UntilCI}
}

// String is the runs in words.
func (r Runs) String() string {
	if r.UntilCI == 0 {
		return strconv.Itoa(r.Max)
	}
	return fmt.Sprintf("%d to %d, until the 95 %% interval is within ±%s of the mean", r.Min, r.Max, r.untilCI())
}

// enough reports whether a point needs no more runs after these. What was not
// valid does not count: a point whose runs are all marked gets every one of them.
func (r Runs) enough(made []*results.Trial) bool {
	return r.plan().Enough(made)
}

// untilCI is the share as it is written in a file; ten digits, so that what is read
// back is the same.
func (r Runs) untilCI() string { return strconv.FormatFloat(100*r.UntilCI, 'g', 10, 64) + "%" }

func (r Runs) node() *yaml.Node {
	if r.UntilCI == 0 {
		return scalar(strconv.Itoa(r.Max))
	}
	n := mapping()
	n.Style = yaml.FlowStyle
	n.add("min", scalar(strconv.Itoa(r.Min)))
	n.add("max", scalar(strconv.Itoa(r.Max)))
	n.add("until_ci", scalar(r.untilCI()))
	return n.Node
}

// runs reads a number, or {min, max, until_ci}.
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
		"min":      one(d, "runs.min", &v.Min, intIn(2, maxRuns)), // an interval needs two
		"max":      one(d, "runs.max", &v.Max, intIn(2, maxRuns)),
		"until_ci": one(d, "runs.until_ci", &v.UntilCI, parseHalfWidth),
	})
	switch {
	case len(d.errs) > before:
	case v.Min == 0 || v.Max == 0 || v.UntilCI == 0:
		d.fail(n, "runs: want min, max and until_ci, such as {min: 3, max: 10, until_ci: 2%%}")
	case v.Max <= v.Min:
		d.fail(n, "runs: max is %d, want more than min, which is %d", v.Max, v.Min)
	}
	*r = v
}

func parseHalfWidth(s string) (float64, error) {
	p, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(p, 64)
	if !ok || err != nil || !(v >= 0.01 && v <= 50) {
		return 0, errors.New(strconv.Quote(s) + ": want 0.01% to 50%, half the width of the 95 % interval as a share of the mean")
	}
	return v / 100, nil
}
