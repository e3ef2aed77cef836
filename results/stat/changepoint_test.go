package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func anyChange(_, _ float64) bool { return false }

// Steps of five standard deviations are found within one night of where they are,
// one or two in a series, at its ends too.
func TestStepsAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		steps map[int]float64 // index to level from there on, in SDs
	}{
		{"one", 30, map[int]float64{15: -5}},
		{"the newest three", 30, map[int]float64{27: 5}},
		{"the first three", 30, map[int]float64{3: 5}},
		{"up and down again", 40, map[int]float64{12: 6, 25: 0}},
		{"a staircase", 45, map[int]float64{15: 5, 30: 10}},
		{"few nights", 8, map[int]float64{4: 9}},
	} {
		const seeds = 500
		missed := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 5))
			xs, level := make([]float64, c.n), 0.0
			for i := range xs {
				if l, ok := c.steps[i]; ok {
					level = l
				}
				xs[i] = 100 + level + rng.NormFloat64()
			}
			points := ChangePoints(xs, anyChange)
			ok := len(points) == len(c.steps)
			for _, p := range points {
				near := false
				for at := range c.steps {
					near = near || p.Index >= at-1 && p.Index <= at+1
				}
				ok = ok && near && p.P < ChangeAlpha && p.Before.N >= MinLevel && p.After.N >= MinLevel
			}
			if !ok {
				missed++
			}
		}
		t.Logf("%s: %d of %d series wrong", c.name, missed, seeds)
		if missed > seeds/20 {
			t.Errorf("%s: %d of %d series wrong", c.name, missed, seeds)
		}
	}
}

// Noise has no change points, but for about one series in a thousand, which is the
// level they are judged at; of noise with long tails, which a t-test does not
// expect, one in two hundred.
func TestNoiseHasNoChangePoints(t *testing.T) {
	for _, c := range []struct {
		name  string
		noise func(*rand.Rand) float64
		bound float64
	}{
		{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }, 0.002},
		{"exponential", func(r *rand.Rand) float64 { return r.ExpFloat64() }, 0.005},
		{"outliers", func(r *rand.Rand) float64 {
			if r.IntN(10) == 0 {
				return 5 * r.NormFloat64()
			}
			return r.NormFloat64()
		}, 0.005},
	} {
		for _, n := range []int{6, 14, 30, 60} {
			const seeds = 5000
			found := 0
			for seed := range uint64(seeds) {
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				xs := make([]float64, n)
				for i := range xs {
					xs[i] = 100 + c.noise(rng)
				}
				if len(ChangePoints(xs, anyChange)) > 0 {
					found++
				}
			}
			t.Logf("%s, %d nights: %d of %d series have change points", c.name, n, found, seeds)
			if float64(found) > c.bound*seeds {
				t.Errorf("%s, %d nights: %d of %d series have change points, want %.0f at most", c.name, n, found, seeds, c.bound*seeds)
			}
		}
	}
}

// The correction is for every cut that the search looks at: were they independent,
// the chance that any passes would be the level, not more. Cuts to the end have half
// of it between them, however long the series.
func TestTheCorrectionIsForTheWholeSearch(t *testing.T) {
	for _, n := range []int{6, 7, 8, 14, 30, 60, 365} {
		whole, toTheEnd := 0.0, 0.0
		for at := MinLevel; at <= n-MinLevel; at++ {
			for e := at + MinLevel; e <= n; e++ {
				whole += 1 / cutTests(n, e == n)
				if e == n {
					toTheEnd += 1 / cutTests(n, true)
				}
			}
		}
		if math.Abs(whole-1) > 1e-9 || n > 6 && math.Abs(toTheEnd-0.5) > 1e-9 {
			t.Errorf("%d nights: the search is given %.3f of the level, cuts to the end %.3f; want 1 and 0.5", n, whole, toTheEnd)
		}
	}
}

// Of histories without a change at most the level's share has a change point: tried
// at a level so high that 2,000 histories tell.
func TestFalseChangePointsStayUnderTheLevel(t *testing.T) {
	const seeds, level = 2000, 0.05
	for _, n := range []int{6, 8, 14, 30, 60} {
		found := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 100+uint64(n)))
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = 100 + rng.NormFloat64()
			}
			if len(changePoints(xs, level, anyChange)) > 0 {
				found++
			}
		}
		t.Logf("%d nights: %d of %d histories without a change have a change point at level %.2f", n, found, seeds, level)
		if found > level*seeds {
			t.Errorf("%d nights: %d of %d histories have a change point, want %.0f at most", n, found, seeds, level*seeds)
		}
	}
}

// What the correction costs: how large a change must be to be found in nine of ten
// histories of a month.
func TestPowerOfChangePoints(t *testing.T) {
	const seeds, n = 1000, 30
	for _, c := range []struct {
		nights int // of the new level
		size   float64
	}{{15, 2.75}, {7, 3.25}, {3, 5}} {
		found := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 7))
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = 100 + rng.NormFloat64()
				if i >= n-c.nights {
					xs[i] += c.size
				}
			}
			if len(ChangePoints(xs, anyChange)) > 0 {
				found++
			}
		}
		t.Logf("a step of %.2f SDs %d nights ago: found in %d of %d histories", c.size, c.nights, found, seeds)
		if found < seeds*9/10 {
			t.Errorf("a step of %.2f SDs %d nights ago: found in %d of %d histories, want nine in ten", c.size, c.nights, found, seeds)
		}
	}
}

func TestDegenerateSeries(t *testing.T) {
	constant := make([]float64, 20)
	step := make([]float64, 20)
	for i := 10; i < 20; i++ {
		step[i] = 1
	}
	for _, c := range []struct {
		name string
		xs   []float64
		want int
	}{{"none", nil, 0}, {"too few", []float64{1, 1, 1, 9, 9}, 0}, {"constant", constant, 0}, {"an exact step", step, 1}} {
		points := ChangePoints(c.xs, anyChange)
		if len(points) != c.want {
			t.Errorf("%s: %+v", c.name, points)
		}
	}
	if p := ChangePoints(step, anyChange); p[0].Index != 10 || p[0].P != 0 {
		t.Errorf("an exact step: %+v", p)
	}
	if p := ChangePoints(step, func(_, _ float64) bool { return true }); len(p) != 0 {
		t.Errorf("a change below the floor: %+v", p)
	}
}
