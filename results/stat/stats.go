package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is the level of every interval printed.
const Confidence = 0.95

// Summary describes the values of several runs. SD, CV and the interval need two
// values; with fewer they are NaN, which prints as n/a.
type Summary struct {
	N    int
	Mean float64
	SD   float64 // of the sample, n-1
	CV   float64 // SD / mean
	Half float64 // half the width of the 95 % t-interval of the mean
}

// Summarize describes values; of none, all is NaN.
func Summarize(values []float64) Summary {
	nan := math.NaN()
	s := Summary{N: len(values), Mean: nan, SD: nan, CV: nan, Half: nan}
	if s.N == 0 {
		return s
	}
	if s.N == 1 {
		s.Mean = values[0]
		return s
	}
	s.Mean, s.SD = stat.MeanStdDev(values, nil)
	if s.Mean != 0 {
		s.CV = s.SD / math.Abs(s.Mean)
	}
	s.Half = TQuantile(float64(s.N-1)) * stat.StdErr(s.SD, float64(s.N))
	return s
}

// TQuantile is how many standard errors the 95 % interval reaches to each side.
func TQuantile(df float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - (1-Confidence)/2)
}

// Ratio is a quotient of two means with its 95 % interval; Lo and Hi are NaN
// where either has a single run.
type Ratio struct{ Value, Lo, Hi float64 }

// RatioOf is a/b. The interval is by the delta method on the logarithm, with
// Welch's degrees of freedom: the relative errors of the two means add up in
// squares.
func RatioOf(a, b Summary) Ratio {
	r := Ratio{Value: a.Mean / b.Mean, Lo: math.NaN(), Hi: math.NaN()}
	if a.N < 2 || b.N < 2 || !(a.Mean > 0) || !(b.Mean > 0) {
		return r
	}
	va := Square(a.CV) / float64(a.N)
	vb := Square(b.CV) / float64(b.N)
	if va+vb == 0 {
		r.Lo, r.Hi = r.Value, r.Value
		return r
	}
	df := Square(va+vb) / (Square(va)/float64(a.N-1) + Square(vb)/float64(b.N-1))
	half := TQuantile(df) * math.Sqrt(va+vb)
	r.Lo, r.Hi = r.Value*math.Exp(-half), r.Value*math.Exp(half)
	return r
}

func Square(x float64) float64 { return x * x }

// IntervalCV is SD / mean over the intervals of one run; NaN with fewer than two.
func IntervalCV(rates []float64) float64 {
	if len(rates) < 2 {
		return math.NaN()
	}
	mean, sd := stat.MeanStdDev(rates, nil)
	if mean == 0 {
		return math.NaN()
	}
	return sd / mean
}

// Median of the values that are numbers; NaN if there is none.
func Median(values []float64) float64 {
	vs := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(vs) == 0 {
		return math.NaN()
	}
	slices.Sort(vs)
	n := len(vs)
	if n%2 == 1 {
		return vs[n/2]
	}
	return (vs[n/2-1] + vs[n/2]) / 2
}

// Narrow reports whether the 95 % interval of the values' mean reaches at most
// share of the mean to each side.
func Narrow(values []float64, share float64) bool {
	s := Summarize(values)
	return s.N >= 2 && s.Half <= share*math.Abs(s.Mean)
}
