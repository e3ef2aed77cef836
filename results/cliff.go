package results

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"hdbench/results/stat"
)

// A rung is one load of a configuration with the values of its runs.
type rung struct {
	load   float64 // mean delivered rate, bit/s
	point  *PointStats
	values []float64
}

// A rise is how much a level must go up to be another, given the level before.
type rise func(flat float64) float64

// The rises. A rate that doubles from next to nothing is still next to nothing, so
// shares of one must rise by two points too.
var (
	shareRise = func(flat float64) float64 { return max(0.02, flat/2) }
	costRise  = func(flat float64) float64 { return flat / 5 }
)

// Cliff is where a quantity leaves its flat part as the delivered rate rises.
// Loads are delivered rates in bit/s.
type Cliff struct {
	From, To float64      // the last load of the flat part, and the first above it
	Lo, Hi   float64      // 95 % interval of the place; NaN where it was not tested
	Flat     stat.Summary // over the runs of the flat part
	After    stat.Summary // over the runs at To
	Loads    int          // of the flat part; with one, where it begins is not seen
	P        float64      // of the first load above, times the places where it could have been; NaN: not tested
}

// findCliff finds the first load at which a quantity has left its flat part: whose
// level is above that of all loads below it together, by more than small noise and
// by as much as up says, and above which no load falls back.
//
// What small noise is, the runs of the loads up to there say (pooled within loads, so
// that the rise is no noise; not of those above, which are noisier after a cliff): a
// one-sided t-test of the load against all below it, the p-value multiplied by the number of loads where it could have been. With single runs
// nothing can be tested; From and To then say what there is, P is NaN.
//
// The interval goes from the last load up to which a rise of that much can be
// excluded (one-sided, 97.5 %) to the first at which it is shown.
//
// ok is false where the quantity does not leave its flat part.
func findCliff(rs []rung, up rise) (c Cliff, ok bool) {
	_, tested := pooled(rs)
	lo := -1 // the last load up to which a rise is excluded
	for j := 1; j < len(rs); j++ {
		noise, df := pooled(rs[:j+1])
		flat := stat.Summarize(valuesOf(rs[:j]))
		here := stat.Summarize(rs[j].values)
		higher := here.Mean - flat.Mean
		se := noise * math.Sqrt(1/float64(here.N)+1/float64(flat.N))
		if lo < 0 && df > 0 && higher+stat.TQuantile(df)*se >= up(flat.Mean) {
			lo = j - 1
		}
		if higher < up(flat.Mean) || fallsBack(rs[j+1:], flat.Mean+up(flat.Mean)) {
			continue
		}
		c = Cliff{
			From: rs[j-1].load, To: rs[j].load, Lo: math.NaN(), Hi: math.NaN(),
			Flat: flat, After: here, Loads: j, P: math.NaN(),
		}
		if tested == 0 {
			return c, true
		}
		c.P = oneSidedP(higher, se, df) * float64(len(rs)-1)
		if !(c.P < stat.ChangeAlpha) {
			continue
		}
		c.Lo, c.Hi = rs[lo].load, c.To
		return c, true
	}
	return Cliff{}, false
}

// oneSidedP is the p-value of Student's t-test for "not higher"; 1 where nothing
// says what the noise is.
func oneSidedP(higher, se, df float64) float64 {
	switch {
	case df == 0:
		return 1
	case se == 0:
		return 0 // higher, and no noise
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Survival(higher / se)
}

// pooled is the standard deviation of runs about their own load's mean, and its
// degrees of freedom.
func pooled(rs []rung) (sd, df float64) {
	sum := 0.0
	for _, r := range rs {
		if s := stat.Summarize(r.values); s.N > 1 {
			sum += float64(s.N-1) * stat.Square(s.SD)
			df += float64(s.N - 1)
		}
	}
	if df == 0 {
		return math.NaN(), 0
	}
	return math.Sqrt(sum / df), df
}

func valuesOf(rs []rung) []float64 {
	var all []float64
	for _, r := range rs {
		all = append(all, r.values...)
	}
	return all
}

// fallsBack is whether a load further up is below a level.
func fallsBack(rs []rung, level float64) bool {
	return slices.ContainsFunc(rs, func(r rung) bool { return stat.Summarize(r.values).Mean < level })
}

// rungsOf are the loads of one configuration's points, in the order of their
// offered rates, up to the one that delivers most: beyond it the delivered rate
// does not rise, and is no measure of load. A point without a valid run, or without
// a value, is none.
func rungsOf(points []*PointStats, runs map[Point][]*Trial, e *evidence) []rung {
	var rs []rung
	for _, p := range points {
		if p.Valid == 0 {
			continue
		}
		r := rung{load: p.DeliveredBps.Mean, point: p}
		for _, t := range runs[p.Point] {
			if v := e.of(t); t.Counts() && t.Trusts(e.quantity) && !math.IsNaN(v) {
				r.values = append(r.values, v)
			}
		}
		if len(r.values) > 0 && (len(rs) == 0 || r.load > rs[len(rs)-1].load) {
			rs = append(rs, r)
		}
	}
	return rs
}

// evidence is a quantity that is looked at over the load.
type evidence struct {
	key  string // in JSON
	name string
	unit string
	up   rise
	// quantity is what a trial must be trusted with.
	quantity Quantity
	of       func(*Trial) float64 // NaN: it has none
	print    func(float64) string
}

// llcEvidence shows a cache cliff; the software's shows that something
// costs more, whatever it is.
var (
	llcEvidence = evidence{"llc_miss_share", "LLC miss rate", "%", shareRise, Cost, func(t *Trial) float64 {
		if vs := t.counterValues(); vs != nil && vs[llcMiss].na == "" {
			return vs[llcMiss].value
		}
		return math.NaN()
	}, percent}
	softEvidence = []evidence{
		{"relay_cpu_seconds_per_gbit", "relay CPU time", "CPU-s/Gbit", costRise, Cost, func(t *Trial) float64 { _, g := t.relayCost(); return g }, number},
		{"interval_cv", "interval CV", "%", shareRise, Throughput, func(t *Trial) float64 { return stat.IntervalCV(t.Load.IntervalDeliveredBps) }, percent},
	}
)

// CliffResult is what was looked for in one configuration, and found.
type CliffResult struct {
	Config   Config
	evidence *evidence
	rungs    []rung
	Cliff    Cliff
	Found    bool
	NA       string // why it was not looked for
}

// Cliffs looks for the cliff of the LLC miss rate in every configuration that has
// trials, and where no run has that rate, in the software's evidence instead.
func Cliffs(points []*PointStats, trials []*Trial) []CliffResult {
	runs := map[Point][]*Trial{}
	for _, t := range trials {
		if t.Kind == KindTrial && t.OK() {
			runs[t.Point] = append(runs[t.Point], t)
		}
	}
	var out []CliffResult
	for len(points) > 0 {
		n := 1
		for n < len(points) && points[n].Point.Config == points[0].Point.Config {
			n++
		}
		of := points[:n]
		points = points[n:]
		llc := look(of, runs, &llcEvidence)
		out = append(out, llc)
		if len(llc.rungs) > 0 {
			continue
		}
		for i := range softEvidence {
			out = append(out, look(of, runs, &softEvidence[i]))
		}
	}
	return out
}

func look(points []*PointStats, runs map[Point][]*Trial, e *evidence) CliffResult {
	r := CliffResult{Config: points[0].Point.Config, evidence: e, rungs: rungsOf(points, runs, e)}
	if len(r.rungs) < 2 {
		r.NA = whyNoRungs(points, e, len(r.rungs))
		return r
	}
	r.Cliff, r.Found = findCliff(r.rungs, e.up)
	return r
}

func whyNoRungs(points []*PointStats, e *evidence, n int) string {
	for _, p := range points {
		switch {
		case p.NA != "":
			return p.NA
		case e != &llcEvidence || n > 0 || p.DeliveredBps.N == 0:
		case p.Counters.N == 0:
			return "the records hold no counters"
		case p.Counters.NA[llcMiss] != "":
			return p.Counters.NA[llcMiss]
		}
	}
	return "it takes two loads with valid runs at least"
}
