package results

import "fmt"

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
		Title: v.title(), Keys: 1,
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
		of, why := v.ofBaseline(&c)
		if why != "" {
			t.addNote("of TS n/a: " + why)
		}
		t.Rows = append(t.Rows, []string{
			names[c.Config], c.value(), percent(p.Loss), percent(p.DeliveredBps.CV), of,
			mbps(p.DeliveredBps.Mean * publishedFooting),
		})
	}
	return t
}

// ofBaseline is a ceiling as a multiple of the baseline's. Where one of the two
// is only a lower bound, so is the ratio, or an upper one.
func (v *Versus) ofBaseline(c *Ceiling) (cell, why string) {
	switch {
	case v.Baseline == nil:
		return na, "the baseline has no valid trial under this load"
	case c.Config == v.Baseline.Config:
		return "1 (TS)", ""
	case c.AtLeast && v.Baseline.AtLeast:
		return na, "neither was brought to its limit"
	}
	r := RatioOf(c.At.DeliveredBps, v.Baseline.At.DeliveredBps).String()
	switch {
	case c.AtLeast:
		return "≥ " + r, ""
	case v.Baseline.AtLeast:
		return "≤ " + r, ""
	}
	return r, ""
}

func (v *Versus) costTable(names map[Config]string) *Table {
	if v.At == nil {
		return &Table{Notes: []string{v.title() + ": cost n/a: no offered rate has a valid trial of every relay"}}
	}
	t := &Table{
		Title: fmt.Sprintf("%s: cost at %v offered", v.title(), v.Rate), Keys: 1,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Deliv-\nered", Full: "Delivered Mbps"}, {Head: "Loss\n%"},
			{Head: "CPU\n%", Full: "relay CPU %"}, {Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"},
			{Head: "of TS\n[95 % CI]", Left: true}, {Head: "p50", Full: latencyHead(v.Load) + " p50", Break: true},
			{Head: latencyHead(v.Load) + "\np99"}, {Head: "p99.9", Full: latencyHead(v.Load) + " p99.9"},
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
