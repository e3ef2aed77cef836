package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"hdbench/results/stat"
)

// Bounds of what is said about stability. Every p-value is corrected for the
// number of tests of its kind (Holm), and small effects are not worth a word.
const (
	stabilityAlpha = 0.01
	driftWorth     = 0.01 // of the value, from the first trial of the sweep to the last
	wobbleWorth    = 0.02 // run CV or interval CV
	runsForModes   = 10
	intervalsMin   = 12 // of a run, for modes and periods
)

// Stability says what a mean and its interval hide: that a configuration drifted
// over the sweep, that a point has two levels, that its rate oscillates.
func Stability(points []*PointStats, trials []*Trial) []string {
	by := map[Point][]*Trial{}
	for _, t := range trials {
		if t.Kind == KindTrial && t.Trusts(Throughput) {
			by[t.Point] = append(by[t.Point], t)
		}
	}
	for _, ts := range by {
		slices.SortFunc(ts, func(a, b *Trial) int { return cmp.Compare(a.Order, b.Order) })
	}
	names := namesOf(points)
	notes := driftNotes(points, by, names)
	return append(notes, wobbleNotes(points, by, names)...)
}

// driftNotes tests every configuration for a trend over the sweep's order.
func driftNotes(points []*PointStats, by map[Point][]*Trial, names map[Config]string) []string {
	var texts []string
	var ps []float64
	for i := 0; i < len(points); {
		c := points[i].Point.Config
		var groups [][]*Trial
		for ; i < len(points) && points[i].Point.Config == c; i++ {
			groups = append(groups, by[points[i].Point])
		}
		for _, m := range Metrics() {
			if m.Name != "delivered" && m.Name != "cpu" {
				continue
			}
			drift, p := trend(groups, m.value)
			if math.IsNaN(p) {
				continue
			}
			ps = append(ps, p)
			text := ""
			if math.Abs(drift) >= driftWorth {
				text = fmt.Sprintf("Drift: %s of %s changed by %s %% from the sweep's begin to its end (seasonal Kendall test", m.Head, names[c], signed(100*drift))
			}
			texts = append(texts, text)
		}
	}
	var notes []string
	for i, p := range stat.Holm(ps) {
		if p <= stabilityAlpha && texts[i] != "" {
			notes = append(notes, fmt.Sprintf("%s, p %s); its means are of a moving target.", texts[i], pText(p)))
		}
	}
	return notes
}

// trend is the seasonal Kendall test (Hirsch, Slack & Smith 1982), the points in
// the part of the seasons: do the later runs of the points tend to have larger
// values than the earlier ones? drift is the median slope within the points, as a
// share, times the length of the sweep.
func trend(groups [][]*Trial, value func(*Trial) float64) (drift, p float64) {
	var s, variance float64
	var slopes []float64
	first, last := math.MaxInt, 0
	for _, ts := range groups {
		var v, at []float64
		for _, t := range ts {
			if x := value(t); x > 0 {
				v, at = append(v, x), append(at, float64(t.Order))
				first, last = min(first, t.Order), max(last, t.Order)
			}
		}
		ties := map[float64]int{}
		for i := range v {
			ties[v[i]]++
			for j := range i {
				s += float64(cmp.Compare(v[i], v[j]))
				if at[i] > at[j] {
					slopes = append(slopes, math.Log(v[i]/v[j])/(at[i]-at[j]))
				}
			}
		}
		kendall := func(n int) float64 { return float64(n*(n-1)*(2*n+5)) / 18 }
		variance += kendall(len(v))
		for _, n := range ties {
			variance -= kendall(n)
		}
	}
	if len(slopes) < 15 || variance <= 0 { // as many as six runs of one point have
		return math.NaN(), math.NaN()
	}
	z := max(0, math.Abs(s)-1) / math.Sqrt(variance)
	return math.Expm1(stat.Median(slopes) * float64(last-first)), 2 * distuv.UnitNormal.Survival(z)
}

// wobbleNotes tests every point for two levels and for oscillation.
func wobbleNotes(points []*PointStats, by map[Point][]*Trial, names map[Config]string) []string {
	var dips stat.DipTest
	var notes []string
	tests := max(1, len(points))
	for _, p := range points {
		ts := by[p.Point]
		where := fmt.Sprintf("%s at %v", names[p.Point.Config], p.Point.Offered)
		var delivered, periods []float64
		levels, waves, tested := 0, 0, 0
		for _, t := range ts {
			delivered = append(delivered, t.Load.DeliveredBps)
			v := t.Load.IntervalDeliveredBps
			if len(v) < intervalsMin {
				continue
			}
			tested++
			if !(stat.IntervalCV(v) >= wobbleWorth) {
				continue
			}
			if dips.P(v) <= stabilityAlpha {
				levels++
			}
			if lag, sure := stat.Period(v, stabilityAlpha); sure {
				waves++
				periods = append(periods, float64(lag)*float64(t.Load.IntervalNS))
			}
		}
		if len(delivered) >= runsForModes && p.DeliveredBps.CV >= wobbleWorth {
			if pd := dips.P(delivered); pd*float64(tests) <= stabilityAlpha {
				notes = append(notes, fmt.Sprintf("Two levels: the runs of %s fall into two groups (Hartigan's dip, p %s); their mean is of neither.", where, pText(pd)))
			}
		}
		switch {
		case tested < 2:
		case 2*waves > tested:
			notes = append(notes, fmt.Sprintf("Oscillation: the rate of %s swings with a period of about %v (autocorrelation, %d of %s), interval CV %s %%.",
				where, time.Duration(stat.Median(periods)).Round(time.Millisecond), waves, plural(tested, "run"), percent(p.IntervalCV)))
		case 2*levels > tested:
			notes = append(notes, fmt.Sprintf("Two levels: the 100 ms intervals of %s jump between two rates (Hartigan's dip, %d of %s), interval CV %s %%.",
				where, levels, plural(tested, "run"), percent(p.IntervalCV)))
		}
	}
	return notes
}
