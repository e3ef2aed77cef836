package results

import (
	"fmt"
)

// VersusTables are one comparison with the TS baseline: the ceilings, and what
// each relay pays at one offered rate.
func VersusTables(v *Versus) []*Table {
	var cs []Config
	for _, c := range v.Ceilings {
		cs = append(cs, c.Config)
	}
	names := Names(cs)
	return []*Table{v.ceilingTable(names), v.costTable(names)}
}

func (v *Versus) title() string { return v.Load.String() + ", " + v.Transport }

func (v *Versus) ceilingTable(names map[Config]string) *Table {
	t := &Table{
		Title: v.title(),
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "Loss\nthere %"}, {Head: "run\nCV %"},
			{Head: "of TS\n[95 % CI]", Left: true}, {Head: "on published\nfooting"},
		},
	}
	for _, c := range v.Ceilings {
		if c.At == nil {
			t.Rows = append(t.Rows, []string{names[c.Config], na, na, na, na, na})
			t.addNote(names[c.Config] + ": n/a: " + c.NA)
			continue
		}
		p := c.At
		value := mbps(p.DeliveredBps.Mean)
		if c.AtLeast {
			value = "≥ " + value
			t.addNote("≥: " + c.Why)
		}
		of := na
		switch {
		case v.Baseline == nil:
			t.addNote("of TS n/a: the baseline has no valid trial under this load")
		case c.Config == v.Baseline.Config:
			of = "1 (TS)"
		default:
			of = RatioOf(p.DeliveredBps, v.Baseline.At.DeliveredBps).String()
			if c.AtLeast && !v.Baseline.AtLeast {
				of = "≥ " + of
			}
		}
		t.Rows = append(t.Rows, []string{
			names[c.Config], value, percent(p.Loss), percent(p.DeliveredBps.CV), of,
			mbps(p.DeliveredBps.Mean * publishedFooting),
		})
	}
	t.addNote(fmt.Sprintf("on published footing: × %.3f, because the tool behind the published figures divides by a time that includes a drain of some 2 s (it reads 2606 Mbps where 3000 are offered and none is lost)", publishedFooting))
	return t
}

func (v *Versus) costTable(names map[Config]string) *Table {
	if v.At == nil {
		return &Table{Notes: []string{v.title() + ": cost n/a: no offered rate has a valid trial of every relay"}}
	}
	t := &Table{
		Title: fmt.Sprintf("%s: cost at %v offered", v.title(), v.Rate),
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Deliv-\nered"}, {Head: "Loss\n%"}, {Head: "CPU\n%"}, {Head: "CPU-s\n/Gbit"},
			{Head: "of TS\n[95 % CI]", Left: true}, {Head: "p50"}, {Head: latencyHead(v.Load) + "\np99"}, {Head: "p99.9"},
		},
	}
	if v.Lossy {
		t.addNote("no offered rate was delivered by all of them to 99 %: CPU-s/Gbit is per delivered Gbit")
	}
	var base *PointStats
	if v.Baseline != nil {
		base = v.At[v.Baseline.Config]
	}
	for _, c := range v.Ceilings {
		p := v.At[c.Config]
		if p == nil {
			continue
		}
		of := na
		switch {
		case base == nil:
		case p == base:
			of = "1 (TS)"
		default:
			of = RatioOf(p.CPUPerGbit, base.CPUPerGbit).String()
		}
		row := sweepRow(p)
		t.Rows = append(t.Rows, []string{names[c.Config], row[3], row[5], row[11], row[12], of, row[8], row[9], row[10]})
	}
	return t
}
