package stat

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"
)

// Alpha is the chance of a false alarm that a whole comparison may have: that
// anything at all is called different where nothing is.
const Alpha = 1 - Confidence

// MannWhitney is the two-sided p-value of the Mann–Whitney U test: are the values
// of a and b from one distribution? It supposes nothing about it.
func MannWhitney(a, b []float64) float64 {
	return pValue(benchmath.AssumeNothing, a, b)
}

// Welch is the two-sided p-value of Welch's t-test, which supposes that the means
// are normal. It is shown beside the rank tests, whose p-values decide.
func Welch(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return math.NaN()
	}
	return pValue(benchmath.AssumeNormal, a, b)
}

// PairedT is the two-sided p-value of Student's t-test that the mean of differences
// is 0, which supposes that it is normal.
func PairedT(differences []float64) float64 {
	s := Summarize(differences)
	switch {
	case s.N < 2:
		return math.NaN()
	case s.SD == 0 && s.Mean == 0:
		return 1
	case s.SD == 0:
		return 0
	}
	t := math.Abs(s.Mean) / stat.StdErr(s.SD, float64(s.N))
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.N - 1)}.Survival(t)
}

func pValue(assume benchmath.Assumption, a, b []float64) float64 {
	sample := func(v []float64) *benchmath.Sample {
		return benchmath.NewSample(slices.Clone(v), &benchmath.DefaultThresholds)
	}
	p := assume.Compare(sample(a), sample(b)).P
	if math.IsNaN(p) {
		return 1 // values without any spread, all equal
	}
	return min(p, 1)
}

// SignedRank is the exact two-sided p-value of Wilcoxon's signed-rank test on the
// differences of pairs: are they as often up as down, small ones and large ones
// alike? Differences of zero keep their ranks and have no sign (Pratt 1959), and
// equal ones share theirs. The distribution is by counting every choice of signs.
func SignedRank(differences []float64) float64 {
	d := slices.Clone(differences)
	slices.SortFunc(d, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	// Ranks are doubled so that shared ones are whole numbers.
	var ranks []int
	up, sum := 0, 0
	for i := 0; i < len(d); {
		j := i
		for j < len(d) && math.Abs(d[j]) == math.Abs(d[i]) {
			j++
		}
		rank := i + j + 1 // twice the mean of the ranks i+1 to j
		for ; i < j; i++ {
			if d[i] == 0 {
				continue
			}
			ranks = append(ranks, rank)
			sum += rank
			if d[i] > 0 {
				up += rank
			}
		}
	}
	if len(ranks) == 0 {
		return 1
	}
	ways := make([]float64, sum+1) // share of the choices of signs that make each sum
	ways[0] = 1
	for _, r := range ranks {
		for s := sum; s >= 0; s-- {
			ways[s] /= 2
			if s >= r {
				ways[s] += ways[s-r] / 2
			}
		}
	}
	tail := 0.0
	for s := 0; s <= min(up, sum-up); s++ {
		tail += ways[s]
	}
	return min(1, 2*tail)
}

// LeastP is the smallest p-value that samples of these sizes can have, paired or
// not: when every value of one lies beyond every value of the other.
func LeastP(n1, n2 int, paired bool) float64 {
	switch {
	case n1 < 1 || n2 < 1:
		return 1
	case paired:
		return math.Min(1, math.Exp2(float64(1-min(n1, n2))))
	}
	return math.Min(1, 2*math.Exp(-combin.LogGeneralizedBinomial(float64(n1+n2), float64(n1))))
}

// RunsNeeded is how many runs of each side a test needs for its p-value to be able
// to fall to alpha.
func RunsNeeded(alpha float64, paired bool) int {
	n := 2
	for LeastP(n, n, paired) > alpha {
		n++
	}
	return n
}

// Holm adjusts p-values for there being several of them (Holm 1979): each that is
// then at most alpha is significant, and the chance of any false one among all is
// at most alpha. The order stays.
func Holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	adjusted := make([]float64, len(ps))
	highest := 0.0
	for k, i := range order {
		highest = max(highest, min(1, float64(len(ps)-k)*ps[i]))
		adjusted[i] = highest
	}
	return adjusted
}

// Difference is mean(b) − mean(a) with its 95 % interval, by Welch; Lo and Hi are
// NaN where either has a single value.
func Difference(a, b []float64) Ratio {
	sa, sb := Summarize(a), Summarize(b)
	r := Ratio{Value: sb.Mean - sa.Mean, Lo: math.NaN(), Hi: math.NaN()}
	if sa.N < 2 || sb.N < 2 {
		return r
	}
	va, vb := Square(sa.SD)/float64(sa.N), Square(sb.SD)/float64(sb.N)
	half := 0.0
	if va+vb > 0 {
		df := Square(va+vb) / (Square(va)/float64(sa.N-1) + Square(vb)/float64(sb.N-1))
		half = TQuantile(df) * math.Sqrt(va+vb)
	}
	r.Lo, r.Hi = r.Value-half, r.Value+half
	return r
}

// PairedRatio is the geometric mean of b/a over pairs, with its 95 % interval:
// what both of a pair have in common cancels. All values must be positive.
func PairedRatio(a, b []float64) Ratio {
	logs := make([]float64, len(a))
	for i := range a {
		logs[i] = math.Log(b[i] / a[i])
	}
	s := Summarize(logs)
	return Ratio{math.Exp(s.Mean), math.Exp(s.Mean - s.Half), math.Exp(s.Mean + s.Half)}
}

// PairedDifference is the mean of b − a over pairs, with its 95 % interval.
func PairedDifference(a, b []float64) Ratio {
	d := Differences(a, b)
	s := Summarize(d)
	return Ratio{s.Mean, s.Mean - s.Half, s.Mean + s.Half}
}

func Differences(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = b[i] - a[i]
	}
	return d
}
