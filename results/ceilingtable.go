package results

import "slices"

// CeilingTables are the configurations' ceilings, a table for each load.
func CeilingTables(ceilings []Ceiling) []*Table {
	var loads []Shape
	for _, c := range ceilings {
		if !slices.Contains(loads, c.Config.Load) {
			loads = append(loads, c.Config.Load)
		}
	}
	var tables []*Table
	for _, load := range loads {
		tables = append(tables, ceilingTable(load, slices.DeleteFunc(slices.Clone(ceilings), func(c Ceiling) bool { return c.Config.Load != load })))
	}
	return tables
}

func ceilingTable(load Shape, ceilings []Ceiling) *Table {
	var cs []Config
	for _, c := range ceilings {
		cs = append(cs, c.Config)
	}
	names := Names(cs)
	t := &Table{
		Title: load.String(), Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "95 % CI\nMbps"},
			{Head: "at offered\nMbps"}, {Head: "Loss\n%"}, {Head: "run\nCV %"}, {Head: "intv\nCV %", Full: "interval CV %"},
			{Head: "CPU\n%", Full: "relay CPU %"}, {Head: "n", Left: true},
		},
	}
	for _, c := range ceilings {
		name := names[c.Config]
		if c.At == nil {
			t.Rows = append(t.Rows, []string{name, na, na, na, na, na, na, na, "0"})
			t.addNote(name + ": n/a: " + c.NA)
			continue
		}
		if c.AtLeast {
			t.addNote(name + ": ≥: " + c.Why)
		}
		row := sweepRow(c.At)
		t.Rows = append(t.Rows, []string{name, c.value(), row[4], row[0], row[5], row[6], row[7], row[11], row[13]})
	}
	return t
}

// value is the ceiling as a cell.
func (c *Ceiling) value() string {
	if c.AtLeast {
		return "≥ " + mbps(c.At.DeliveredBps.Mean)
	}
	return mbps(c.At.DeliveredBps.Mean)
}
