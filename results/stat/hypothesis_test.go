package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// P-values as R prints them: wilcox.test(x, y, exact = TRUE), t.test(x, y),
// wilcox.test(x, paired = TRUE).
func TestPValues(t *testing.T) {
	a := []float64{1.1, 2.2, 3.3, 4.4, 5.5}
	b := []float64{2.5, 4.6, 5.7, 6.8, 7.9}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		// U = 4 of 25, 2·12/252: the sequences with U ≤ 4 among C(10,5)
		{"Mann–Whitney", MannWhitney(a, b), 2 * 12.0 / 252},
		{"Mann–Whitney, apart", MannWhitney([]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}), 2.0 / 70},
		{"Mann–Whitney, all equal", MannWhitney([]float64{1, 1}, []float64{1, 1}), 1},
		// ranks 1 to 6, down only rank 1: sums of at most 1 in 2 of 64 ways
		{"signed ranks", SignedRank([]float64{-1, 2, 3, 4, 5, 6}), 2 * 2.0 / 64},
		{"signed ranks, all up", SignedRank([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 2.0 / 1024},
		{"signed ranks, ties", SignedRank([]float64{1, 1, -1, 1}), 2 * 5.0 / 16},
		{"signed ranks, zeros (Pratt)", SignedRank([]float64{0, 2, 3, 4}), 2.0 / 8},
		{"signed ranks, nothing", SignedRank([]float64{0, 0}), 1},
		// means 1, 3; variances 1, 1; n 3, 3: t = 2.449490 with 4 degrees of freedom
		{"Welch", Welch([]float64{0, 1, 2}, []float64{2, 3, 4}), 0.070484},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s: p = %.6f, want %.6f", c.name, c.got, c.want)
		}
	}
	if p := Welch([]float64{1}, []float64{1, 2}); !math.IsNaN(p) {
		t.Errorf("Welch with one value: %v", p)
	}
}

// The examples of Holm's correction: p.adjust(c(.01,.02,.03,.04,.05), "holm").
func TestHolm(t *testing.T) {
	got := Holm([]float64{0.04, 0.01, 0.03, 0.02, 0.05})
	want := []float64{0.09, 0.05, 0.09, 0.08, 0.09}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if got := Holm(nil); len(got) != 0 {
		t.Error(got)
	}
}

func TestLeastP(t *testing.T) {
	for n := 2; n <= 8; n++ {
		low, high := make([]float64, n), make([]float64, n)
		up := make([]float64, n)
		for i := range n {
			low[i], high[i], up[i] = float64(i), float64(100+i), float64(1+i)
		}
		if got, want := LeastP(n, n, false), MannWhitney(low, high); math.Abs(got-want) > 1e-9 {
			t.Errorf("n %d: least p %v, Mann–Whitney of samples apart %v", n, got, want)
		}
		if got, want := LeastP(n, n, true), SignedRank(up); math.Abs(got-want) > 1e-9 {
			t.Errorf("n %d: least p %v, signed ranks of differences all up %v", n, got, want)
		}
	}
	if got := LeastP(0, 5, false); got != 1 {
		t.Error(got)
	}
	if a, b := RunsNeeded(0.05, false), RunsNeeded(0.05, true); a != 4 || b != 6 {
		t.Errorf("%d and %d runs needed, want 4 and 6", a, b)
	}
}

// noiseKinds are what run-to-run noise looks like.
var noiseKinds = []struct {
	name string
	draw func(*rand.Rand) float64
}{
	{"normal", func(r *rand.Rand) float64 { return 1 + 0.05*r.NormFloat64() }},
	{"skewed", func(r *rand.Rand) float64 { return 1 + 0.05*r.ExpFloat64() }},
	{"two modes", func(r *rand.Rand) float64 { return 1 + 0.2*float64(r.IntN(2)) + 0.02*r.NormFloat64() }},
}

// Where there is no difference, at most Alpha of the tests may see one.
func TestFalseAlarmsOfTheTests(t *testing.T) {
	const reps = 4000
	for _, noise := range noiseKinds {
		for _, n := range []int{6, 10} {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			mw, sr := 0, 0
			for range reps {
				a, b := make([]float64, n), make([]float64, n)
				for i := range n {
					a[i], b[i] = noise.draw(rng), noise.draw(rng)
				}
				if MannWhitney(a, b) <= Alpha {
					mw++
				}
				for i := range n {
					common := 0.1 * rng.NormFloat64() // what both of a pair have
					a[i], b[i] = a[i]+common, b[i]+common
				}
				if SignedRank(Differences(a, b)) <= Alpha {
					sr++
				}
			}
			t.Logf("%s, n %d: Mann–Whitney %.3f, signed ranks %.3f", noise.name, n, float64(mw)/reps, float64(sr)/reps)
			// three standard errors over Alpha
			bound := Alpha + 3*math.Sqrt(Alpha*(1-Alpha)/reps)
			if f := float64(sr) / reps; f > bound || f < 0.01 {
				t.Errorf("%s, n %d: signed ranks see a difference in %.3f of cases", noise.name, n, f)
			}
			if f := float64(mw) / reps; f > bound || f < 0.01 {
				t.Errorf("%s, n %d: Mann–Whitney sees a difference in %.3f of cases", noise.name, n, f)
			}
		}
	}
}

// Is the delta interval of a ratio good enough, or would a bootstrap be better? It
// covers the true ratio as often as it says where runs are few; a percentile
// bootstrap does not, which is why there is none.
func TestRatioIntervalBesideBootstrap(t *testing.T) {
	const reps, resamples, n = 600, 400, 5
	for _, noise := range noiseKinds {
		rng := rand.New(rand.NewPCG(7, 7))
		delta, boot := 0, 0
		for range reps {
			a, b := make([]float64, n), make([]float64, n)
			for i := range n {
				a[i], b[i] = noise.draw(rng), noise.draw(rng) // the true ratio is 1
			}
			if r := RatioOf(Summarize(a), Summarize(b)); r.Lo <= 1 && 1 <= r.Hi {
				delta++
			}
			ratios := make([]float64, resamples)
			for k := range ratios {
				var sa, sb float64
				for range n {
					sa += a[rng.IntN(n)]
					sb += b[rng.IntN(n)]
				}
				ratios[k] = sa / sb
			}
			slices.Sort(ratios)
			if ratios[resamples/40] <= 1 && 1 <= ratios[resamples-1-resamples/40] {
				boot++
			}
		}
		d, b := float64(delta)/reps, float64(boot)/reps
		t.Logf("%s, n %d: delta covers %.3f, percentile bootstrap %.3f", noise.name, n, d, b)
		if d < 0.92 || d < b {
			t.Errorf("%s: the delta interval covers %.3f, the bootstrap %.3f", noise.name, d, b)
		}
	}
}

func ExampleHolm() {
	fmt.Println(Holm([]float64{0.01, 0.04}))
	// Output: [0.02 0.04]
}
