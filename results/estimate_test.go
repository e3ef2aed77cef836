package results

import (
	"math"
	"math/rand/v2"
	"testing"
)

// shapes are means by offered rate, as shares of the highest.
var shapes = map[string][]float64{
	"six equal": {1, 1, 1, 1, 1, 1},
	"knee":      {.5, .8, .95, 1, .97, .9},
	"two":       {.5, .9, 1, 1},
	"collapse":  {.4, .8, 1, .7, .3, .1},
	"close":     {.96, .97, .98, .99, 1, .99},
}

// A ceiling is chosen from the data that it is estimated from. That must not inflate
// it, and its interval must hold the true one.
func TestTheCeilingIsNotInflatedByTheChoice(t *testing.T) {
	const repetitions = 2000
	for name, shape := range shapes {
		for _, n := range []int{4, 5, 8, 12} {
			for _, cv := range []float64{0.02, 0.16} {
				rng := rand.New(rand.NewPCG(uint64(n), uint64(1000*cv)+uint64(len(name))))
				sum, naive, held := 0.0, 0.0, 0
				rates := make([][]float64, len(shape))
				for range repetitions {
					best := 0.0
					for r, mean := range shape {
						rates[r] = make([]float64, n)
						for run := range rates[r] {
							rates[r][run] = max(mean*(1+cv*rng.NormFloat64()), 0)
						}
						best = max(best, Summarize(rates[r]).Mean)
					}
					e := highest(rates)
					sum, naive = sum+e.Value, naive+best
					if e.Lo <= 1 && 1 <= e.Hi {
						held++
					}
				}
				bias, coverage := sum/repetitions-1, float64(held)/repetitions
				bound := 0.01
				if cv > 0.02 {
					bound = 0.03
				}
				if math.Abs(bias) > bound || coverage < 0.93 {
					t.Errorf("%s, %d runs, run CV %.0f %%: bias %+.2f %% (bound %.0f %%), coverage %.1f %%", name, n, 100*cv, 100*bias, 100*bound, 100*coverage)
				}
				t.Logf("%s, %d runs, run CV %.0f %%: bias %+.2f %%, of the highest mean %+.2f %%, coverage %.1f %%", name, n, 100*cv, 100*bias, 100*(naive/repetitions-1), 100*coverage)
			}
		}
	}
}

// One run has no interval, and a rate that some runs lack is no obstacle.
func TestAnEstimateOfFewRuns(t *testing.T) {
	if e := highest([][]float64{{5}, {7}}); e.Value != 7 || !math.IsNaN(e.Lo) || e.N != 1 {
		t.Errorf("of single runs: %+v", e)
	}
	if e := highest([][]float64{{5, 5.1}, {math.NaN(), 7}}); e.N == 0 || math.IsNaN(e.Value) {
		t.Errorf("of a rate with a run only: %+v", e)
	}
	if e := highest(nil); !math.IsNaN(e.Value) || e.N != 0 {
		t.Errorf("of nothing: %+v", e)
	}
}
