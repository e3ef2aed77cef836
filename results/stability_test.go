package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results/stat"
)

func TestDip(t *testing.T) {
	even := make([]float64, 20)
	halves := make([]float64, 20)
	for i := range even {
		even[i], halves[i] = float64(i), float64(i/10)
	}
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"even":      {even, 1.0 / 40},
		"halves":    {halves, 0.25},
		"all equal": {make([]float64, 8), 1.0 / 16},
		// Three of four lie together: unimodal but for the step, 1/(2n).
		"one apart": {[]float64{1, 1.01, 1.02, 5}, 1.0 / 8},
	} {
		if got := stat.Dip(c.values); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: dip %v, want %v", name, got, c.want)
		}
	}
	// It does not depend on the scale, the direction, or the order.
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		n := 4 + rng.IntN(60)
		v, flipped := make([]float64, n), make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64() + 3*float64(rng.IntN(2))
			flipped[n-1-i] = 7 - 3*v[i]
		}
		if a, b := stat.Dip(v), stat.Dip(flipped); math.Abs(a-b) > 1e-9 || a < 1/float64(2*n)-1e-12 || a > 0.25+1e-12 {
			t.Fatalf("dip %v, mirrored %v", a, b)
		}
	}
}

func TestDipTest(t *testing.T) {
	const reps = 1000
	var test stat.DipTest
	share := func(n int, draw func(*rand.Rand) float64) float64 {
		rng := rand.New(rand.NewPCG(uint64(n), 9))
		hits := 0
		for range reps {
			v := make([]float64, n)
			for i := range v {
				v[i] = draw(rng)
			}
			if test.P(v) <= stat.Alpha {
				hits++
			}
		}
		return float64(hits) / reps
	}
	for n, power := range map[int]float64{10: 0.4, 15: 0.6, 40: 0.95} {
		uniform := share(n, (*rand.Rand).Float64)
		normal := share(n, (*rand.Rand).NormFloat64)
		skewed := share(n, (*rand.Rand).ExpFloat64)
		two := share(n, func(r *rand.Rand) float64 { return 8*float64(r.IntN(2)) + r.NormFloat64() })
		t.Logf("n %d: two modes are seen in uniform %.3f, normal %.3f, exponential %.3f, two modes %.3f", n, uniform, normal, skewed, two)
		if uniform > 0.075 || uniform < 0.025 || normal > 0.05 || skewed > 0.05 || two < power {
			t.Errorf("n %d: uniform %.3f, normal %.3f, exponential %.3f, two modes %.3f", n, uniform, normal, skewed, two)
		}
	}
}

func TestPeriod(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const reps = 400
	for _, n := range []int{15, 50} {
		noise, trendy, wave, right := 0, 0, 0, 0
		for range reps {
			a, b, c := make([]float64, n), make([]float64, n), make([]float64, n)
			phase := rng.Float64()
			for i := range n {
				e := rng.NormFloat64()
				a[i], b[i] = e, e+float64(i)
				c[i] = 0.4*e + 2*math.Sin(2*math.Pi*(float64(i)/4+phase))
			}
			if _, sure := stat.Period(a, stabilityAlpha); sure {
				noise++
			}
			if _, sure := stat.Period(b, stabilityAlpha); sure {
				trendy++
			}
			if lag, sure := stat.Period(c, stabilityAlpha); sure {
				wave++
				if lag%4 == 0 {
					right++
				}
			}
		}
		t.Logf("n %d: a period is seen in noise %d, in a trend %d, in a wave %d (right: %d) of %d", n, noise, trendy, wave, right, reps)
		if noise > reps*3/100 || trendy > reps*3/100 || wave < reps*9/10 || right < wave*9/10 {
			t.Errorf("n %d: noise %d, trend %d, wave %d, right %d of %d", n, noise, trendy, wave, right, reps)
		}
	}
}

// sweepOf makes a sweep whose delivered rates and intervals are given by a
// function of the trial's place in the order and the interval.
func sweepOf(rates, runs, intervals int, delivered func(order, interval int) float64) []*Trial {
	var ts []*Trial
	for run := 1; run <= runs; run++ {
		for r := range rates {
			order := len(ts) + 1
			t := trialWith(hd(1), units.Rate(r+1)*units.Gbps, run, 1000, 0.1, measure.Histogram{})
			t.Order = order
			l := t.Load
			l.IntervalDeliveredBps, l.DeliveredBps = nil, 0
			for i := range intervals {
				v := 1e9 * float64(r+1) * delivered(order, i)
				l.IntervalDeliveredBps = append(l.IntervalDeliveredBps, v)
				l.DeliveredBps += v / float64(intervals)
			}
			t.Relay.CPUSeconds = 0.1 * l.DeliveredBps / 1e9 * 2 * (1 + 0.01*math.Sin(float64(order*order)))
			ts = append(ts, t)
		}
	}
	return ts
}

func stability(t *testing.T, ts []*Trial) []string {
	t.Helper()
	points, err := Points(ts)
	if err != nil {
		t.Fatal(err)
	}
	return Stability(points, ts)
}

func TestStabilityIsSaid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func() float64 { return 1 + 0.01*rng.NormFloat64() }
	for _, c := range []struct {
		name string
		runs int
		rate func(order, interval int) float64
		want []string
	}{
		{"steady", 4, func(int, int) float64 { return noise() }, nil},
		{"drift", 4, func(order, _ int) float64 { return noise() * (1 - 0.002*float64(order)) }, []string{"Drift: delivered Mbps of hd tcp 1 worker changed by -3."}},
		{"oscillation", 4, func(_, i int) float64 { return noise() * (1 + 0.2*math.Sin(2*math.Pi*float64(i)/4)) }, []string{"Oscillation: the rate of hd tcp 1 worker at 1Gbps swings with a period of about 400ms"}},
		{"runs at two levels", 16, func(order, _ int) float64 { return noise() * (1 + 0.3*float64((order/5)%2)) }, []string{"Two levels: the runs of hd tcp 1 worker at 1Gbps fall into two groups"}},
		{"intervals at two levels", 4, func(order, i int) float64 { return noise() * (1 + 0.3*float64(mix(order, i)%2)) }, []string{"Two levels: the 100 ms intervals of hd tcp 1 worker at"}},
	} {
		got := stability(t, sweepOf(5, c.runs, 30, c.rate))
		if len(c.want) == 0 && len(got) > 0 {
			t.Errorf("%s: %q", c.name, got)
		}
		for _, w := range c.want {
			if !strings.Contains(strings.Join(got, "\n"), w) {
				t.Errorf("%s: want %q, have %q", c.name, w, got)
			}
		}
	}
}

// mix is a random bit string of two numbers, the same every time.
func mix(a, b int) uint64 {
	return rand.New(rand.NewPCG(uint64(a), uint64(b))).Uint64()
}

// Of sweeps that are steady at most one in twenty may be called anything else,
// be they short or long, noisy, or with runs that differ by more than intervals.
func TestFalseAlarmsOfStability(t *testing.T) {
	const reps = 200
	for _, c := range []struct {
		points, runs, intervals int
		between, within         float64
	}{{7, 4, 15, 0.01, 0.03}, {3, 10, 5, 0.05, 0.05}, {7, 4, 15, 0.05, 0.01}, {2, 3, 50, 0.02, 0.1}} {
		said := 0
		example := ""
		for seed := range uint64(reps) {
			rng := rand.New(rand.NewPCG(seed, 4))
			level := map[int]float64{}
			notes := stability(t, sweepOf(c.points, c.runs, c.intervals, func(order, _ int) float64 {
				if level[order] == 0 {
					level[order] = 1 + c.between*rng.NormFloat64()
				}
				return level[order] * (1 + c.within*rng.NormFloat64())
			}))
			if len(notes) > 0 {
				said++
				example = notes[0]
			}
		}
		name := fmt.Sprintf("%d points, %d runs, %d intervals, CV %v and %v", c.points, c.runs, c.intervals, c.between, c.within)
		t.Logf("%s: %d of %d steady sweeps have a note %s", name, said, reps, example)
		if said > reps/20 {
			t.Errorf("%s: %d of %d steady sweeps have a note, such as %s", name, said, reps, example)
		}
	}
}
