package scenarios

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hdbench/internal/units"
	"hdbench/results"
)

func searchSpec() results.SearchSpec {
	return results.SearchSpec{
		LossRatios: []float64{0, 0.005}, ExceedRatio: 0.5, Width: 0.02, Shortfall: 0.01,
		Min: 100 * units.Mbps, Max: 20 * units.Gbps,
		InitialNS: int64(200 * time.Millisecond), FinalNS: int64(time.Second), SumNS: int64(3 * time.Second),
	}
}

// search runs one to its end.
func search(t *testing.T, spec results.SearchSpec, m Measurer) *controller {
	t.Helper()
	c, err := newController(spec)
	if err != nil {
		t.Fatal(err)
	}
	for looks := 0; ; looks++ {
		if bound := looksAtMost(spec); looks > bound {
			t.Fatalf("no end after %d looks, bound %d", looks, bound)
		}
		more, err := c.step(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return c
		}
	}
}

// looksAtMost bounds a search: no load is looked at more often than once roughly,
// until the durations add up, and as often as invalid looks are forgiven.
func looksAtMost(spec results.SearchSpec) int {
	return len(spec.Ladder()) * (1 + int((spec.SumNS+spec.FinalNS-1)/spec.FinalNS) + 3)
}

// Every simulated relay's true NDR and PDR must be found within the width, whatever
// it does past the knee, with no more than half the trials of a ladder that is as
// fine. A knee that trembles by a quarter of the width may move a bound by one step.
func TestSearchFindsTheTrueRates(t *testing.T) {
	for _, noise := range []struct {
		name   string
		jitter float64
		slack  float64 // how far outside the bounds the truth may be, in widths
	}{{"steady", 0, 0}, {"trembling", 0.005, 1}} {
		for _, r := range simulatedRelays {
			t.Run(noise.name+"/"+r.name, func(t *testing.T) {
				var looks []int
				spec := searchSpec()
				ladder := len(spec.Ladder())
				for seed := range uint64(1000) {
					rng := rand.New(rand.NewPCG(seed, 1))
					s := &simulated{rng: rng, knee: 0.11e9 * math.Pow(150, rng.Float64()), past: r.past, jitter: noise.jitter}
					c := search(t, spec, s)
					looks = append(looks, c.ev.Looks())
					slack := noise.slack * spec.Width
					for i, truth := range []float64{s.knee * r.ndr, s.knee * r.pdr} {
						g := c.ev.Results()[i]
						lower, upper := float64(g.Lower)*(1-slack), float64(g.Upper)*(1+slack)
						if !g.Done || g.Irregular != "" || !(lower <= truth*(1+1e-9) && truth < upper) || float64(g.Upper-g.Lower) > spec.Width*float64(g.Upper) {
							t.Errorf("seed %d: true %s %.4g: %+v", seed, g.Name(), truth, g)
						}
						if float64(g.Conditional) > float64(g.Lower) || float64(g.Conditional) < 0.985*float64(g.Lower) {
							t.Errorf("seed %d: conditional throughput %v at %v", seed, g.Conditional, g.Lower)
						}
					}
				}
				slices.Sort(looks)
				median := looks[len(looks)/2]
				t.Logf("%d seeds: looks median %d, most %d; a ladder has %d", len(looks), median, looks[len(looks)-1], ladder)
				if 2*median > ladder {
					t.Errorf("median of %d looks; a ladder has %d", median, ladder)
				}
			})
		}
	}
}

// A neighbour that spoils one look in fifty must not move the result: two good
// looks of three outvote it. Both of two spoiled are rare, and counted here.
func TestSearchOutvotesSpoiledLooks(t *testing.T) {
	wrong, n := 0, 0
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s := &simulated{rng: rng, knee: 0.11e9 * math.Pow(150, rng.Float64()), past: levelsOff, spoil: 0.02}
		c := search(t, searchSpec(), s)
		for i, truth := range []float64{s.knee, s.knee / 0.995} {
			n++
			if g := c.ev.Results()[i]; !(float64(g.Lower) <= truth*(1+1e-9) && truth < float64(g.Upper)) {
				wrong++
			}
		}
	}
	t.Logf("%d of %d results are off", wrong, n)
	if wrong > n/100 {
		t.Errorf("%d of %d results are off, want 1 %% at most", wrong, n)
	}
}

// The ends of the range, and clients that give out.
func TestSearchSaysWhatIsIrregular(t *testing.T) {
	at := func(r units.Rate) *simulated {
		return &simulated{rng: rand.New(rand.NewPCG(1, 1)), knee: float64(r), past: levelsOff}
	}
	corrupt := func(from units.Rate) func(units.Rate, int) (results.Code, error) {
		return func(load units.Rate, _ int) (results.Code, error) {
			if load >= from {
				return results.Corrupt, nil
			}
			return "", nil
		}
	}
	limited, broken, always := at(90*units.Gbps), at(90*units.Gbps), at(5*units.Gbps)
	limited.client = 7e9
	broken.broken, always.broken = corrupt(3*units.Gbps), corrupt(0)
	for _, c := range []struct {
		name         string
		relay        *simulated
		lower, upper units.Rate // about; 0: none
		irregular    string
	}{
		{"carries all", at(90 * units.Gbps), 20 * units.Gbps, 0, "all loads up to the highest, 20Gbps, are carried"},
		{"carries nothing", at(10 * units.Mbps), 0, 100 * units.Mbps, "the lowest load, 100Mbps, is not carried"},
		{"client gives out", limited, 7 * units.Gbps, 0, "say nothing: client-limited"},
		{"damages packets", broken, 3 * units.Gbps, 0, "say nothing: corrupt"},
		{"never valid", always, 0, 0, "looks at 100Mbps say nothing: corrupt"},
	} {
		ctl := search(t, searchSpec(), c.relay)
		for _, g := range ctl.ev.Results() {
			about := func(have, want units.Rate) bool {
				return want == 0 && have == 0 || want > 0 && math.Abs(float64(have/want)-1) < 0.02
			}
			if !g.Done || !about(g.Lower, c.lower) || !about(g.Upper, c.upper) || !strings.Contains(g.Irregular, c.irregular) {
				t.Errorf("%s: %+v", c.name, g)
			}
		}
		if n := ctl.ev.Looks(); n > 45 {
			t.Errorf("%s: %d looks", c.name, n)
		}
	}
}

// Where less is lost at a higher load, the bounds are those below, and it is said.
func TestSearchSaysLossInversion(t *testing.T) {
	s := &simulated{rng: rand.New(rand.NewPCG(1, 1)), knee: 1, past: func(x float64) (float64, float64) {
		if x > 1e9 && x < 1.2e9 || x > 4e9 { // a hole, and the end
			return 0.3, 0
		}
		return 0, 0
	}}
	spec := searchSpec()
	c := search(t, spec, s)
	for _, g := range c.ev.Results() {
		if g.Inversion != 0 || math.Abs(float64(g.Lower)-4e9) > 0.02*4e9 {
			t.Errorf("the hole was not looked at: %+v", g)
		}
	}
	for i, load := range c.ev.Loads { // now look into the hole
		if load > 1.1e9 {
			for range 3 {
				if err := c.ev.Add(results.Look{Load: c.ev.Loads[i], Duration: time.Second, Loss: 0.3}); err != nil {
					t.Fatal(err)
				}
			}
			break
		}
	}
	for _, g := range c.ev.Results() {
		if g.Inversion == 0 || g.Upper > 1.2*units.Gbps || g.Lower >= g.Upper {
			t.Errorf("inversion not said: %+v", g)
		}
	}
}

// A search that is shown its recorded looks goes on where it stopped and repeats
// nothing; a look that is not its own is refused.
func TestSearchResumesFromItsLooks(t *testing.T) {
	relay := func() *simulated {
		rng := rand.New(rand.NewPCG(4, 4))
		return &simulated{rng: rng, knee: 3.3e9, past: losesSlowly, jitter: 0.003, client: 12e9}
	}
	whole := relay()
	want := search(t, searchSpec(), whole).ev.Results()
	for stop := range whole.seen {
		c, err := newController(searchSpec())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range whole.seen[:stop] {
			l.Load *= 1 + 1e-12 // through a file and back
			if err := c.saw(l); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range whole.seen[stop:] {
			load, d, _, ok := c.next()
			if !ok || load != l.Load || d != l.Duration {
				t.Fatalf("after %d looks: next is %v for %v (%v), was %v for %v", stop, load, d, ok, l.Load, l.Duration)
			}
			if err := c.saw(l); err != nil {
				t.Fatal(err)
			}
		}
		if !c.done || !slices.Equal(c.ev.Results(), want) {
			t.Fatalf("resumed after %d looks: %+v, want %+v", stop, c.ev.Results(), want)
		}
		if err := c.saw(whole.seen[0]); err == nil {
			t.Fatal("a look after the end is taken")
		}
	}
	c, _ := newController(searchSpec())
	for _, l := range []results.Look{{Load: 1 * units.Gbps, Duration: 200 * time.Millisecond}, {Load: whole.seen[0].Load, Duration: time.Second}} {
		if err := c.saw(l); err == nil {
			t.Errorf("a look that was not asked for is taken: %+v", l)
		}
	}
}

func TestSearchPassesErrorsOn(t *testing.T) {
	gone := errors.New("the relay is gone")
	s := &simulated{rng: rand.New(rand.NewPCG(1, 1)), knee: 1e9, past: levelsOff, broken: func(units.Rate, int) (results.Code, error) { return "", gone }}
	c, err := newController(searchSpec())
	if err != nil {
		t.Fatal(err)
	}
	before, _, _, _ := c.next()
	if _, err := c.step(context.Background(), s); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if after, _, n, ok := c.next(); !ok || after != before || n != 1 {
		t.Error("a look that could not be taken changes the search")
	}
	if _, err := newController(results.SearchSpec{}); err == nil {
		t.Error("a search for nothing")
	}
}

// FuzzController shows a search whatever looks there may be: it must end within
// its bound, and its bounds must be what the looks say.
func FuzzController(f *testing.F) {
	f.Add([]byte{0}, uint16(20), uint8(50), uint8(3))
	f.Add([]byte{1, 2, 3, 4, 250, 251, 0, 9}, uint16(200), uint8(0), uint8(1))
	f.Add([]byte{255}, uint16(400), uint8(99), uint8(9))
	f.Fuzz(func(t *testing.T, outcomes []byte, width uint16, exceed, sum uint8) {
		spec := searchSpec()
		spec.Width = float64(width%500+1) / 1000
		spec.ExceedRatio = float64(exceed%100) / 100
		spec.SumNS = int64(time.Second) * int64(sum%10+1)
		c, err := newController(spec)
		if err != nil {
			t.Fatal(err)
		}
		bound := looksAtMost(spec)
		for i := 0; ; i++ {
			load, d, n, ok := c.next()
			if !ok {
				break
			}
			if i > bound || n > bound {
				t.Fatalf("no end after %d looks", i)
			}
			l := results.Look{Load: load, Duration: d}
			if len(outcomes) > 0 {
				switch b := outcomes[i%len(outcomes)]; {
				case b < 100:
				case b < 200:
					l.Loss = float64(b-99) / 101
				case b < 220:
					l.Shortfall = 0.5
				case b < 240:
					l.Invalid = results.ClientLimited
				default:
					l.Invalid = results.PacingLate
				}
			}
			if err := c.saw(l); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range c.ev.Results() {
			if !g.Done || g.Upper > 0 && g.Lower >= g.Upper || g.Conditional > g.Lower {
				t.Errorf("%+v", g)
			}
			if g.Irregular == "" && (g.Lower == 0 || g.Upper == 0 || float64(g.Upper-g.Lower) > spec.Width*float64(g.Upper)) {
				t.Errorf("regular, but %+v", g)
			}
		}
	})
}
