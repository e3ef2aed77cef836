package results

import (
	"fmt"
	"slices"

	"hdbench/results/stat"
)

// TransportCost sets one relay's transports beside each other: all else equal,
// what encryption costs it, and where it is best paid.
type TransportCost struct {
	Base     *Ceiling // over tcp; nil if there is none here
	Ceilings []Ceiling
}

// TransportCosts groups the configurations that differ in the transport and what
// belongs to it only. A relay with tcp alone, or without, makes no group.
func TransportCosts(ceilings []Ceiling) []TransportCost {
	var order []Config
	groups := map[Config][]Ceiling{}
	for _, c := range ceilings {
		k := withoutTransport(c.Config)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], c)
	}
	var costs []TransportCost
	for _, k := range order {
		g := TransportCost{Ceilings: groups[k]}
		for i := range g.Ceilings {
			if c := &g.Ceilings[i]; c.Config.Transport == "tcp" {
				g.Base = c
			}
		}
		if g.Base != nil && len(g.Ceilings) > 1 {
			costs = append(costs, g)
		}
	}
	return costs
}

func withoutTransport(c Config) Config {
	c.Transport, c.ClientTransport, c.FramesPerRecord = "", "", 0
	return c
}

// Tax is the share of the tcp ceiling that another transport costs, with its
// 95 % interval: 1 − ceiling / ceiling over tcp. Where one of the two is only a
// lower bound, so is the tax, or an upper one; AtLeast and AtMost say which.
type Tax struct {
	Value, Lo, Hi   float64 // Lo and Hi are NaN where either side has a single run
	AtLeast, AtMost bool
	NA              string // why there is none
}

// TaxOf is what c pays against base.
func TaxOf(c, base *Ceiling) Tax {
	switch {
	case c.At == nil:
		return Tax{NA: c.NA}
	case base.At == nil:
		return Tax{NA: "no ceiling over tcp: " + base.NA}
	case c.AtLeast && base.AtLeast:
		return Tax{NA: "neither was brought to its limit"}
	}
	r := stat.RatioOfEstimates(c.Delivered, base.Delivered)
	tax := Tax{Value: 1 - r.Value, Lo: 1 - r.Hi, Hi: 1 - r.Lo, AtLeast: base.AtLeast, AtMost: c.AtLeast}
	if tax.Hi-tax.Lo > widestTax {
		return Tax{NA: fmt.Sprintf("too noisy to say: %s to %s %%; more runs (runs: 12), or a quieter host", signedPercent(tax.Lo), signedPercent(tax.Hi))}
	}
	return tax
}

// widestTax is how wide the interval of a tax may be for it to be printed.
const widestTax = 0.5

// recordSizes reports whether the frames of a record were varied, which makes a
// table of its own.
func recordSizes(ceilings []Ceiling) bool {
	var seen []int
	for _, c := range ceilings {
		if c.Config.FramesPerRecord > 0 && !slices.Contains(seen, c.Config.FramesPerRecord) {
			seen = append(seen, c.Config.FramesPerRecord)
		}
	}
	return len(seen) > 1
}
