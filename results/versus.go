package results

import (
	"cmp"
	"slices"

	"hdbench/internal/units"
)

// Versus sets the relays beside the TS baseline under one load: everybody's
// ceiling, and what everybody pays at one and the same offered rate.
type Versus struct {
	Load      Shape
	Transport string
	Baseline  *Ceiling // derper's; nil if it has none here
	Ceilings  []Ceiling
	// Rate is where cost and latency are compared: the highest at which all
	// deliver at least 99 %, or else the lowest all have in common. CPU per Gbit
	// falls with the load, so it is comparable at one rate only. Zero: there is
	// none in common.
	Rate  units.Rate
	Lossy bool // not all deliver 99 % even there
	At    map[Config]*PointStats
}

// enough is the share of the offered rate that counts as delivering it.
const enough = 0.99

// CompareToTS makes one Versus for each load and transport that a baseline was
// run with. compareAt fixes the rate of the cost comparison if it was measured.
func CompareToTS(points []*PointStats, compareAt units.Rate) []Versus {
	type key struct {
		load      Shape
		transport string
	}
	var order []key
	groups := map[key][]*PointStats{}
	for _, p := range points {
		k := key{p.Point.Load, p.Point.Transport}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], p)
	}
	var vs []Versus
	for _, k := range order {
		ps := groups[k]
		v := Versus{Load: k.load, Transport: k.transport, Ceilings: Ceilings(ps)}
		var measured []Config
		for i := range v.Ceilings {
			c := &v.Ceilings[i]
			if c.Config.Relay == RelayDerper && c.At != nil && (v.Baseline == nil || better(c, v.Baseline)) {
				v.Baseline = c
			}
			if c.At != nil {
				measured = append(measured, c.Config)
			}
		}
		if v.Baseline == nil && !slices.ContainsFunc(v.Ceilings, func(c Ceiling) bool { return c.Config.Relay == RelayDerper }) {
			continue
		}
		v.chooseRate(measured, ps, compareAt)
		vs = append(vs, v)
	}
	return vs
}

func better(a, b *Ceiling) bool { return a.At.DeliveredBps.Mean > b.At.DeliveredBps.Mean }

func (v *Versus) chooseRate(configs []Config, points []*PointStats, compareAt units.Rate) {
	common := commonRates(configs, points)
	if len(common) == 0 {
		return
	}
	choice := common[0]
	for _, r := range common {
		if r.worst >= enough {
			choice = r
		}
	}
	for _, r := range common {
		if units.Rate(r.offered) == compareAt {
			choice = r
		}
	}
	v.Rate, v.At, v.Lossy = units.Rate(choice.offered), choice.at, choice.worst < enough
}

func sortBy[T any](s []T, key func(T) float64) {
	slices.SortFunc(s, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}
