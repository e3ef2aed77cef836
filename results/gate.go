package results

import (
	"fmt"
	"slices"

	"hdbench/results/stat"
)

// Outcome is what a comparison comes to; its number is the exit code.
type Outcome int

// The outcomes.
const (
	NoRegression  Outcome = 0
	Regression    Outcome = 1
	NotComparable Outcome = 3
	TooFew        Outcome = 4 // too few trials, or invalid ones, to say
)

// String is the outcome in words.
func (o Outcome) String() string {
	return map[Outcome]string{
		NoRegression: "no regression", Regression: "regression", NotComparable: "not comparable", TooFew: "too few valid trials",
	}[o]
}

// Verdict is what is thought of one change.
type Verdict string

// The verdicts. Only a regression fails a comparison.
const (
	IsRegression  Verdict = "regression"
	IsImprovement Verdict = "improvement"
	IsBelowFloor  Verdict = "below floor"
	IsBaselines   Verdict = "as the baseline" // which moved as far itself
	IsNoise       Verdict = "noise"           // not significant
)

// Gate is the comparison of a new folder with a base.
type Gate struct {
	Base, New   *Set
	Paired      bool // the two were measured in turn, trial by trial
	Differences []string
	Floors      []Floor
	Moves       []BaselineMove // of the TS baseline between the two: what they excuse
	Changes     []Change       // that were judged, regressions first
	Control     []Change       // of the TS baseline: what the hosts did meanwhile
	Still       int            // metrics of points that never left their floors
	Points      int            // in common, relays under test only
	Judged      int            // of these, the points of which some metric was judged
	Unjudged    []string       // what could not be judged, and why
	Missing     []string       // what has trials enough on one side and not on the other, where it was to be measured too
	Need        int            // runs a side that would have been enough; 0 if they were
	Notes       []string
	Outcome     Outcome

	names  map[Config]string
	judged map[Point]bool
}

// Change is one metric of one point, or the ceiling of one configuration.
type Change struct {
	Point   Point
	Metric  Metric
	Of      string // the metric's head, or ceiling
	Base    stat.Summary
	New     stat.Summary
	Change  stat.Ratio // of the base's value, or a difference
	Floor   float64
	Move    BaselineMove // of the metric; of none, it is zero
	P       float64      // of the test
	Test    Test         // that it is of
	Holm    float64      // adjusted for the number of tests
	Welch   float64      // beside it, for information
	Shift   float64      // of the median, whose sign the rank test speaks of
	Verdict Verdict
}

// overloaded is the loss that every trial of an overloaded point has at least.
// There loss is what the limit leaves of the offered rate, and delivered says it.
const overloaded = 0.01

// Compare judges new against base. Metrics not named in only are left out; none
// named is all of them.
func Compare(base, new *Set, floors []Floor, only []string) (*Gate, error) {
	g := &Gate{Base: base, New: new, Floors: floors, Paired: interleaved(base, new), Differences: Differences(base, new)}
	if len(g.Differences) > 0 {
		g.Outcome = NotComparable
		return g, nil
	}
	g.names = configNames(base, new)
	points := commonPoints(base, new)
	var judged, control []sample
	for _, p := range points {
		if underTest(p.Config) {
			g.Points++
		}
		for _, m := range Metrics() {
			s := newSample(p, m, base, new)
			switch {
			case len(only) > 0 && !slices.Contains(only, m.Name), len(s.base) == 0 || len(s.new) == 0:
			case m.Name == metricLoss && slices.Min(slices.Concat(s.base, s.new)) > overloaded:
			case underTest(p.Config):
				judged = append(judged, s)
			case !g.Paired: // in turn, both sides have the very same trials of it
				control = append(control, s)
			}
		}
	}
	ceilings, err := g.ceilings(points, only)
	if err != nil {
		return nil, err
	}
	g.Control = (&Gate{Floors: floors, names: g.names}).judge(control, nil)
	g.Moves = baselineMoves(g.Control)
	g.Changes = g.judge(judged, ceilings)
	g.missing()
	g.note()
	g.conclude()
	return g, nil
}

// ceilings are samples of the ceilings that the points in common do not show: of
// configurations whose ceilings lie at different offered rates.
func (g *Gate) ceilings(common []Point, only []string) ([]sample, error) {
	delivered := Metrics()[0]
	if len(only) > 0 && !slices.Contains(only, delivered.Name) {
		return nil, nil
	}
	of := map[string]map[Config]Ceiling{}
	for side, set := range map[string]*Set{BuildBase: g.Base, BuildNew: g.New} {
		points, err := Points(set.Trials)
		if err != nil {
			return nil, err
		}
		of[side] = map[Config]Ceiling{}
		for _, c := range Ceilings(points) {
			if c.At != nil && underTest(c.Config) {
				of[side][c.Config] = c
			}
		}
	}
	var ss []sample
	for c, b := range of[BuildBase] {
		n, ok := of[BuildNew][c]
		switch {
		case !ok, slices.Contains(common, b.At.Point) && slices.Contains(common, n.At.Point):
		case n.AtLeast: // it may be higher: nothing can be said against it
			g.Unjudged = append(g.Unjudged, fmt.Sprintf("ceiling of %s: the new build was not brought to its limit", g.names[c]))
		default:
			s := sample{point: b.At.Point, metric: delivered}
			s.base = newSample(b.At.Point, delivered, g.Base, g.Base).base
			s.new = newSample(n.At.Point, delivered, g.New, g.New).base
			ss = append(ss, s)
		}
	}
	slices.SortFunc(ss, func(a, b sample) int { return compareConfig(a.point.Config, b.point.Config) })
	return ss, nil
}

func (g *Gate) move(metric string) BaselineMove {
	for _, m := range g.Moves {
		if m.Metric == metric {
			return m
		}
	}
	return BaselineMove{}
}

func (g *Gate) floor(metric string) float64 {
	for _, f := range g.Floors {
		if f.Metric == metric {
			return f.Value
		}
	}
	return 0
}

// judge tests all samples as one family.
func (g *Gate) judge(samples, ceilings []sample) []Change {
	var moved []sample
	var of []string
	all := slices.Concat(samples, ceilings)
	for i, s := range all {
		if s.leastP() <= stat.Alpha && s.still(g.floor(s.metric.Name)) {
			g.Still++
			g.wasJudged(s.point, i < len(samples))
			continue
		}
		name := s.metric.Head
		if i >= len(samples) {
			name = "ceiling Mbps"
		}
		moved, of = append(moved, s), append(of, name)
	}
	changes, ps := g.test(moved, of)
	for i, p := range stat.Holm(ps) {
		changes[i].Holm = p
		changes[i].decide()
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return rank(a.Verdict) - rank(b.Verdict) })
	return changes
}

// test tests samples of what of says. Those that no test could find anything in are
// left out, and do not count among those that are corrected for.
func (g *Gate) test(moved []sample, of []string) (changes []Change, ps []float64) {
	var testable []int
	for i, s := range moved {
		if s.testable() {
			testable = append(testable, i)
			continue
		}
		g.Need = max(g.Need, stat.RunsNeeded(stat.Alpha, s.paired))
		g.Unjudged = append(g.Unjudged, fmt.Sprintf("%s of %s: %d and %d valid runs", of[i], g.place(s.point), len(s.base), len(s.new)))
	}
	for _, i := range testable {
		s := moved[i]
		g.wasJudged(s.point, of[i] == s.metric.Head)
		c := Change{
			Point: s.point, Metric: s.metric, Of: of[i], Base: stat.Summarize(s.base), New: stat.Summarize(s.new), Change: s.change(),
			Floor: g.floor(s.metric.Name), Move: g.move(s.metric.Name), Welch: s.welch(), Shift: s.shift(),
		}
		c.P, c.Test = s.p(stat.Alpha / float64(len(testable)))
		changes, ps = append(changes, c), append(ps, c.P)
	}
	return changes, ps
}

// wasJudged notes that a metric of a point was judged; of a ceiling it does not, for
// the sides' ceilings are at two points.
func (g *Gate) wasJudged(p Point, atPoint bool) {
	if !atPoint || g.judged[p] {
		return
	}
	if g.judged == nil {
		g.judged = map[Point]bool{}
	}
	g.judged[p] = true
	g.Judged = len(g.judged)
}

func (c *Change) decide() {
	size := c.Change.Value
	switch {
	case c.Holm > stat.Alpha, size*c.Shift < 0: // a few outliers move the mean the other way
		c.Verdict = IsNoise
	case !(size > c.Floor || -size > c.Floor):
		c.Verdict = IsBelowFloor
	case c.Move.covers(size):
		c.Verdict = IsBaselines
	case c.Metric.bad(size):
		c.Verdict = IsRegression
	default:
		c.Verdict = IsImprovement
	}
}

// verdicts are all, in the order of the tables.
var verdicts = []Verdict{IsRegression, IsImprovement, IsBaselines, IsBelowFloor, IsNoise}

func rank(v Verdict) int {
	return slices.Index(verdicts, v)
}

// missing finds points that one side has trials enough of and the other has not,
// though it was to be measured there: what new tried failed or is not valid, or the
// sweep of either was interrupted.
func (g *Gate) missing() {
	why := map[Point]string{}
	for _, t := range g.New.Trials {
		if t.Kind == KindTrial && !t.Trusts(Throughput) {
			switch {
			case t.NA != "":
				why[t.Point] = "n/a: " + t.NA
			case t.Error != "":
				why[t.Point] = "failed: " + firstLine(t.Error)
			default:
				for _, f := range t.Validity {
					if infoOf(f.Code).spoils&Throughput != 0 {
						why[t.Point] = string(f.Code)
					}
				}
			}
		}
	}
	n := g.lacks(side{g.New, "new"}, side{g.Base, "base"}, why)
	if n > 0 && g.New.progress() == nil {
		g.Notes = append(g.Notes, fmt.Sprintf("New has too few trials of %s of base, and what its sweep set out to measure is not known: it may have been interrupted.", plural(n, "point")))
	}
	g.lacks(side{g.Base, "base"}, side{g.New, "new"}, map[Point]string{})
	slices.Sort(g.Missing)
}

// side is one of the two folders.
type side struct {
	*Set
	is string
}

// lacks adds to g.Missing the points of there that here should have too, for the
// reasons in why and what its sweep has left. It returns how many others it has not.
func (g *Gate) lacks(here, there side, why map[Point]string) (others int) {
	if p := here.progress(); p != nil {
		for point, left := range p.left {
			why[point] = fmt.Sprintf("interrupted: %s still to be made", plural(left, "run"))
		}
	}
	need, has := stat.RunsNeeded(stat.Alpha, g.Paired), trustedPoints(here.Set, withThroughput)
	for p, n := range trustedPoints(there.Set, withThroughput) {
		reason, planned := why[p]
		switch {
		case !underTest(p.Config) || n < need || has[p] >= need:
		case planned:
			g.Missing = append(g.Missing, fmt.Sprintf("%s: %s in %s, %d in %s (%s)", g.place(p), plural(n, "valid run"), there.is, has[p], here.is, reason))
		default:
			others++
		}
	}
	return others
}

// note says what a reader should know beside the verdicts.
func (g *Gate) note() {
	for _, c := range g.Control {
		if c.Verdict == IsRegression || c.Verdict == IsImprovement {
			g.Notes = append(g.Notes, fmt.Sprintf("The TS baseline itself changed: %s of %s, %s (p %s). The hosts are not what they were; sweep --interleave holds them still.",
				c.Of, g.place(c.Point), c.Metric.change(c.Change.Value), pText(c.Holm)))
			break
		}
	}
	if a, b := g.Base.Environment.Hdbench, g.New.Environment.Hdbench; a != b && !g.Paired {
		g.Notes = append(g.Notes, fmt.Sprintf("The load generator changed too (hdbench %s, %s); sweep --interleave has one for both.", a, b))
	}
	for _, d := range Drift(g.Base, g.New) {
		g.Notes = append(g.Notes, "The hosts' settings differ, which may matter: "+d+".")
	}
	for i, s := range []*Set{g.Base, g.New} {
		for _, w := range s.Warnings {
			g.Notes = append(g.Notes, []string{"Base: ", "New: "}[i]+w)
		}
	}
}

func (g *Gate) conclude() {
	regressed := slices.ContainsFunc(g.Changes, func(c Change) bool { return c.Verdict == IsRegression })
	nothing := len(g.Changes) == 0 && g.Still == 0
	switch {
	case regressed:
		g.Outcome = Regression
	case len(g.Missing) > 0, nothing, len(g.Changes) == 0 && g.Need > 0:
		g.Outcome = TooFew
		if g.Need == 0 {
			g.Need = stat.RunsNeeded(stat.Alpha, g.Paired)
		}
	default:
		g.Need = 0
	}
}

// place is a point in words.
func (g *Gate) place(p Point) string { return fmt.Sprintf("%s at %v", g.names[p.Config], p.Offered) }

// configNames are the names of all configurations of both folders, with the load
// where there are several.
func configNames(sets ...*Set) map[Config]string {
	var cs []Config
	var loads []Shape
	for _, s := range sets {
		for _, t := range s.Trials {
			c := t.Point.Config
			if t.Kind != KindTrial || slices.Contains(cs, c) {
				continue
			}
			cs = append(cs, c)
			if !slices.Contains(loads, c.Load) {
				loads = append(loads, c.Load)
			}
		}
	}
	names := Names(cs)
	if len(loads) > 1 {
		for c := range names {
			names[c] += ", " + c.Load.String()
		}
	}
	return names
}
