package results

import (
	"math"
	"strings"

	"hdbench/internal/units"
	"hdbench/results/stat"
)

// TaxCPUTables are what encryption costs in CPU time, at one offered rate that all
// transports of a relay were measured at: this holds also where no ceiling was
// reached. A relay without such a rate, or on a
// host that cannot tell CPU time, has no row.
func TaxCPUTables(points []*PointStats, ceilings []Ceiling) []*Table {
	var tables []*Table
	var t *Table
	var load Shape
	for _, cost := range TransportCosts(ceilings) {
		rate, at := cost.commonRate(points)
		if rate == 0 || math.IsNaN(at[cost.Base.Config].CPUPerGbit.Mean) {
			continue
		}
		if shape := cost.Base.Config.Load; t == nil || shape != load {
			load = shape
			t = &Table{
				Title: taxTitle(ceilings) + " in CPU time · " + load.String(), Keys: 2,
				Columns: []Column{
					{Head: "Relay", Left: true}, {Head: "Transport", Left: true}, {Head: "Offered\nMbps"}, {Head: "Deliv-\nered", Full: "Delivered Mbps"},
					{Head: "CPU\n%", Full: "relay CPU %"}, {Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"},
					{Head: "of tcp\n[95 % CI]", Full: "of tcp [95 % CI]", Left: true},
				},
				Notes: []string{"At the highest offered rate that all transports of a relay have in common; CPU-s/Gbit is per delivered Gbit."},
			}
			tables = append(tables, t)
		}
		names := cost.names()
		relay := strings.Replace(names[cost.Base.Config], " "+cost.Base.Config.Transport, "", 1)
		base := at[cost.Base.Config]
		for _, c := range cost.Ceilings {
			p := at[c.Config]
			if p == nil {
				continue
			}
			of := "–"
			if p != base {
				of = ratio(stat.RatioOf(p.CPUPerGbit, base.CPUPerGbit))
			}
			t.Rows = append(t.Rows, []string{
				relay, cost.transport(names, c.Config), mbps(float64(rate)), mbps(p.DeliveredBps.Mean),
				percent(p.RelayCPU.Mean), number(p.CPUPerGbit.Mean), of,
			})
		}
	}
	return tables
}

// commonRate is the highest offered rate with a valid point of every transport
// that was measured at all; zero if there is none, or tcp alone was measured.
func (g *TransportCost) commonRate(points []*PointStats) (units.Rate, map[Config]*PointStats) {
	var measured []Config
	for _, c := range g.Ceilings {
		if c.At != nil {
			measured = append(measured, c.Config)
		}
	}
	if len(measured) < 2 || g.Base.At == nil {
		return 0, nil
	}
	common := commonRates(measured, points)
	if len(common) == 0 {
		return 0, nil
	}
	top := common[len(common)-1]
	return units.Rate(top.offered), top.at
}
