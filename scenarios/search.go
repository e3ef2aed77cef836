package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/results"
)

// Search is load.search: look for the highest rates a configuration carries,
// instead of, or beside, trying those of a list.
type Search struct {
	LossRatios  []float64 // a goal each, ascending, 0 to 1
	ExceedRatio float64
	Width       float64
	Shortfall   float64
	Min         units.Rate
	Max         units.Rate // 0: auto, twice where the climb ended
	Initial     time.Duration
	Final       time.Duration
	Sum         time.Duration
}

// defaultSearch is NDR and PDR as FD.io's users mean them, with durations for a
// relay that is started anew for every look.
func defaultSearch() *Search {
	return &Search{
		LossRatios: []float64{0, pdr}, ExceedRatio: 0.5, Width: 0.02, Shortfall: 0.01, Min: 100 * units.Mbps,
		Initial: 200 * time.Millisecond, Final: time.Second, Sum: 3 * time.Second,
	}
}

// pdr is the loss ratio that PDR means where none is named.
const pdr = 0.005

// spec is the search of a configuration that is offered no more than highest.
func (s *Search) spec(highest units.Rate) results.SearchSpec {
	return results.SearchSpec{
		LossRatios: s.LossRatios, ExceedRatio: s.ExceedRatio, Width: s.Width, Shortfall: s.Shortfall,
		Min: s.Min, Max: highest,
		InitialNS: int64(s.Initial), FinalNS: int64(s.Final), SumNS: int64(s.Sum),
	}
}

// search reads load.search.
func (d *decoder) search(n *yaml.Node, to **Search) {
	s := defaultSearch()
	*to = s
	if n.Kind == yaml.ScalarNode {
		if n.Value != "ndr-pdr" {
			d.fail(n, "load.search: %q: want ndr-pdr, or keys such as {goals: [ndr, 0.5%%], width: 2%%}", n.Value)
		}
		return
	}
	var goals []float64
	before := len(d.errs)
	d.mapping(n, "load.search", fields{
		"goals":        list(d, "load.search.goals", &goals, parseGoal),
		"width":        one(d, "load.search.width", &s.Width, percentIn(0.1, 50)),
		"min":          one(d, "load.search.min", &s.Min, searchRate),
		"max":          one(d, "load.search.max", &s.Max, searchMax),
		"initial":      one(d, "load.search.initial", &s.Initial, durationIn(loadgen.IntervalLen, time.Hour)),
		"final":        one(d, "load.search.final", &s.Final, durationIn(loadgen.IntervalLen, time.Hour)),
		"duration-sum": one(d, "load.search.duration-sum", &s.Sum, durationIn(loadgen.IntervalLen, 24*time.Hour)),
		"exceed-ratio": one(d, "load.search.exceed-ratio", &s.ExceedRatio, percentIn(0, 99)),
		"shortfall":    one(d, "load.search.shortfall", &s.Shortfall, percentIn(0, 99)),
	})
	if len(goals) > 0 {
		slices.Sort(goals)
		s.LossRatios = goals
	}
	switch {
	case len(d.errs) > before:
	case s.Initial > s.Final || s.Final > s.Sum:
		d.fail(n, "load.search: initial %v, final %v, duration-sum %v: want each no longer than the next", s.Initial, s.Final, s.Sum)
	case s.Max != 0 && s.Max <= s.Min:
		d.fail(n, "load.search: min %v, max %v: want a range", s.Min, s.Max)
	}
}

// node is load.search with everything spelled out.
func (s *Search) node() *yaml.Node {
	highest := "auto"
	if s.Max != 0 {
		highest = s.Max.String()
	}
	n := mapping()
	n.add("goals", scalars(s.LossRatios, showShare))
	n.add("width", scalar(showShare(s.Width)))
	n.add("min", scalar(s.Min.String()))
	n.add("max", scalar(highest))
	n.add("initial", scalar(s.Initial.String()))
	n.add("final", scalar(s.Final.String()))
	n.add("duration-sum", scalar(s.Sum.String()))
	n.add("exceed-ratio", scalar(showShare(s.ExceedRatio)))
	n.add("shortfall", scalar(showShare(s.Shortfall)))
	return n.Node
}

// String is the search in a few words.
func (s *Search) String() string {
	var goals []string
	for _, r := range s.LossRatios {
		goals = append(goals, results.GoalName(r))
	}
	highest := "auto"
	if s.Max != 0 {
		highest = s.Max.String()
	}
	return fmt.Sprintf("%s, %v to %s", strings.Join(goals, " and "), s.Min, highest)
}

func parseGoal(s string) (float64, error) {
	switch s {
	case "ndr":
		return 0, nil
	case "pdr":
		return pdr, nil
	}
	r, err := percentIn(0, 99)(s)
	if err != nil {
		return 0, fmt.Errorf("%w of loss, or ndr (0%%), or pdr (0.5%%)", err)
	}
	return r, nil
}

// percentIn reads a percentage as a share of one. It keeps six digits, as many as
// showShare writes.
func percentIn(lo, hi float64) func(string) (float64, error) {
	return func(s string) (float64, error) {
		p, ok := strings.CutSuffix(s, "%")
		v, err := strconv.ParseFloat(p, 64)
		if err == nil {
			v, err = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
		}
		if !ok || err != nil || !(v >= lo && v <= hi) {
			return 0, fmt.Errorf("%q: want %v%% to %v%%", s, lo, hi)
		}
		return v / 100, nil
	}
}

// showShare is a share as it is written in a file; ten digits, so that what is read back
// is the same.
func showShare(r float64) string { return strconv.FormatFloat(100*r, 'g', 10, 64) + "%" }

// searchRate reads a rate as it will be written, so that a resumed search has the
// same range.
func searchRate(s string) (units.Rate, error) {
	r, err := units.ParseRate(s)
	if err != nil {
		return 0, err
	}
	if r.IsMax() {
		return 0, fmt.Errorf("%q is no rate to search from or to", s)
	}
	return units.ParseRate(r.String())
}

// searchMax is searchRate, or auto, which is 0.
func searchMax(s string) (units.Rate, error) {
	if s == "auto" {
		return 0, nil
	}
	return searchRate(s)
}
