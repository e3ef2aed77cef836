package scenarios

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/units"
	"hdbench/results"
)

func defaultConfigs(t *testing.T) []results.Config {
	t.Helper()
	s, err := Load(Default)
	if err != nil {
		t.Fatal(err)
	}
	var cs []results.Config
	for _, c := range s.configurations(func(relay string) []int { return autoWorkers(relay, 1) }) {
		cs = append(cs, c.Config)
	}
	return cs
}

// Two sweeps of one machine share their points, although no climb ends twice at the
// same rate: of any two of five in a row, four fifths of the smaller one's.
func TestSweepsShareTheirPoints(t *testing.T) {
	configs := defaultConfigs(t)
	for _, jitter := range []float64{0.01, 0.03, 0.06} {
		const machines = 200
		held, pairs, mean, worst := 0, 0, 0.0, 1.0
		for seed := range uint64(machines) {
			rng := rand.New(rand.NewPCG(seed, 5))
			// Knees as they were found on machines: hd over tcp above TS, TLS below tcp.
			ts := math.Pow(10, 8.8+rng.Float64())
			knee := map[results.Config]float64{}
			for _, c := range configs {
				k := ts
				if c.Relay == results.RelayHD {
					k *= 2 + 8*rng.Float64()
				}
				if c.Transport != "tcp" {
					k *= 0.4 + 0.6*rng.Float64()
				}
				knee[c] = k
			}
			var sweeps [][]results.Point
			for range 5 {
				knees := map[results.Config]Knee{}
				for _, c := range configs {
					// A sweep has its own hour; a look its own moment.
					s := &climbed{rng: rng, past: levelsOff, jitter: jitter / 2, spoil: 0.02, knee: knee[c] * (1 + jitter*rng.NormFloat64())}
					knees[c], _, _ = s.climb(t)
				}
				var points []results.Point
				for _, c := range configs {
					for _, r := range offers(c, knees[c], knees) {
						if p := (results.Point{Config: c, Offered: r}); !slices.Contains(points, p) {
							points = append(points, p)
						}
					}
				}
				sweeps = append(sweeps, points)
			}
			for i := range sweeps {
				for j := range i {
					both := 0
					for _, p := range sweeps[i] {
						if slices.Contains(sweeps[j], p) {
							both++
						}
					}
					share := float64(both) / float64(min(len(sweeps[i]), len(sweeps[j])))
					pairs++
					mean += share
					worst = min(worst, share)
					if share >= 0.8 {
						held++
					}
				}
			}
		}
		want, least := 0.98, 0.6
		if jitter <= 0.01 { // a quiet machine
			want, least = 1, 0.8
		} else if jitter > 0.03 {
			want = 0.9
		}
		if float64(held)/float64(pairs) < want || worst < least {
			t.Errorf("knees that move by %.0f %%: %.3f of the pairs share four fifths of their points, the worst %.3f", 100*jitter, float64(held)/float64(pairs), worst)
		}
		t.Logf("knees that move by %.0f %%: %.3f of the pairs share four fifths; %.3f of the points on average, %.3f at least", 100*jitter, float64(held)/float64(pairs), mean/float64(pairs), worst)
	}
}

// Every configuration meets the rates of the others, and its own knee from both
// sides, and max.
func TestOffersMeetTheOthers(t *testing.T) {
	configs := defaultConfigs(t)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 6))
		knees := map[results.Config]Knee{}
		lowest, ts := math.Inf(1), 0.0
		for _, c := range configs {
			r := lowestRung + doubling*2 + rung(rng.IntN(60))
			k := Knee{Carried: r.rate(), Above: (r + 1).rate(), Limit: results.RelayCPU, Bps: math.Sqrt(float64(r.rate()) * float64((r + 1).rate()))}
			knees[c], lowest = k, min(lowest, k.Bps)
			if c.Relay == results.RelayDerper {
				ts = max(ts, k.Bps)
			}
		}
		var common []units.Rate
		for i, c := range configs {
			rates := offers(c, knees[c], knees)
			slices.Sort(rates)
			if rates = slices.Compact(rates); len(rates) > autoRates || !slices.Contains(rates, units.Max) {
				t.Errorf("%d rates: %v", len(rates), rates)
			}
			has := func(from, to float64) bool {
				return slices.ContainsFunc(rates, func(r units.Rate) bool { return float64(r) >= from && float64(r) <= to })
			}
			if k := knees[c]; !has(0.7*k.Bps, float64(k.Carried)) || !has(float64(k.Above), 1.3*k.Bps) {
				t.Errorf("%v: no rates on both sides of the knee: %v", k, rates)
			}
			if !has(0.7*ts, 1.13*ts) || !has(1.1*ts, 1.8*ts) {
				t.Errorf("TS carries %.0f Mbps: no rates around that: %v", ts/1e6, rates)
			}
			below := slices.DeleteFunc(slices.Clone(rates), func(r units.Rate) bool { return float64(r) > flat*lowest })
			if i == 0 {
				common = below
			}
			common = slices.DeleteFunc(common, func(r units.Rate) bool { return !slices.Contains(below, r) })
		}
		if len(common) < commonRates {
			t.Errorf("knees %v: offered to all are %v", knees, common)
		}
	}
}

// Shares of a knee are on the ladder and never above what they say, so that 90 % of
// what is carried is carried, and those of the scenarios are different rates.
func TestSharesAreOnTheLadder(t *testing.T) {
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for r := lowestRung + 2*rung(decade); r <= highestRung-doubling; r++ {
			k := Knee{Bps: 1.06 * float64(r.rate())}
			var seen []units.Rate
			for _, rate := range s.Load.Rate {
				if rate.Percent == 0 {
					continue
				}
				got := share(k, rate.Percent)
				if exact := k.Bps * rate.Percent / 100; float64(got) > exact || float64(got) < exact/1.29 {
					t.Errorf("%v of %.0f Mbps: %v", rate, k.Bps/1e6, got)
				}
				if slices.Contains(seen, got) {
					t.Errorf("%s: two shares of %.0f Mbps are %v", name, k.Bps/1e6, got)
				}
				seen = append(seen, got)
			}
		}
	}
}

// A search that leaves its highest rate open goes to twice what the climb found.
func TestSearchGoesBeyondTheKnee(t *testing.T) {
	for bps, want := range map[float64]units.Rate{1.1e9: 2.5 * units.Gbps, 1.06e10: 25 * units.Gbps, 1.9e11: 200 * units.Gbps} {
		if got := searchTop(Knee{Bps: bps}); got != want {
			t.Errorf("of %.0f Mbps: %v, want %v", bps/1e6, got, want)
		}
	}
	for text, want := range map[string]bool{"ndr-pdr": true, "{max: 5Gbps}": false} {
		s, err := Parse("x.yaml", []byte(strings.Replace(minimal, "rate: 1Gbps", "search: "+text, 1)))
		if err != nil || s.Load.needsKnee() != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
}
