package results

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

// tooWide is how wide, as a share of the value to each side, an interval may be for
// a value to be printed as one.
const tooWide = 0.5

// TooNoisy reports whether there is an interval so wide that the value says little.
func (e Estimate) TooNoisy() bool { return e.Half() > tooWide*e.Value }

// highest estimates the highest of several means, of which which one it is must be
// found out from the same runs. rates[r][run] is a value, NaN where there is none.
//
// The highest of the sample means is too high, the more so the noisier they are (the
// winner's curse). So the value is cross-validated: each run's value is taken at the
// rate that all other runs together find the highest. The interval allows for the
// choice: its lower end is the highest of the candidates' lower ends, corrected for
// their number (Bonferroni), its upper end the highest of their upper ends. Their
// spread is pooled, as a share of the mean, unless they differ too much in it. Bias and coverage are simulated in
// estimate_test.go.
func highest(rates [][]float64) Estimate {
	nan := math.NaN()
	runs := 0
	for _, r := range rates {
		runs = max(runs, len(r))
	}
	e := Estimate{nan, nan, nan, 0}
	var chosen []float64
	for run := range runs {
		best, top := -1, math.Inf(-1)
		for r, values := range rates {
			others := slices.Clone(values)
			if run < len(others) {
				others[run] = nan
			}
			if s := Summarize(numbers(others)); s.N > 0 && s.Mean > top {
				best, top = r, s.Mean
			}
		}
		if best >= 0 && run < len(rates[best]) && !math.IsNaN(rates[best][run]) {
			chosen = append(chosen, rates[best][run])
		}
	}
	of := make([]Summary, len(rates))
	best := -1
	for r, values := range rates {
		of[r] = Summarize(numbers(values))
		if of[r].N > 0 && (best < 0 || of[r].Mean > of[best].Mean) {
			best = r
		}
	}
	if best < 0 {
		return e
	}
	e.N = of[best].N
	e.Value = of[best].Mean // of single runs there is nothing to choose by
	if len(chosen) > 0 && e.N > 1 {
		e.Value = Summarize(chosen).Mean
	}
	e.Lo, e.Hi = highestInterval(of, of[best])
	if e.Lo > e.Value { // the choice is uncertain by less than its correction
		e.Lo = e.Value
	}
	if e.Hi < e.Value {
		e.Hi = e.Value
	}
	return e
}

// near is how close to the best mean another is always a candidate.
const near = 0.9

// highestInterval is the interval of the highest mean.
func highestInterval(of []Summary, best Summary) (lo, hi float64) {
	var candidates []Summary
	df, variance := 0.0, 0.0
	for _, s := range of {
		if s.N < 2 || !(s.Mean > 0) {
			continue
		}
		se := math.Hypot(s.SD/math.Sqrt(float64(s.N)), best.SD/math.Sqrt(float64(best.N)))
		behind := best.Mean - s.Mean
		if behind > (1-near)*best.Mean && !(behind <= tAt(0.975, float64(s.N+max(best.N, 2)-2))*se) {
			continue
		}
		candidates = append(candidates, s)
		df += float64(s.N - 1)
		variance += float64(s.N-1) * square(s.CV)
	}
	if df == 0 {
		return math.NaN(), math.NaN()
	}
	lo, hi = math.Inf(-1), math.Inf(-1)
	cv := math.Sqrt(variance / df)
	const tail = (1 - Confidence) / 2
	low, high := tAt(1-tail/float64(len(candidates)), df), tAt(1-tail, df)
	for _, s := range candidates {
		low, high, se := low, high, s.Mean*cv/math.Sqrt(float64(s.N))
		if !alike(candidates) { // one that is steady is not to pay for another that is not
			own := float64(s.N - 1)
			low, high, se = tAt(1-tail/float64(len(candidates)), own), tAt(1-tail, own), s.SD/math.Sqrt(float64(s.N))
		}
		lo, hi = max(lo, s.Mean-low*se), max(hi, s.Mean+high*se)
	}
	return max(lo, 0), hi
}

// apart is how many times the variance of another a candidate's may be for their
// spreads to be pooled: about what Hartley's Fmax test allows three of four runs.
const apart = 30

// alike reports whether the candidates' spreads can be one.
func alike(candidates []Summary) bool {
	least, most := math.Inf(1), 0.0
	for _, s := range candidates {
		least, most = min(least, square(s.CV)), max(most, square(s.CV))
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
