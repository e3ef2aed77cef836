package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The numbers of a ratio, checked against R: for a = {8,9,10,11}, b = {4,5,5,6}.
func TestSummaryAndRatio(t *testing.T) {
	a := Summarize([]float64{8, 9, 10, 11})
	b := Summarize([]float64{4, 5, 5, 6})
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-4*math.Abs(want) {
			t.Errorf("%s = %.6f, want %.6f", name, got, want)
		}
	}
	near("mean", a.Mean, 9.5)
	near("sd", a.SD, 1.290994)
	near("cv", a.CV, 0.135894)
	near("half", a.Half, 2.054260) // qt(.975,3)*sd/2
	r := RatioOf(a, b)
	near("ratio", r.Value, 1.9)
	if !(r.Lo < 1.9 && r.Hi > 1.9) || math.Abs(r.Lo*r.Hi-1.9*1.9) > 1e-9 {
		t.Errorf("interval [%v, %v] is not symmetric about 1.9 on the logarithm", r.Lo, r.Hi)
	}
	if one := Summarize([]float64{5}); one.Mean != 5 || !math.IsNaN(one.SD) || !math.IsNaN(one.Half) {
		t.Errorf("one value: %+v", one)
	}
	if none := Summarize(nil); !math.IsNaN(none.Mean) {
		t.Errorf("no value: %+v", none)
	}
	if r := RatioOf(a, Summarize([]float64{5})); !math.IsNaN(r.Lo) || r.Value != 1.9 {
		t.Errorf("a ratio to a single run: %+v", r)
	}
	if r := RatioOf(Summarize([]float64{6, 6}), Summarize([]float64{3, 3})); r.Lo != 2 || r.Hi != 2 {
		t.Errorf("a ratio without noise: %+v", r)
	}
}

// In many repetitions the 95 % interval of a ratio must hold the true ratio about
// 95 times in 100.
func TestRatioCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials = 4000
	hit := 0
	for range trials {
		var a, b []float64
		for range 5 {
			a = append(a, 100*(1+0.05*rng.NormFloat64()))
			b = append(b, 40*(1+0.10*rng.NormFloat64()))
		}
		if r := RatioOf(Summarize(a), Summarize(b)); r.Lo <= 2.5 && 2.5 <= r.Hi {
			hit++
		}
	}
	if share := float64(hit) / trials; share < 0.93 || share > 0.97 {
		t.Errorf("the interval holds the true ratio in %.1f %% of cases", 100*share)
	}
}
