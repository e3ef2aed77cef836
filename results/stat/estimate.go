package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is a value with a 95 % interval that need not lie evenly about it; Lo and
// Hi are NaN where there are too few runs for one.
type Estimate struct {
	Value, Lo, Hi float64
	N             int // runs it stands on
}

// Half is half the width of the interval.
func (e Estimate) Half() float64 { return (e.Hi - e.Lo) / 2 }

// TooWide is how wide, as a share of the value to each side, an interval may be for
// a value to be printed as one.
const TooWide = 0.5

// TooNoisy reports whether there is an interval so wide that the value says little.
func (e Estimate) TooNoisy() bool { return e.Half() > TooWide*e.Value }

// Highest estimates the highest of several means, of which which one it is must be
// found out from the same runs. rates[r][run] is a value, NaN where there is none.
//
// The highest of the sample means is too high, the more so the noisier they are and
// the closer they lie (the winner's curse). What the choice adds is worked out and
// taken off: see candidates.choice. The interval allows for the choice too: its lower
// end is the highest of the candidates' lower ends, corrected for their number
// (Bonferroni), its upper end the highest of their upper ends. What one candidate
// alone assures, the lower end, is never taken off. Bias and coverage are simulated in
// estimate_test.go.
func Highest(rates [][]float64) Estimate {
	e := Estimate{math.NaN(), math.NaN(), math.NaN(), 0}
	of, best := summaries(rates)
	if best < 0 {
		return e
	}
	e.Value, e.N = of[best].Mean, of[best].N
	c := candidatesFor(of, of[best])
	if len(c.of) == 0 { // of single runs there is nothing to choose by
		return e
	}
	e.Lo, e.Hi = c.interval()
	e.Value = max(e.Value-c.choice(), e.Lo)
	e.Hi = max(e.Hi, e.Value)
	return e
}

// Undecided are the rates that need more values before the highest is known: each that
// may be it, where its interval reaches further than that share of it to each side.
// What decides is how much values differ, never which way.
func Undecided(rates [][]float64, share float64) []int {
	if e := Highest(rates); !(e.Half() > share*e.Value) {
		return nil
	}
	var may []int
	of, best := summaries(rates)
	for r, s := range of {
		if r == best || contends(s, of[best]) {
			may = append(may, r)
		}
	}
	return may
}

// summaries are what each rate has delivered, and which has the highest mean; -1 if
// there is none.
func summaries(rates [][]float64) (of []Summary, best int) {
	of, best = make([]Summary, len(rates)), -1
	for r, values := range rates {
		of[r] = Summarize(numbers(values))
		if of[r].N > 0 && (best < 0 || of[r].Mean > of[best].Mean) {
			best = r
		}
	}
	return of, best
}

// near is how close to the best mean another is always a candidate.
const near = 0.9

// contends reports whether a rate's mean may be as high as the best's.
func contends(s, best Summary) bool {
	if s.N < 2 || !(s.Mean > 0) {
		return false
	}
	se := math.Hypot(s.SD/math.Sqrt(float64(s.N)), best.SD/math.Sqrt(float64(best.N)))
	behind := best.Mean - s.Mean
	return behind <= (1-near)*best.Mean || behind <= tAt(0.975, float64(s.N+max(best.N, 2)-2))*se
}

// candidates are the rates that may be the highest.
type candidates struct {
	of     []Summary
	se, df []float64 // standard error and degrees of freedom of each one's mean
}

// candidatesFor are those that may be as high as the best. Their spread is pooled, as
// a share of the mean, unless they differ too much in it: one that is steady is not to
// pay for another that is not.
func candidatesFor(of []Summary, best Summary) candidates {
	var c candidates
	df, variance := 0.0, 0.0
	for _, s := range of {
		if !contends(s, best) {
			continue
		}
		c.of = append(c.of, s)
		df += float64(s.N - 1)
		variance += float64(s.N-1) * Square(s.CV)
	}
	pool, cv := alike(c.of), math.Sqrt(variance/df)
	for _, s := range c.of {
		if pool {
			c.se, c.df = append(c.se, s.Mean*cv/math.Sqrt(float64(s.N))), append(c.df, df)
		} else {
			c.se, c.df = append(c.se, s.SD/math.Sqrt(float64(s.N))), append(c.df, float64(s.N-1))
		}
	}
	return c
}

// interval is the interval of the highest mean.
func (c candidates) interval() (lo, hi float64) {
	const tail = (1 - Confidence) / 2
	var low, high float64
	for i, s := range c.of {
		if i == 0 || c.df[i] != c.df[i-1] {
			low, high = tAt(1-tail/float64(len(c.of)), c.df[i]), tAt(1-tail, c.df[i])
		}
		lo, hi = max(lo, s.Mean-low*c.se[i]), max(hi, s.Mean+high*c.se[i])
	}
	return lo, hi
}

// choice is by how much the highest of the candidates' sample means is expected to be
// above the highest of their means. It depends on how far the means lie apart, of
// which the sample means tell too much: they are first drawn together by as much as
// chance has driven them apart (James and Stein's estimate, its positive part, about
// the mean that weighs each by its precision).
func (c candidates) choice() float64 {
	if len(c.of) < 2 || slices.Min(c.se) == 0 { // without any spread nothing is left to chance
		return 0
	}
	weight, about := 0.0, 0.0
	for i, s := range c.of {
		w := 1 / Square(c.se[i])
		weight, about = weight+w, about+w*s.Mean
	}
	about /= weight
	distance := 0.0 // sum of squares, of standard errors: about one less than their number by chance
	for i, s := range c.of {
		distance += Square((s.Mean - about) / c.se[i])
	}
	keep := 0.0
	if chance := float64(len(c.of) - 1); distance > chance {
		keep = 1 - chance/distance
	}
	means := make([]float64, len(c.of))
	for i, s := range c.of {
		means[i] = about + keep*(s.Mean-about)
	}
	top := slices.Max(means)
	if more := expectedHighest(means, c.se) - top; more > top*1e-6 {
		return more
	}
	return 0 // the highest stands clear of the others: what is left is the sum's own error
}

// expectedHighest is the mean of the highest of normal variables that do not depend
// on each other: the integral of the probability that one of them is above x.
func expectedHighest(means, sd []float64) float64 {
	const far, steps = 6, 400 // in standard deviations
	from, to := slices.Max(means), math.Inf(-1)
	for i := range means {
		from, to = min(from, means[i]-far*sd[i]), max(to, means[i]+far*sd[i])
	}
	step := (to - from) / steps
	sum := from
	for k := range steps {
		below := 1.0
		for i := range means {
			below *= distuv.Normal{Mu: means[i], Sigma: sd[i]}.CDF(from + (float64(k)+0.5)*step)
		}
		sum += (1 - below) * step
	}
	return sum
}

// apart is how many times the variance of another a candidate's may be for their
// spreads to be pooled: about what Hartley's Fmax test allows three of four runs.
const apart = 30

// alike reports whether the candidates' spreads can be one.
func alike(candidates []Summary) bool {
	least, most := math.Inf(1), 0.0
	for _, s := range candidates {
		least, most = min(least, Square(s.CV)), max(most, Square(s.CV))
	}
	return most <= apart*least
}

func tAt(p, df float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}

// numbers are the values that are numbers.
func numbers(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}

// RatioOfEstimates is a/b. The interval recovers the variances of the logarithms
// from both intervals (MOVER: Zou and Donner 2008), so that neither need be even.
func RatioOfEstimates(a, b Estimate) Ratio {
	r := Ratio{Value: a.Value / b.Value, Lo: math.NaN(), Hi: math.NaN()}
	if !(a.Lo > 0) || !(b.Lo > 0) {
		if a.Hi > 0 && b.Hi > 0 { // an interval that reaches down to nothing
			r.Lo, r.Hi = 0, math.Inf(1)
		}
		return r
	}
	log := math.Log
	down := math.Hypot(log(a.Value/a.Lo), log(b.Hi/b.Value))
	up := math.Hypot(log(a.Hi/a.Value), log(b.Value/b.Lo))
	r.Lo, r.Hi = r.Value*math.Exp(-down), r.Value*math.Exp(up)
	return r
}

// EstimateOf is a mean with its interval, which lies evenly about it.
func EstimateOf(s Summary) Estimate {
	return Estimate{s.Mean, s.Mean - s.Half, s.Mean + s.Half, s.N}
}
