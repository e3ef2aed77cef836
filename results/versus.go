package results

import (
	"cmp"
	"math"
	"slices"

	"hdbench/internal/units"
	"hdbench/results/stat"
)

// Versus sets every configuration under one load beside the TS baseline: what each
// carries, beside TS over the same transport and beside TS over TLS, as published;
// what each delivers at every rate that it and TS were both offered; and what each
// pays at one and the same rate.
type Versus struct {
	Load Shape
	Rows []VersusRow
	// TS are the baseline's ceilings, the best of each transport.
	TS map[string]*Ceiling
	// Rate is where cost and latency are compared: the highest that every
	// configuration was offered and carried, or else the lowest they have in common.
	// CPU per Gbit falls with the load, so it is comparable at one rate only. Zero:
	// there is none in common.
	Rate  units.Rate
	Lossy bool // not all carried it
	At    map[Config]*PointStats
	Rates []RateRow
}

// VersusRow is one configuration beside TS.
type VersusRow struct {
	Ceiling Ceiling
	Same    *Ceiling // TS over the same transport; nil if it was not run so
	TLS     *Ceiling // TS over TLS; nil if it was not run so
	OfSame  Bounded
	OfTLS   Bounded
	IsTS    bool
}

// Of is the ratio that stands for the configuration where there is room for one:
// beside TS over the same transport, or if it was not run so, over TLS.
func (r *VersusRow) Of() Bounded {
	if r.Same != nil {
		return r.OfSame
	}
	return r.OfTLS
}

// RateRow is one offered rate at which a configuration and TS were both measured.
type RateRow struct {
	Offered units.Rate
	Point   *PointStats
	OfSame  Bounded // delivered, beside TS over the same transport at this rate
	OfTLS   Bounded // and beside TS over TLS
}

// IsBaseline reports whether a configuration is of the TS baseline.
func (c Config) IsBaseline() bool { return c.Relay == RelayDerper }

// CompareToTS makes one Versus for each load that a baseline was run with. compareAt
// fixes the rate of the cost comparison if it was measured.
func CompareToTS(points []*PointStats, compareAt units.Rate) []Versus {
	var order []Shape
	groups := map[Shape][]*PointStats{}
	for _, p := range points {
		if groups[p.Point.Load] == nil {
			order = append(order, p.Point.Load)
		}
		groups[p.Point.Load] = append(groups[p.Point.Load], p)
	}
	var vs []Versus
	for _, load := range order {
		if slices.ContainsFunc(groups[load], func(p *PointStats) bool { return p.Point.IsBaseline() }) {
			vs = append(vs, versusOf(load, groups[load], compareAt))
		}
	}
	return vs
}

func versusOf(load Shape, points []*PointStats, compareAt units.Rate) Versus {
	v := Versus{Load: load, TS: map[string]*Ceiling{}}
	ceilings := Ceilings(points)
	var measured []Config
	for i := range ceilings {
		c := &ceilings[i]
		if c.At != nil {
			measured = append(measured, c.Config)
		}
		if !c.Config.IsBaseline() {
			continue
		}
		if best := v.TS[c.Config.Transport]; best == nil || better(c, best) {
			v.TS[c.Config.Transport] = c
		}
	}
	tls := v.TS["tls"]
	for _, c := range ceilings {
		r := VersusRow{Ceiling: c, Same: v.TS[c.Config.Transport], TLS: tls, IsTS: c.Config.IsBaseline()}
		r.OfSame, r.OfTLS = besideTS(&r.Ceiling, r.Same, "TS was not run over "+c.Config.Transport), besideTS(&r.Ceiling, tls, "TS was not run over tls")
		v.Rows = append(v.Rows, r)
	}
	v.chooseRate(measured, points, compareAt)
	v.Rates = rateRows(points, v.TS)
	return v
}

// besideTS is a ceiling as a multiple of TS's, and why there is none.
func besideTS(c, ts *Ceiling, why string) Bounded {
	switch {
	case ts == nil:
		return Bounded{NA: why}
	case c.Config == ts.Config && c.At != nil:
		return Bounded{Ratio: stat.Ratio{Value: 1, Lo: 1, Hi: 1}}
	}
	return compareCeilings(c, ts)
}

// better reports whether a's ceiling is above b's.
func better(a, b *Ceiling) bool {
	return a.At != nil && (b.At == nil || a.Delivered.Value > b.Delivered.Value)
}

func (v *Versus) chooseRate(configs []Config, points []*PointStats, compareAt units.Rate) {
	common := commonRates(configs, points)
	if len(common) == 0 {
		return
	}
	choice := common[0]
	for _, r := range common {
		if r.carried {
			choice = r
		}
	}
	for _, r := range common {
		if units.Rate(r.offered) == compareAt {
			choice = r
		}
	}
	v.Rate, v.At, v.Lossy = units.Rate(choice.offered), choice.at, !choice.carried
}

// rateRows are what configurations delivered where TS was offered the same.
func rateRows(points []*PointStats, ts map[string]*Ceiling) []RateRow {
	at := map[Point]*PointStats{}
	for _, p := range points {
		if p.Valid > 0 {
			at[p.Point] = p
		}
	}
	of := func(p *PointStats, transport string) (Bounded, bool) {
		base := ts[transport]
		if base == nil {
			return Bounded{NA: "TS was not run over " + transport}, false
		}
		b := at[Point{Config: base.Config, Offered: p.Point.Offered}]
		if b == nil {
			return Bounded{NA: "TS over " + transport + " was not offered this rate"}, false
		}
		if p == b {
			return Bounded{Ratio: stat.Ratio{Value: 1, Lo: 1, Hi: 1}}, true
		}
		return delivered(p, b, "TS"), true
	}
	var rows []RateRow
	for _, p := range points {
		if p.Valid == 0 {
			continue
		}
		r := RateRow{Offered: p.Point.Offered, Point: p}
		var same, tls bool
		r.OfSame, same = of(p, p.Point.Transport)
		r.OfTLS, tls = of(p, "tls")
		if same || tls {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b RateRow) int { return cmp.Compare(a.Offered, b.Offered) })
	return rows
}

// delivered is what a delivered as a multiple of what b did, at one rate. Where the
// client or the line held some of one back, that one is a lower bound.
func delivered(a, b *PointStats, other string) Bounded {
	r := stat.RatioOf(a.DeliveredBps, b.DeliveredBps)
	switch {
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		return Bounded{NA: other + " delivered nothing"}
	case a.AtLeast() && b.AtLeast():
		return Bounded{NA: "the client or the line held back both"}
	case a.AtLeast() && r.Value < 1:
		return Bounded{NA: "the client or the line held some of it back"}
	case b.AtLeast() && r.Value > 1:
		return Bounded{NA: "the client or the line held some of what " + other + " could deliver back"}
	case a.AtLeast():
		return Bounded{Ratio: r, Bound: AtLeast}
	case b.AtLeast():
		return Bounded{Ratio: r, Bound: AtMost}
	}
	return Bounded{Ratio: r}
}

// highestMet is the highest rate, but max, that both configurations were offered; nil
// if there is none.
func (v *Versus) highestMet(a, b Config) (pa, pb *PointStats) {
	at := map[units.Rate]*PointStats{}
	for _, r := range v.Rates {
		if r.Point.Point.Config == b && !r.Offered.IsMax() {
			at[r.Offered] = r.Point
		}
	}
	for _, r := range v.Rates {
		if r.Point.Point.Config == a && at[r.Offered] != nil {
			pa, pb = r.Point, at[r.Offered]
		}
	}
	return pa, pb
}

func sortBy[T any](s []T, key func(T) float64) {
	slices.SortFunc(s, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}
