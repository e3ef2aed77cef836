package results

import (
	"cmp"
	"math"
	"slices"

	"hdbench/results/stat"
)

// sample is a metric's values at one point in two folders, of trials that can be
// trusted with it.
// Where the folders were measured in turn, base[i] and new[i] are a pair.
type sample struct {
	point     Point
	metric    Metric
	paired    bool
	base, new []float64
}

// newSample takes a metric's values at a point.
func newSample(p Point, m Metric, base, new *Set) sample {
	s := sample{point: p, metric: m, paired: interleaved(base, new)}
	of := func(set *Set) map[int]float64 {
		values := map[int]float64{}
		for _, t := range set.Trials {
			if t.Kind != KindTrial || t.Point != p || !t.Trusts(m.Quantity) {
				continue
			}
			if v := m.value(t); !math.IsNaN(v) {
				values[t.Run] = v
			}
		}
		return values
	}
	b, n := of(base), of(new)
	s.base, s.new = inOrder(b, n, s.paired), inOrder(n, b, s.paired)
	return s
}

// inOrder are the values by run; of pairs, those that the other has too.
func inOrder(values, other map[int]float64, paired bool) []float64 {
	var runs []int
	for run := range values {
		if _, both := other[run]; both || !paired {
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	out := make([]float64, len(runs))
	for i, run := range runs {
		out[i] = values[run]
	}
	return out
}

// interleaved reports whether two folders are the sides of one sweep.
func interleaved(a, b *Set) bool {
	ia, ib := a.Environment.Interleaved, b.Environment.Interleaved
	return ia != nil && ib != nil && ia.ID == ib.ID && ia.Build != ib.Build
}

// positive reports whether every value is, so that quotients and logarithms are
// defined.
func (s *sample) positive() bool {
	return !slices.ContainsFunc(slices.Concat(s.base, s.new), func(v float64) bool { return !(v > 0) })
}

// change is how the metric moved from base to new, with its 95 % interval: a share
// of the base's value or a difference, as the metric has it.
func (s *sample) change() stat.Ratio {
	switch {
	case len(s.base) == 0 || len(s.new) == 0:
		return stat.Ratio{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	case !s.metric.Relative && s.paired:
		return stat.PairedDifference(s.base, s.new)
	case !s.metric.Relative:
		return stat.Difference(s.base, s.new)
	}
	r := stat.RatioOf(stat.Summarize(s.new), stat.Summarize(s.base))
	if s.paired && s.positive() {
		r = stat.PairedRatio(s.base, s.new)
	}
	return stat.Ratio{Value: r.Value - 1, Lo: r.Lo - 1, Hi: r.Hi - 1}
}

// shift is how the median moved.
func (s *sample) shift() float64 {
	if s.paired {
		return stat.Median(stat.Differences(s.base, s.new))
	}
	return stat.Median(s.new) - stat.Median(s.base)
}

// Test is what a p-value is of.
type Test string

// The tests.
const (
	ByMannWhitney Test = "Mann–Whitney"
	ByWilcoxon    Test = "Wilcoxon's signed ranks"
	ByWelch       Test = "Welch's t"
	ByPairedT     Test = "Student's t of pairs"
)

// testable reports whether there are runs enough for a test: where one of ranks,
// alone, could be significant.
func (s *sample) testable() bool { return s.leastP() <= stat.Alpha }

// p is the p-value of there being no difference, where it is to be alpha for one to
// be significant: by ranks, which suppose no distribution. Where the runs are too few
// for ranks ever to come to alpha it is by Student's t, which supposes a normal one;
// but there only what ranks would have found too, were it the only test, may be
// significant: every run of one side beyond every run of the other.
func (s *sample) p(alpha float64) (float64, Test) {
	ranks, by := stat.MannWhitney(s.base, s.new), ByMannWhitney
	if s.paired {
		ranks, by = stat.SignedRank(s.differences()), ByWilcoxon
	}
	if s.leastP() <= alpha {
		return ranks, by
	}
	t, by := s.welch(), ByWelch
	if s.paired {
		t, by = stat.PairedT(s.differences()), ByPairedT
	}
	if s.apart() {
		return t, by
	}
	return max(t, ranks), by
}

// apart reports whether every run of one side is beyond every run of the other; of
// pairs, whether all moved the same way.
func (s *sample) apart() bool {
	if s.paired {
		d := s.differences()
		return slices.Min(d) > 0 || slices.Max(d) < 0
	}
	return slices.Min(s.base) > slices.Max(s.new) || slices.Max(s.base) < slices.Min(s.new)
}

// differences are those of the pairs: of logarithms, where the metric is relative.
func (s *sample) differences() []float64 {
	if s.metric.Relative && s.positive() {
		return stat.Differences(logs(s.base), logs(s.new))
	}
	return stat.Differences(s.base, s.new)
}

// welch is the p-value if the values were normal.
func (s *sample) welch() float64 { return stat.Welch(s.base, s.new) }

func logs(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = math.Log(v[i])
	}
	return out
}

// leastP is the smallest p-value that these numbers of runs allow.
func (s *sample) leastP() float64 { return stat.LeastP(len(s.base), len(s.new), s.paired) }

// still reports whether the values of both together stay within the floor, so that
// no change could go beyond it whichever trial was whose. This does not look at
// which is which, so leaving such a metric out of the tests costs nothing.
func (s *sample) still(floor float64) bool {
	all := slices.Concat(s.base, s.new)
	least := slices.Min(all)
	width := slices.Max(all) - least
	if !s.metric.Relative {
		return width <= floor
	}
	return least > 0 && width <= floor*least
}

// commonPoints are those that both folders have trials of with anything to trust, in
// order.
func commonPoints(a, b *Set) []Point {
	in := trustedPoints(b, anything)
	var ps []Point
	for p := range trustedPoints(a, anything) {
		if in[p] > 0 {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b Point) int {
		return cmp.Or(compareConfig(a.Config, b.Config), cmp.Compare(a.Offered, b.Offered))
	})
	return ps
}

// anything trusts a trial with one quantity at least.
func anything(t *Trial) bool { return t.Spoiled() != everything }

// withThroughput trusts a trial with its throughput.
func withThroughput(t *Trial) bool { return t.Trusts(Throughput) }

// trustedPoints counts the trials of every point that are trusted.
func trustedPoints(s *Set, trusted func(*Trial) bool) map[Point]int {
	n := map[Point]int{}
	for _, t := range s.Trials {
		if t.Kind == KindTrial && trusted(t) {
			n[t.Point]++
		}
	}
	return n
}
