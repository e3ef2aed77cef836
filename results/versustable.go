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

func (v *Versus) ceilingTable(names map[Config]string) *Table {
	t := &Table{
		Title: v.Load.String(), Keys: 1,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "Loss\nthere %"}, {Head: "run\nCV %"},
			{Head: "× TS, same\ntransport [95 % CI]", Full: "× TS over the same transport [95 % CI]", Left: true},
			{Head: "× TS over TLS\n[95 % CI]", Full: "× TS over TLS [95 % CI]", Left: true},
		},
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		c := &r.Ceiling
		name := names[c.Config]
		if c.At == nil {
			t.Rows = append(t.Rows, []string{name, na, na, na, na, na})
			t.addNote(name + ": n/a: " + c.NA)
			continue
		}
		t.Rows = append(t.Rows, []string{
			name, c.value(), percent(c.At.Loss), percent(c.At.DeliveredBps.CV),
			v.cell(t, r, names, r.Same, r.OfSame, "× TS"), v.cell(t, r, names, r.TLS, r.OfTLS, "× TS over TLS"),
		})
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
	t := &Table{
		Title: "Delivered at every rate in common with TS", Keys: 2,
		Columns: []Column{
			{Head: "Offered\nMbps"}, {Head: "Relay", Left: true}, {Head: "Delivered\nMbps"}, {Head: "Loss\n%"},
			{Head: "× TS, same\ntransport [95 % CI]", Full: "× TS over the same transport [95 % CI]", Left: true},
			{Head: "× TS over TLS\n[95 % CI]", Full: "× TS over TLS [95 % CI]", Left: true},
		},
	}
	counters := v.counterColumns()
	for i, k := range counters {
		c := counterMetrics[k].head
		c.Break = i == 0
		t.Columns = append(t.Columns, c)
	}
	for _, r := range v.Rates {
		p := r.Point
		same, tls := r.OfSame.String(), r.OfTLS.String()
		if p.Point.IsBaseline() {
			if same = "1 (TS)"; p.Point.Transport == "tls" {
				tls = same
			}
		}
		for _, b := range []Bounded{r.OfSame, r.OfTLS} {
			if b.NA != "" {
				t.addNote("n/a: " + b.NA + ".")
			}
		}
		row := []string{offeredCell(p), names[p.Point.Config], mbps(p.DeliveredBps.Mean), percent(p.Loss), same, tls}
		for _, k := range counters {
			cell := na
			if p.Counters.N > 0 {
				cell = counterCell(p.Counters.Values[k], counterMetrics[k].print)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
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
	t := &Table{
		Title: fmt.Sprintf("Cost at %v offered", v.Rate), Keys: 1,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Deliv-\nered", Full: "Delivered Mbps"}, {Head: "Loss\n%"},
			{Head: "CPU\n%", Full: "relay CPU %"}, {Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"},
			{Head: "× TS, same\n[95 % CI]", Full: "CPU-s/Gbit × TS over the same transport [95 % CI]", Left: true}, {Head: "p50", Full: latencyHead(v.Load) + " p50", Break: true},
			{Head: latencyHead(v.Load) + "\np99"}, {Head: "p99\n95 % CI", Full: latencyHead(v.Load) + " p99 95 % CI"}, {Head: "p99.9", Full: latencyHead(v.Load) + " p99.9"},
		},
	}
	if v.Lossy {
		t.addNote("no offered rate was carried by all of them: CPU-s/Gbit is per delivered Gbit")
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		p := v.At[r.Ceiling.Config]
		if p == nil {
			continue
		}
		of := na
		if r.Same != nil {
			switch base := v.At[r.Same.Config]; {
			case base == nil:
			case p == base:
				of = "1 (TS)"
			default:
				of = ratio(stat.RatioOf(p.CPUPerGbit, base.CPUPerGbit))
			}
		}
		t.Rows = append(t.Rows, []string{
			names[r.Ceiling.Config], mbps(p.DeliveredBps.Mean), percent(p.Loss), p.cell(Cost, percent(p.RelayCPU.Mean)), p.cell(Cost, number(p.CPUPerGbit.Mean)), of,
			p.latencyCell(50), p.latencyCell(99), p.p99Interval(), p.latencyCell(99.9),
		})
		for _, n := range p.spoiledNotes() {
			t.addNote(n)
		}
	}
	return t
}
