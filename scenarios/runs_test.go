package scenarios

import (
	"math/rand/v2"
	"slices"
	"testing"

	"hdbench/internal/measure"
	"hdbench/results"
)

func deliveredTrial(mbps float64, marked bool) *results.Trial {
	t := &results.Trial{Kind: results.KindTrial, Load: &measure.Load{DeliveredBps: 1e6 * mbps}}
	if marked {
		t.Validity = []results.Finding{{Code: results.ClientLimited}}
	}
	return t
}

func TestRunsAreEnough(t *testing.T) {
	r := Runs{Min: 3, Max: 10, UntilCI: 0.02}
	made := func(values ...float64) []*results.Trial {
		var ts []*results.Trial
		for _, v := range values {
			ts = append(ts, deliveredTrial(v, false))
		}
		return ts
	}
	for name, c := range map[string]struct {
		made []*results.Trial
		want bool
	}{
		"two, the same":      {made(100, 100), false}, // never before min
		"three, the same":    {made(100, 100, 100), true},
		"three, near":        {made(100, 100.5, 99.5), true},  // half width 1.24
		"three, apart":       {made(100, 101, 99), false},     // half width 2.48
		"four, apart":        {made(100, 101, 99, 100), true}, // half width 1.30
		"one marked":         {append(made(100, 100), deliveredTrial(100, true)), false},
		"three and a marked": {append(made(100, 100, 100), deliveredTrial(50, true)), true},
		"nothing delivered":  {made(0, 0, 0), true},
	} {
		if got := r.enough(c.made); got != c.want {
			t.Errorf("%s: enough is %v", name, got)
		}
	}
	if fixedRuns(3).enough(made(1, 1, 1, 1)) {
		t.Error("a fixed number of runs is enough before its end")
	}
}

// Runs that stop when the interval is narrow make it look narrower than it is. How
// much that costs is measured here; the bound is what docs/METHOD.md promises.
func TestCoverageOfStoppedRuns(t *testing.T) {
	const reps = 3000
	for _, cv := range []float64{0.005, 0.02, 0.05} {
		rng := rand.New(rand.NewPCG(11, 1))
		held, runs := 0, 0
		r := Runs{Min: 4, Max: 10, UntilCI: 0.02}
		for range reps {
			var made []*results.Trial
			var v []float64
			for len(made) < r.Max && !r.enough(made) {
				v = append(v, 100*(1+cv*rng.NormFloat64()))
				made = append(made, deliveredTrial(v[len(v)-1], false))
			}
			runs += len(made)
			if s := results.Summarize(v); s.Mean-s.Half <= 100 && 100 <= s.Mean+s.Half {
				held++
			}
		}
		share := float64(held) / reps
		t.Logf("run CV %.1f %%: the 95 %% interval covers %.3f, %.1f runs", 100*cv, share, float64(runs)/reps)
		if share < 0.88 {
			t.Errorf("run CV %v: the interval covers the mean in %.3f of cases", cv, share)
		}
	}
	if !slices.Equal([]string{fixedRuns(4).String(), Runs{3, 10, 0.02}.String()}, []string{"4", "3 to 10, until the 95 % interval is within ±2% of the mean"}) {
		t.Error(Runs{3, 10, 0.02})
	}
}
