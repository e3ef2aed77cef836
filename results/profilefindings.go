package results

import (
	"fmt"

	"hdbench/internal/measure"
)

// Bounds of what a finding may be founded on.
const (
	findingSamples = 300  // of a profile
	findingNamed   = 0.95 // share in a named category
)

// profiles says how much of a relay's CPU time is its own code and how much
// the kernel's, each with the 95 % interval of a share of so many samples, of the
// best configuration of each relay and transport that was sampled well enough.
func (f *findings) profiles(ps []Profiled) {
	for _, best := range f.bests() {
		for _, p := range ps {
			if p.Config != best.Config || p.Profile == nil || !p.Trial.Trusts(Cost) ||
				p.Profile.Samples < findingSamples || p.Profile.Named() < findingNamed {
				continue
			}
			own := categoryShare(p.Profile, categoryRelay, false)
			f.say(p.Config.Load, "At %s Mbps offered, %s of the CPU time of %s is its own relay code and %s the kernel's (%d samples of %s).",
				rateCell(p.Trial), shareWithInterval(own, p.Profile), f.names[p.Config], shareWithInterval(p.Profile.Of(true), p.Profile),
				p.Profile.Samples, p.Profile.Event)
		}
	}
}

// categoryRelay is the category of the relay's own code in the rules that are
// built in.
const categoryRelay = "user relay"

func shareWithInterval(share float64, p *measure.Profile) string {
	lo, hi := shareInterval(share, p.Samples)
	return fmt.Sprintf("%s %% (95 %% CI %s to %s)", percent(share), percent(lo), percent(hi))
}
