package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"hdbench/internal/units"
	"hdbench/results/stat"
)

// Night is one results folder of a history.
type Night struct {
	Set       *Set
	CompareAt units.Rate // of its scenario; 0: none
}

// Trend is a history of folders, in series that can be compared, the one with the
// newest folder first.
type Trend struct {
	Groups []TrendGroup
}

// TrendGroup is folders of the same scenario on the same hosts, oldest first.
type TrendGroup struct {
	Nights []Night
	// Apart is in what the newest folder here differs from the newest of all;
	// empty in the first group.
	Apart  []string
	Series []TrendSeries
}

// TrendSeries is one metric of one configuration, a value a night.
type TrendSeries struct {
	Config Config
	Name   string // of the configuration
	Metric TrendMetric
	Values []float64 // NaN where there is none
	NA     []string  // why, by night; empty where there is a value
	Points []TrendPoint
}

// TrendPoint is a change point.
type TrendPoint struct {
	stat.ChangePoint      // its Index is of the night
	Last             int  // the last night of the old level that has a value
	Worse            bool // the change is for the worse
}

// NewTrend sorts folders by their start, keeps apart those that cannot be compared,
// and finds the change points of every series.
func NewTrend(nights []Night) (*Trend, error) {
	nights = slices.Clone(nights)
	slices.SortStableFunc(nights, func(a, b Night) int {
		return a.Set.Environment.Started.Compare(b.Set.Environment.Started)
	})
	t := new(Trend)
	for _, n := range slices.Backward(nights) {
		i := slices.IndexFunc(t.Groups, func(g TrendGroup) bool { return len(Differences(g.newest().Set, n.Set)) == 0 })
		if i < 0 {
			i = len(t.Groups)
			t.Groups = append(t.Groups, TrendGroup{})
			if i > 0 {
				t.Groups[i].Apart = Differences(t.Groups[0].newest().Set, n.Set)
			}
		}
		t.Groups[i].Nights = append([]Night{n}, t.Groups[i].Nights...)
	}
	for i := range t.Groups {
		if err := t.Groups[i].follow(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (g *TrendGroup) newest() Night { return g.Nights[len(g.Nights)-1] }

// nightly is what one folder says of its configurations.
type nightly struct {
	points   map[Point]*PointStats
	ceilings map[Config]Ceiling
	searches map[Config]SearchResult
}

// follow makes the group's series.
func (g *TrendGroup) follow() error {
	var all []nightly
	var configs []Config
	for _, n := range g.Nights {
		points, err := Points(n.Set.Trials)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Set.Dir, err)
		}
		searches, err := Searches(n.Set.Trials)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Set.Dir, err)
		}
		one := nightly{map[Point]*PointStats{}, map[Config]Ceiling{}, map[Config]SearchResult{}}
		for _, p := range points {
			one.points[p.Point] = p
			configs = append(configs, p.Point.Config)
		}
		for _, c := range Ceilings(points) {
			one.ceilings[c.Config] = c
		}
		for _, s := range searches {
			one.searches[s.Config] = s
			configs = append(configs, s.Config)
		}
		all = append(all, one)
	}
	slices.SortFunc(configs, compareConfig)
	configs = slices.Compact(configs)
	names := Names(configs)
	for _, c := range configs {
		for _, s := range configSeries(c, all, g.newest().CompareAt) {
			s.Config, s.Name = c, names[c]
			if s.values() > 0 || !s.neverThere() {
				s.find()
				g.Series = append(g.Series, s)
			}
		}
	}
	return nil
}

// configSeries are the series of one configuration.
func configSeries(c Config, all []nightly, compareAt units.Rate) []TrendSeries {
	ceilings := TrendSeries{Metric: ceilingMetric()}
	var goals []TrendSeries
	for _, n := range all {
		ceilings.add(ceilingOf(n, c))
		for _, g := range n.searches[c].Goals {
			if !slices.ContainsFunc(goals, func(s TrendSeries) bool { return s.Metric == goalMetric(g) }) {
				goals = append(goals, TrendSeries{Metric: goalMetric(g)})
			}
		}
	}
	for i := range goals {
		for _, n := range all {
			goals[i].add(goalOf(n, c, goals[i].Metric))
		}
	}
	series := append([]TrendSeries{ceilings}, goals...)
	at := followedRate(c, all, compareAt)
	for _, pm := range pointMetrics {
		s := TrendSeries{Metric: pm.metric}
		s.Metric.At = at
		for _, n := range all {
			p := n.points[Point{Config: c, Offered: at}]
			switch {
			case at == 0:
				s.add(math.NaN(), notMeasured)
			case p == nil || p.Runs == 0:
				s.add(math.NaN(), fmt.Sprintf("%v was not offered", at))
			case p.Valid == 0:
				s.add(math.NaN(), cmp.Or(p.NA, "no valid trial"))
			case p.spoiledQuantities()&pm.quantity != 0:
				s.add(math.NaN(), pm.quantity.String()+" is not to be trusted that night")
			default:
				s.add(pm.of(p), "nothing was measured")
			}
		}
		series = append(series, s)
	}
	return series
}

// notMeasured is why a night has no value where the scenario did not ask for one.
const notMeasured = "not measured"

// add takes a night's value, or why there is none.
func (s *TrendSeries) add(v float64, why string) {
	if !math.IsNaN(v) {
		why = ""
	}
	s.Values, s.NA = append(s.Values, v), append(s.NA, why)
}

func ceilingOf(n nightly, c Config) (float64, string) {
	switch ceiling, ok := n.ceilings[c]; {
	case !ok:
		return math.NaN(), notMeasured
	case ceiling.At == nil:
		return math.NaN(), ceiling.NA
	case ceiling.AtLeast:
		return math.NaN(), "the relay was not brought to its limit"
	default:
		return ceiling.Delivered.Value, ""
	}
}

func goalOf(n nightly, c Config, m TrendMetric) (float64, string) {
	s, ok := n.searches[c]
	if !ok {
		return math.NaN(), notMeasured
	}
	for _, g := range s.Goals {
		switch {
		case goalMetric(g) != m:
		case g.Lower == 0 || g.Upper == 0 || !g.Done:
			return math.NaN(), cmp.Or(s.NA, g.Irregular)
		default:
			return float64(g.Lower), ""
		}
	}
	return math.NaN(), cmp.Or(s.NA, notMeasured)
}

// followedRate is the offered rate at which a configuration is followed: the
// scenario's compare-at, or else the highest that it was offered every night.
func followedRate(c Config, all []nightly, compareAt units.Rate) units.Rate {
	count := map[units.Rate]int{}
	nights := 0
	for _, n := range all {
		any := false
		for p, s := range n.points {
			if p.Config == c && s.Valid > 0 && !p.Offered.IsMax() {
				count[p.Offered]++
				any = true
			}
		}
		if any {
			nights++
		}
	}
	if count[compareAt] > 0 {
		return compareAt
	}
	highest := units.Rate(0)
	for r, n := range count {
		if n == nights {
			highest = max(highest, r)
		}
	}
	return highest
}

// values is how many nights have one.
func (s *TrendSeries) values() int {
	n := 0
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// neverThere reports whether no night was meant to have a value.
func (s *TrendSeries) neverThere() bool {
	return !slices.ContainsFunc(s.NA, func(why string) bool { return why != notMeasured })
}

// find finds the change points, over the nights that have a value.
func (s *TrendSeries) find() {
	var xs []float64
	var nights []int
	for i, v := range s.Values {
		if !math.IsNaN(v) {
			xs, nights = append(xs, v), append(nights, i)
		}
	}
	for _, p := range stat.ChangePoints(xs, s.Metric.small) {
		last := nights[p.Index-1]
		p.Index = nights[p.Index]
		s.Points = append(s.Points, TrendPoint{p, last, p.After.Mean > p.Before.Mean == s.Metric.UpIsBad})
	}
}

// Level is the present level: the values since the last change point.
func (s *TrendSeries) Level() stat.Summary {
	from := 0
	if n := len(s.Points); n > 0 {
		from = s.Points[n-1].Index
	}
	return stat.Summarize(slices.DeleteFunc(slices.Clone(s.Values[from:]), math.IsNaN))
}

// Newest is the last value, and the night it is of; ok is false if there is none.
func (s *TrendSeries) Newest() (v float64, night int, ok bool) {
	for i := range slices.Backward(s.Values) {
		if !math.IsNaN(s.Values[i]) {
			return s.Values[i], i, true
		}
	}
	return 0, 0, false
}
