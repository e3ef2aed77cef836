package results

import (
	"fmt"
	"slices"

	"hdbench/results/stat"
)

// VersusTables are one comparison with the TS baseline: the ceilings, what was
// delivered at every rate, and what each relay pays at one.
func VersusTables(v *Versus) []*Table {
	names := v.names()
	tables := []*Table{v.ceilingTable(names)}
	if t := v.rateTable(names); t != nil {
		tables = append(tables, t)
	}
	return append(tables, v.costTable(names))
}

func (v *Versus) names() map[Config]string {
	var cs []Config
	for _, r := range v.Rows {
		cs = append(cs, r.Ceiling.Config)
	}
	return Names(cs)
}

// The columns of ratios to TS.
var (
	sameTransport = Column{Head: "× TS, same\ntransport [95 % CI]", Full: "× TS over the same transport [95 % CI]", Left: true}
	overTLS       = Column{Head: "× TS over TLS\n[95 % CI]", Full: "× TS over TLS [95 % CI]", Left: true}
)

func (v *Versus) ceilingTable(names map[Config]string) *Table {
	t := &Table{Title: v.Load.String(), Keys: 1}
	found := naUnless(func(r *VersusRow) bool { return r.Ceiling.At != nil })
	fs := fields[*VersusRow]{
		{Column{Head: "Relay", Left: true}, func(r *VersusRow) string { return names[r.Ceiling.Config] }},
		{Column{Head: "Ceiling\nMbps"}, found(func(r *VersusRow) string { return r.Ceiling.value() })},
		{Column{Head: "Loss\nthere %"}, found(func(r *VersusRow) string { return percent(r.Ceiling.At.Loss) })},
		{Column{Head: "run\nCV %"}, found(func(r *VersusRow) string { return percent(r.Ceiling.At.DeliveredBps.CV) })},
		{sameTransport, found(func(r *VersusRow) string { return v.cell(t, r, names, r.Same, r.OfSame, "× TS") })},
		{overTLS, found(func(r *VersusRow) string { return v.cell(t, r, names, r.TLS, r.OfTLS, "× TS over TLS") })},
	}
	t.Columns = fs.columns()
	for i := range v.Rows {
		r := &v.Rows[i]
		c := &r.Ceiling
		name := names[c.Config]
		t.Rows = append(t.Rows, fs.row(r))
		if c.At == nil {
			t.addNote(name + ": n/a: " + c.NA)
			continue
		}
		if c.AtLeast {
			t.addNote(fmt.Sprintf("≥ of %s: %s (limit: %s).", name, c.Why, c.Limit.What))
		}
	}
	return t
}

// cell is a ratio, and where there is none a note with the reason and what can be
// said instead.
func (v *Versus) cell(t *Table, r *VersusRow, names map[Config]string, ts *Ceiling, b Bounded, head string) string {
	switch {
	case ts != nil && ts.Config == r.Ceiling.Config:
		return "1 (TS)"
	case b.NA == "":
		return b.String()
	}
	note := fmt.Sprintf("%s of %s n/a: %s", head, names[r.Ceiling.Config], b.NA)
	if ts != nil {
		note += v.instead(r.Ceiling.Config, ts.Config)
	}
	t.addNote(note + ".")
	return na
}

// instead is what two configurations delivered at the highest rate both were
// offered.
func (v *Versus) instead(c, ts Config) string {
	a, b := v.highestMet(c, ts)
	if a == nil {
		return "; they were offered no rate in common"
	}
	return fmt.Sprintf("; at %v, the highest rate both were offered, it delivered %s (%s %% lost), TS %s (%s %% lost)",
		a.Point.Offered, mbps(a.DeliveredBps.Mean), percent(a.Loss), mbps(b.DeliveredBps.Mean), percent(b.Loss))
}

func (v *Versus) rateTable(names map[Config]string) *Table {
	if len(v.Rates) == 0 {
		return nil
	}
	// ratio is a ratio to TS in a row, which may be TS's own.
	ratio := func(b Bounded, own bool) string {
		if own {
			return "1 (TS)"
		}
		return b.String()
	}
	fs := fields[*RateRow]{
		{Column{Head: "Offered\nMbps"}, func(r *RateRow) string { return offeredCell(r.Point) }},
		{Column{Head: "Relay", Left: true}, func(r *RateRow) string { return names[r.Point.Point.Config] }},
		{Column{Head: "Delivered\nMbps"}, func(r *RateRow) string { return mbps(r.Point.DeliveredBps.Mean) }},
		{Column{Head: "Loss\n%"}, func(r *RateRow) string { return percent(r.Point.Loss) }},
		{sameTransport, func(r *RateRow) string { return ratio(r.OfSame, r.Point.Point.IsBaseline()) }},
		{overTLS, func(r *RateRow) string {
			return ratio(r.OfTLS, r.Point.Point.IsBaseline() && r.Point.Point.Transport == "tls")
		}},
	}
	counted := naUnless(func(r *RateRow) bool { return r.Point.Counters.N > 0 })
	for i, k := range v.counterColumns() {
		head := counterMetrics[k].head
		head.Break = i == 0
		fs = append(fs, field[*RateRow]{head, counted(func(r *RateRow) string {
			return counterCell(r.Point.Counters.Values[k], counterMetrics[k].print)
		})})
	}
	t := &Table{Title: "Delivered at every rate in common with TS", Keys: 2, Columns: fs.columns()}
	for i := range v.Rates {
		r := &v.Rates[i]
		for _, b := range []Bounded{r.OfSame, r.OfTLS} {
			if b.NA != "" {
				t.addNote("n/a: " + b.NA + ".")
			}
		}
		t.Rows = append(t.Rows, fs.row(r))
	}
	return t
}

// counterColumns are the counters that stand beside the rates, as published: LLC
// misses by packet and as counted, and L1 misses. There are none without a PMU.
func (v *Versus) counterColumns() []int {
	var shown []int
	for _, key := range []string{"llc_misses_per_packet", "llc_misses", "l1d_misses_per_packet"} {
		k := counterNamed(key)
		if slices.ContainsFunc(v.Rates, func(r RateRow) bool { return r.Point.Counters.N > 0 && r.Point.Counters.Values[k].N > 0 }) {
			shown = append(shown, k)
		}
	}
	return shown
}

func (v *Versus) costTable(names map[Config]string) *Table {
	if v.At == nil {
		return &Table{Notes: []string{v.Load.String() + ": cost n/a: no offered rate was measured with every relay"}}
	}
	latency := latencyHead(v.Load)
	at := func(cell func(*PointStats) string) func(*VersusRow) string {
		return func(r *VersusRow) string { return cell(v.At[r.Ceiling.Config]) }
	}
	fs := fields[*VersusRow]{
		{Column{Head: "Relay", Left: true}, func(r *VersusRow) string { return names[r.Ceiling.Config] }},
		{Column{Head: "Deliv-\nered", Full: "Delivered Mbps"}, at(func(p *PointStats) string { return mbps(p.DeliveredBps.Mean) })},
		{Column{Head: "Loss\n%"}, at(func(p *PointStats) string { return percent(p.Loss) })},
		{Column{Head: "CPU\n%", Full: "relay CPU %"}, at(func(p *PointStats) string { return p.cell(Cost, percent(p.RelayCPU.Mean)) })},
		{Column{Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"}, at(func(p *PointStats) string { return p.cell(Cost, number(p.CPUPerGbit.Mean)) })},
		{Column{Head: "× TS, same\n[95 % CI]", Full: "CPU-s/Gbit × TS over the same transport [95 % CI]", Left: true}, v.costOfSame},
		{Column{Head: "p50", Full: latency + " p50", Break: true}, at(func(p *PointStats) string { return p.latencyCell(50) })},
		{Column{Head: latency + "\np99"}, at(func(p *PointStats) string { return p.latencyCell(99) })},
		{Column{Head: "p99\n95 % CI", Full: latency + " p99 95 % CI"}, at((*PointStats).p99Interval)},
		{Column{Head: "p99.9", Full: latency + " p99.9"}, at(func(p *PointStats) string { return p.latencyCell(99.9) })},
	}
	t := &Table{Title: fmt.Sprintf("Cost at %v offered", v.Rate), Keys: 1, Columns: fs.columns()}
	if v.Lossy {
		t.addNote("no offered rate was carried by all of them: CPU-s/Gbit is per delivered Gbit")
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		p := v.At[r.Ceiling.Config]
		if p == nil {
			continue
		}
		t.Rows = append(t.Rows, fs.row(r))
		for _, n := range p.spoiledNotes() {
			t.addNote(n)
		}
	}
	return t
}

// costOfSame is what a relay's Gbit costs, as a multiple of TS's.
func (v *Versus) costOfSame(r *VersusRow) string {
	if r.Same == nil {
		return na
	}
	switch p, base := v.At[r.Ceiling.Config], v.At[r.Same.Config]; base {
	case nil:
		return na
	case p:
		return "1 (TS)"
	default:
		return ratio(stat.RatioOf(p.CPUPerGbit, base.CPUPerGbit))
	}
}
