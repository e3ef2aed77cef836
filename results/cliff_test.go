package results

import (
	"math"
	"math/rand/v2"
	"testing"
)

// ladder is a quantity over the published loads and some between, Mbps, with noise
// of a share of each level.
func ladder(rng *rand.Rand, loads []float64, runs int, noise float64, level func(load float64) float64) []rung {
	rs := make([]rung, len(loads))
	for i, l := range loads {
		rs[i].load = l * 1e6
		for range runs {
			rs[i].values = append(rs[i].values, level(l)*(1+noise*rng.NormFloat64()))
		}
	}
	return rs
}

// steps is between which loads a curve really leaves its flat part by what counts:
// the index of the first load above.
func steps(loads []float64, level func(float64) float64, up rise) int {
	for i, l := range loads {
		if level(l) >= level(0)+up(level(0)) {
			return i
		}
	}
	return len(loads)
}

var cliffLoads = []float64{1000, 2000, 2590, 3000, 3478, 4000, 5000, 6500, 8000}

// Curves that leave a flat part as the published one does, at places of their own,
// some in a step, some along a slope or an S: found within one load. The 95 %
// interval holds the place in 95 % of the cases.
func TestSimulatedCliffsAreFoundWithinOneStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	const curves = 1000
	near, held := 0, 0
	for i := range curves {
		at := cliffLoads[2] + rng.Float64()*(cliffLoads[len(cliffLoads)-2]-cliffLoads[2])
		flat, top := 0.01+0.04*rng.Float64(), 0.2+0.3*rng.Float64()
		width := 200 + 2000*rng.Float64()
		level := map[int]func(float64) float64{
			0: func(l float64) float64 { // a step
				if l < at {
					return flat
				}
				return top
			},
			1: func(l float64) float64 { return min(top, flat+(top-flat)*max(0, l-at)/width) },
			2: func(l float64) float64 { return flat + (top-flat)/(1+math.Exp(-(l-at-width/2)/(width/10))) },
		}[i%3]
		runs, noise := 2+rng.IntN(4), 0.02+0.08*rng.Float64()
		c, ok := findCliff(ladder(rng, cliffLoads, runs, noise, level), shareRise)
		want := steps(cliffLoads, level, shareRise)
		if !ok {
			t.Logf("none found: shape %d, place %.0f, %d runs, noise %.3f, flat %.3f, top %.3f, width %.0f", i%3, at, runs, noise, flat, top, width)
			continue
		}
		if d := c.Loads - want; d >= -1 && d <= 1 {
			near++
		}
		// The place is between the loads want-1 and want.
		if c.Lo <= cliffLoads[want-1]*1e6 && cliffLoads[want]*1e6 <= c.Hi {
			held++
		}
	}
	t.Logf("%d of %d within one step, %d held by the interval", near, curves, held)
	if near < curves {
		t.Errorf("%d of %d cliffs found within one step", near, curves)
	}
	if held < curves*95/100 {
		t.Errorf("the interval holds the place of %d of %d", held, curves)
	}
}

// Flat curves have no cliff, however noisy: 1 % false ones at most. Nor has one that
// drifts, but by less than counts.
func TestFlatCurvesHaveNoCliff(t *testing.T) {
	for name, curve := range map[string]func(*rand.Rand) []rung{
		"normal noise": func(rng *rand.Rand) []rung {
			return ladder(rng, cliffLoads, 3, 0.5, func(float64) float64 { return 0.05 })
		},
		"two runs": func(rng *rand.Rand) []rung {
			return ladder(rng, cliffLoads[:4], 2, 0.5, func(float64) float64 { return 0.05 })
		},
		"long tails": func(rng *rand.Rand) []rung {
			rs := ladder(rng, cliffLoads, 3, 0, func(float64) float64 { return 0.05 })
			for i := range rs {
				for j := range rs[i].values {
					rs[i].values[j] *= 0.5 + rng.ExpFloat64()
				}
			}
			return rs
		},
		"more noise under more load": func(rng *rand.Rand) []rung {
			rs := ladder(rng, cliffLoads, 3, 0, func(float64) float64 { return 0.05 })
			for i := range rs {
				for j := range rs[i].values {
					rs[i].values[j] *= 1 + 0.05*float64(i+1)*rng.NormFloat64()
				}
			}
			return rs
		},
		"drift": func(rng *rand.Rand) []rung {
			return ladder(rng, cliffLoads, 5, 0.01, func(l float64) float64 { return 0.05 + 0.01*l/8000 })
		},
	} {
		rng := rand.New(rand.NewPCG(5, 2))
		const curves = 2000
		found := 0
		for range curves {
			if _, ok := findCliff(curve(rng), shareRise); ok {
				found++
			}
		}
		t.Logf("%s: %d of %d", name, found, curves)
		if found > curves/100 {
			t.Errorf("%s: %d of %d flat curves have a cliff", name, found, curves)
		}
	}
}

// The published miss rates are two single values: they say between which loads the
// cliff is, and nothing can be tested.
func TestThePublishedCliffIsBetweenItsTwoLoads(t *testing.T) {
	p, err := ReadPublished()
	if err != nil {
		t.Fatal(err)
	}
	c, ok := p.cliff("HD", "ktls", 2)
	if !ok || c.From != 2590e6 || c.To != 3478e6 || math.Abs(c.Flat.Mean-0.026) > 1e-12 || c.After.Mean != 0.40 {
		t.Errorf("%+v, %v; want from 2590 (3000 offered) to 3478 (5000 offered)", c, ok)
	}
	if !math.IsNaN(c.P) || !math.IsNaN(c.Lo) || c.Loads != 1 {
		t.Errorf("two single values are tested: %+v", c)
	}
	if c, ok := p.cliff("HD", "tcp", 2); ok {
		t.Errorf("one value is a cliff: %+v", c)
	}
}

func TestWhatIsNoCliff(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 3))
	for name, level := range map[string]func(float64) float64{
		"one load is high, and no other": func(l float64) float64 {
			if l == 3000 {
				return 0.4
			}
			return 0.03
		},
		"falls": func(l float64) float64 { return 0.5 - l/20000 },
	} {
		if c, ok := findCliff(ladder(rng, cliffLoads, 3, 0.01, level), shareRise); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, ok := findCliff(nil, shareRise); ok {
		t.Error("nothing has a cliff")
	}
	exact := ladder(rng, cliffLoads, 2, 0, func(l float64) float64 { return map[bool]float64{false: 0.03, true: 0.4}[l > 3000] })
	if c, ok := findCliff(exact, shareRise); !ok || c.P != 0 || c.From != 3000e6 || c.Lo != 3000e6 || c.Hi != 3478e6 {
		t.Errorf("without noise: %+v, %v", c, ok)
	}
}
