package scenarios

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hdbench/internal/units"
	"hdbench/results"
)

// climbed is a relay and a client that are formulas, to be climbed.
type climbed struct {
	rng    *rand.Rand
	past   func(x float64) (loss, shortfall float64) // of the relay, at x > 1 times its knee
	knee   float64                                   // of the relay, where it stops to lose nothing
	jitter float64                                   // SD of both knees from look to look, relative
	spoil  float64                                   // how often a second loses something for reasons of its own

	// The client keeps up where its cost per packet lets it: up to single while
	// every packet is woken up for, again from batched up to capacity. Or, where
	// single is 0, its cost falls little by little. capacity 0: it always keeps up.
	single, batched, capacity float64
}

// clientCan is the most the client sends when asked for a rate.
func (s *climbed) clientCan(rate float64) float64 {
	switch {
	case s.capacity == 0:
		return math.Inf(1)
	case s.single == 0: // a cost per tick, which does not grow, and one per packet
		return s.capacity * 1.2 / (1 + 0.2*s.capacity/rate)
	case rate < s.batched:
		return s.single
	default:
		return s.capacity
	}
}

func (s *climbed) look(l climbLook) climbSeen {
	rate := float64(l.at.rate())
	moved := 1 + s.jitter*s.rng.NormFloat64()
	var loss, shortfall float64
	cause := results.Carried
	offered := rate
	if can := s.clientCan(rate) * moved; can < rate {
		offered, shortfall, cause = can, 1-can/rate, results.ByClient
	}
	if x := offered / (s.knee * moved); x > 1 {
		var held float64
		loss, held = s.past(x)
		shortfall = 1 - (1-shortfall)*(1-held)
		cause = results.SendQueue
		if held > loss {
			cause = results.RelayCPU
		}
		if shortfall > 0 && s.rng.IntN(2) == 0 && offered < rate {
			cause = results.Unclear
		}
	}
	seconds := l.windows().measure.Seconds()
	if s.rng.Float64() < 1-math.Pow(1-s.spoil, seconds) {
		loss = max(loss, 0.1*s.rng.Float64()/seconds)
		if cause == results.Carried {
			cause = results.Unclear
		}
	}
	if loss+shortfall <= results.CarriedBound {
		cause = results.Carried
	}
	return climbSeen{cause: cause, missing: loss + shortfall, deliveredBps: rate * (1 - shortfall) * (1 - loss)}
}

// climb climbs, and counts looks and seconds.
func (s *climbed) climb(t *testing.T) (k Knee, looks int, seconds float64) {
	c := newClimber()
	for ; !c.done; looks++ {
		if looks > 60 {
			t.Fatalf("no end: %+v, next %v", s, c.next.at.rate())
		}
		w := c.next.windows()
		seconds += (w.warmup + w.measure).Seconds()
		c.saw(s.look(c.next))
	}
	return c.knee(), looks, seconds
}

// climbedRelays are what relays do past their knee, and at which multiple of it
// half a percent is missing.
var climbedRelays = []struct {
	name          string
	past          func(float64) (float64, float64)
	carries       float64
	jitter, spoil float64
}{
	{"sharp", levelsOff, 1 / 0.995, 0.005, 0.01},
	{"soft", losesSlowly, 1.1, 0.005, 0.01},
	{"collapsing", collapses, 1, 0.005, 0.01},
	{"pushing back", pushesBack, 1 / 0.995, 0.005, 0.01},
	{"noisy", levelsOff, 1 / 0.995, 0.03, 0.1},
}

// The climb ends at the knee of a relay, or of the client where that is lower,
// whatever they do beyond it.
func TestClimbEndsAtTheKnee(t *testing.T) {
	const each = 200
	for _, withClient := range []bool{false, true} {
		near, all := 0, 0
		for ri, r := range climbedRelays {
			off, limitWrong, total, seconds := 0, 0, 0, 0.0
			for seed := range uint64(each) {
				rng := rand.New(rand.NewPCG(seed, uint64(ri)))
				s := &climbed{rng: rng, past: r.past, jitter: r.jitter, spoil: r.spoil}
				s.knee = math.Pow(10, 8.2+2.2*rng.Float64()) // 160 Mbps to 25 Gbps
				want, client := s.knee*r.carries, false
				if withClient {
					// It gives out below the relay's knee, at it, or above it; every
					// second one in a band below that as well, up to two octaves wide.
					s.capacity = want * math.Pow(2, 2*rng.Float64()-1.5)
					if seed%2 == 0 {
						s.batched = min(s.capacity, want) * math.Pow(2, -0.5-4*rng.Float64())
						s.single = s.batched * math.Pow(2, -0.1-1.5*rng.Float64())
					}
					if c := s.capacity / (1 - results.CarriedBound); c < want { // more is not carried
						want, client = c, true
					}
				}
				k, looks, took := s.climb(t)
				total, seconds = total+looks, seconds+took
				ok := math.Abs(k.Bps/want-1) <= 0.1
				// Within a step of each other, either may be what ended it.
				clear := s.capacity == 0 || math.Abs(math.Log2(s.capacity/(s.knee*r.carries))) > 0.25
				if ok && clear && k.ClientLimited() != client {
					limitWrong++
					ok = false
				}
				if !ok {
					off++
					if testing.Verbose() {
						t.Logf("%s, seed %d: client %.0f, from %.0f, %.0f Mbps; want %.0f, found %v (%.0f Mbps)", r.name, seed, s.single/1e6, s.batched/1e6, s.capacity/1e6, want/1e6, k, k.Bps/1e6)
					}
				}
				all++
				if ok {
					near++
				}
			}
			t.Logf("%s, client %v: %d of %d off (%d by their limit), %.1f looks, %.1f s of load", r.name, withClient, off, each, limitWrong, float64(total)/each, seconds/each)
		}
		if share := float64(near) / float64(all); share < 0.98 {
			t.Errorf("client %v: %.4f of %d climbs end within 10 %% of the knee", withClient, share, all)
		}
	}
}

// climbTo climbs with a formula for what is seen of a rate at its n-th look.
func climbTo(t *testing.T, seen func(rate units.Rate, n int, long bool) (results.Cause, float64)) (Knee, []climbLook) {
	t.Helper()
	c := newClimber()
	var looks []climbLook
	for n := map[rung]int{}; !c.done; {
		if len(looks) > 60 {
			t.Fatalf("no end: %v", looks)
		}
		l := c.next
		looks = append(looks, l)
		n[l.at]++
		cause, missing := seen(l.at.rate(), n[l.at], l.long)
		c.saw(climbSeen{cause: cause, missing: missing, deliveredBps: float64(l.at.rate()) * (1 - missing)})
	}
	return c.knee(), looks
}

// upTo is carried up to a rate; more is kept by the cause, a tenth of it.
func upTo(most units.Rate, cause results.Cause, rate units.Rate) (results.Cause, float64) {
	if rate <= most {
		return results.Carried, 0
	}
	return cause, 0.1
}

// A client that fails at 1 Gbps and carries 8 has not found the relay's knee at 1:
// what is carried is never too high.
func TestCarriedAboveTheClientsEnd(t *testing.T) {
	k, _ := climbTo(t, func(rate units.Rate, _ int, _ bool) (results.Cause, float64) {
		if rate > 900*units.Mbps && rate < 2*units.Gbps {
			return results.ByClient, 0.1
		}
		return upTo(8*units.Gbps, results.RelayCPU, rate)
	})
	if k.Carried != 8*units.Gbps || k.Above != 9*units.Gbps || k.Limit != results.RelayCPU || k.ClientLimited() {
		t.Errorf("%+v", k)
	}
	k, looks := climbTo(t, func(rate units.Rate, _ int, _ bool) (results.Cause, float64) {
		return upTo(900*units.Mbps, results.ByClient, rate)
	})
	if k.Carried != 900*units.Mbps || k.Above != units.Gbps || !k.ClientLimited() {
		t.Errorf("%+v", k)
	}
	for _, want := range []units.Rate{2 * units.Gbps, 4 * units.Gbps} { // before the client is believed
		if !slices.ContainsFunc(looks, func(l climbLook) bool { return l.at.rate() == want }) {
			t.Errorf("no look at %v", want)
		}
	}
}

// One bad look, or two, do not end a climb: the rate is looked at again, for longer.
func TestEndsOfAClimbAreRepeated(t *testing.T) {
	for bad, gross := range map[int]float64{1: 0.5, 2: 0.03} {
		k, looks := climbTo(t, func(rate units.Rate, n int, long bool) (results.Cause, float64) {
			if n > 1 != long {
				t.Errorf("look %d at %v: long is %v", n, rate, long)
			}
			if rate <= 4*units.Gbps && n <= bad {
				return results.SendQueue, gross
			}
			return upTo(4*units.Gbps, results.SendQueue, rate)
		})
		if k.Carried != 4*units.Gbps || k.Above != 4.5*units.Gbps {
			t.Errorf("%d bad looks: %v after %v", bad, k, looks)
		}
	}
}

// A relay that is slower than the first look is climbed down to; one that carries
// nothing, or everything, has an end too.
func TestClimbsHaveAnEnd(t *testing.T) {
	for _, c := range []struct {
		most           units.Rate
		carried, above units.Rate
		text           string
	}{
		{33 * units.Mbps, 31.5 * units.Mbps, 35.5 * units.Mbps, "carries 31.5Mbps; at 35.5Mbps 10.0 % is missing: relay-cpu"},
		{units.Mbps, 0, 10 * units.Mbps, "at 10Mbps 10.0 % is missing: relay-cpu"},
		{1000 * units.Gbps, 200 * units.Gbps, 0, "carries 200Gbps and more"},
	} {
		k, _ := climbTo(t, func(rate units.Rate, _ int, _ bool) (results.Cause, float64) {
			return upTo(c.most, results.RelayCPU, rate)
		})
		if k.Carried != c.carried || k.Above != c.above || k.String() != c.text || k.Bps == 0 {
			t.Errorf("up to %v: %+v: %v", c.most, k, k)
		}
	}
	c := newClimber()
	c.saw(climbSeen{cause: results.Carried, deliveredBps: 5e8})
	c.failed()
	if k := c.knee(); !c.done || k.Carried != 500*units.Mbps || k.Bps != 5e8 || k.Above != 0 {
		t.Errorf("a relay that fails at the second rate: %+v", k)
	}
	c = newClimber()
	c.failed()
	if k := c.knee(); !c.done || k.Bps != 0 {
		t.Errorf("a relay that cannot be measured: %+v", k)
	}
}
