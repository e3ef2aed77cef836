package stat

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// ChangePoint is where the level of a series changes.
type ChangePoint struct {
	Index         int     // of the first value of the new level
	Before, After Summary // from the change point before, and to the next
	P             float64 // adjusted for all cuts that were looked at
}

const (
	// ChangeAlpha is the level a change point must reach, Hunter's too. It is about
	// the chance that a series without any has one, and a page has many series.
	ChangeAlpha = 0.001
	// MinLevel is how many values make a level: with fewer there is no telling a
	// change from an outlier.
	MinLevel = 3
)

// ChangePoints finds where the level of a series changes, by E-divisive means
// (Matteson and James 2014): the series is cut where the energy distance of the two
// sides is greatest, and each side again. Whether a cut stands is decided, as Hunter
// (Fleming et al. 2023, now Apache Otava) does, by Student's t-test and not by
// permutations, so that the same series has the same points; the p-value is
// multiplied by what cutTests says. A change that is too small, as small has it, is
// none.
func ChangePoints(xs []float64, small func(before, after float64) bool) []ChangePoint {
	return changePoints(xs, ChangeAlpha, small)
}

func changePoints(xs []float64, alpha float64, small func(before, after float64) bool) []ChangePoint {
	d := newDivisive(xs, alpha)
	cuts := d.split(0, len(xs))
	slices.Sort(cuts)
	for {
		points := d.levels(cuts)
		worst := -1
		for i, p := range points {
			if p.P < alpha && !small(p.Before.Mean, p.After.Mean) {
				continue
			}
			if worst < 0 || cmp.Compare(p.P, points[worst].P) > 0 {
				worst = i
			}
		}
		if worst < 0 {
			return points
		}
		cuts = slices.Delete(cuts, worst, worst+1)
	}
}

// divisive is a series with the sums of the distances of its values.
type divisive struct {
	xs    []float64
	alpha float64 // the level that a cut must reach
	// sum[i][j] is the sum of |xs[k]-xs[l]| over k < i and l < j.
	sum [][]float64
}

func newDivisive(xs []float64, alpha float64) *divisive {
	n := len(xs)
	d := &divisive{xs: xs, alpha: alpha, sum: make([][]float64, n+1)}
	d.sum[0] = make([]float64, n+1)
	for i := range n {
		d.sum[i+1] = make([]float64, n+1)
		row := 0.0
		for j := range n {
			row += math.Abs(xs[i] - xs[j])
			d.sum[i+1][j+1] = d.sum[i][j+1] + row
		}
	}
	return d
}

// between is the sum of the distances from the values a to b to those from c to e.
func (d *divisive) between(a, b, c, e int) float64 {
	return d.sum[b][e] - d.sum[a][e] - d.sum[b][c] + d.sum[a][c]
}

// energy is the sample energy distance of a to t from t to e, scaled by the sizes
// as in the paper.
func (d *divisive) energy(a, t, e int) float64 {
	m, n := float64(t-a), float64(e-t)
	distance := 2/(m*n)*d.between(a, t, t, e) - d.between(a, t, a, t)/(m*(m-1)) - d.between(t, e, t, e)/(n*(n-1))
	return m * n / (m + n) * distance
}

// split cuts a to b, and the parts again, as long as cuts stand.
func (d *divisive) split(a, b int) []int {
	best, at, to := math.Inf(-1), -1, b
	for t := a + MinLevel; t <= b-MinLevel; t++ {
		for e := t + MinLevel; e <= b; e++ {
			if q := d.energy(a, t, e); q > best {
				best, at, to = q, t, e
			}
		}
	}
	if at < 0 {
		return nil
	}
	if studentP(Summarize(d.xs[a:at]), Summarize(d.xs[at:to]))*cutTests(b-a, to == b) >= d.alpha {
		return nil
	}
	return append(append(d.split(a, at), at), d.split(at, b)...)
}

// cutTests is what the p-value of a cut is multiplied by, for n values were searched
// for the best of all cuts: a place, and an end of the new level. Half of what may
// go wrong is given to the cuts whose new level lasts to the last value, half to the
// many others (Bonferroni's correction with weights): what is new in a series is
// such a cut, and would be drowned by the others. The reciprocals of all add up to 1.
func cutTests(n int, toTheEnd bool) float64 {
	places := float64(n - 2*MinLevel + 1)
	others := places * (places - 1) / 2
	switch {
	case others == 0:
		return places
	case toTheEnd:
		return 2 * places
	default:
		return 2 * others
	}
}

// levels are the change points that cuts make.
func (d *divisive) levels(cuts []int) []ChangePoint {
	points := make([]ChangePoint, len(cuts))
	for i, cut := range cuts {
		from, to := 0, len(d.xs)
		if i > 0 {
			from = cuts[i-1]
		}
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		p := ChangePoint{Index: cut, Before: Summarize(d.xs[from:cut]), After: Summarize(d.xs[cut:to])}
		p.P = min(1, studentP(p.Before, p.After)*cutTests(to-from, true))
		points[i] = p
	}
	return points
}

// studentP is the two-sided p-value of Student's t-test for equal means, with the
// variances pooled: the noise is the machine's, before and after.
func studentP(a, b Summary) float64 {
	df := float64(a.N + b.N - 2)
	pooled := (float64(a.N-1)*Square(a.SD) + float64(b.N-1)*Square(b.SD)) / df
	difference := math.Abs(a.Mean - b.Mean)
	if pooled == 0 {
		if difference == 0 {
			return 1
		}
		return 0
	}
	t := difference / math.Sqrt(pooled*(1/float64(a.N)+1/float64(b.N)))
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Survival(t)
}
