package scenarios

import (
	"cmp"
	"math"
	"slices"

	"hdbench/internal/units"
)

// Knee is what a short probe found a configuration to carry.
type Knee struct {
	Bps           float64 // most it delivered while the client was below its own limit
	ClientLimited bool    // beyond that the client gave out, not the relay
}

// ladder chooses offered rates that show a configuration's flat part and its knee
// among others: below the smallest knee of all, where all are offered the same and
// cost can be compared, and from a little below its own knee to well beyond it.
func ladder(own Knee, all []Knee) []units.Rate {
	lowest := slices.MinFunc(append(all, own), compareKnee)
	rates := []float64{0.5 * lowest.Bps, 0.85 * lowest.Bps}
	for _, share := range []float64{0.85, 1, 1.2, 1.6} {
		// Beyond the client's own limit nothing is to be seen of the relay.
		if !own.ClientLimited || share <= 1.2 {
			rates = append(rates, share*own.Bps)
		}
	}
	return thin(rates)
}

// thin rounds rates and leaves out those that are within a tenth of the one
// before, but keeps the highest.
func thin(rates []float64) []units.Rate {
	slices.Sort(rates)
	var out []units.Rate
	for i, r := range rates {
		v := units.Rate(twoDigits(r))
		n := len(out)
		switch {
		case n == 0 || float64(v) >= 1.1*float64(out[n-1]):
			out = append(out, v)
		case i == len(rates)-1 && v > out[n-1]:
			out[n-1] = v
		}
	}
	return out
}

func compareKnee(a, b Knee) int { return cmp.Compare(a.Bps, b.Bps) }

// share is p percent of a knee.
func share(k Knee, p float64) units.Rate { return units.Rate(twoDigits(k.Bps * p / 100)) }

// twoDigits rounds to two significant digits, so that rates read well.
func twoDigits(v float64) float64 {
	if v <= 0 {
		return 0
	}
	scale := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/scale) * scale
}

// A probe doubles the offered rate from probeFrom until the relay no longer
// follows.
const (
	probeFrom = 250 * units.Mbps
	probeTo   = 200 * units.Gbps
	// probeGain is how much more must be delivered at twice the rate for the
	// relay to be taken as not yet at its limit.
	probeGain = 1.3
)

// kneeFinder decides, from one short look after another, where to look next. It
// is told what was delivered and says which rate to offer, until done.
type kneeFinder struct {
	next      units.Rate
	knee      Knee
	last      float64 // delivered at the rate before
	refine    int     // looks left between low and high
	low, high float64
	done      bool
}

func newKneeFinder() *kneeFinder { return &kneeFinder{next: probeFrom} }

// saw takes what was delivered at next, and whether the client was at its limit.
func (k *kneeFinder) saw(deliveredBps float64, clientLimited bool) {
	if clientLimited {
		k.knee.ClientLimited = true
	} else if deliveredBps > k.knee.Bps {
		k.knee.Bps = deliveredBps
	}
	switch {
	case k.refine > 0:
		if k.refine--; k.refine == 0 {
			k.done = true
			break
		}
		k.bisect(clientLimited)
	case clientLimited:
		// The last rate without the limit was half of this one: look between.
		k.low, k.high, k.refine = float64(k.next)/2, float64(k.next), 2
		k.bisect(true)
	case deliveredBps < probeGain*k.last:
		k.low, k.high, k.refine = float64(k.next)/2, float64(k.next), 1
		k.bisect(true)
	case k.next >= probeTo:
		k.done = true
	default:
		k.next *= 2
	}
	k.last = deliveredBps
}

// bisect goes on between low and high, of which next is the one that was too
// high or not.
func (k *kneeFinder) bisect(tooHigh bool) {
	if tooHigh {
		k.high = float64(k.next)
	} else {
		k.low = float64(k.next)
	}
	k.next = units.Rate(twoDigits(math.Sqrt(k.low * k.high)))
}

// failed takes it that the relay could not be measured at next: what was seen
// before must do.
func (k *kneeFinder) failed() { k.done = true }
