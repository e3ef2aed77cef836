package results

import (
	"fmt"
	"math"
	"slices"
)

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
	fs := ceilingFields(names)
	t := &Table{Title: load.String(), Keys: 1, Columns: fs.columns()}
	for i := range ceilings {
		c := &ceilings[i]
		t.Rows = append(t.Rows, fs.row(c))
		if c.At == nil {
			t.addNote(names[c.Config] + ": n/a: " + c.NA)
			continue
		}
		t.addNote(c.Limit.note(names[c.Config]))
	}
	return t
}

// ceilingFields are the columns of the ceilings, which have these names.
func ceilingFields(names map[Config]string) fields[*Ceiling] {
	found := naUnless(func(c *Ceiling) bool { return c.At != nil })
	// at is a cell of the point that the ceiling stands at.
	at := func(cell func(*PointStats) string) func(*Ceiling) string {
		return found(func(c *Ceiling) string { return cell(c.At) })
	}
	return fields[*Ceiling]{
		{Column{Head: "Configuration", Left: true}, func(c *Ceiling) string { return names[c.Config] }},
		{Column{Head: "Ceiling\nMbps"}, found((*Ceiling).value)},
		{Column{Head: "95 % CI\nMbps"}, found((*Ceiling).interval)},
		{Column{Head: "at offered\nMbps"}, at(offeredCell)},
		{Column{Head: "Loss\n%"}, at(func(p *PointStats) string { return percent(p.Loss) })},
		{Column{Head: "run\nCV %"}, at(func(p *PointStats) string { return percent(p.DeliveredBps.CV) })},
		{Column{Head: "intv\nCV %", Full: "interval CV %"}, at(func(p *PointStats) string { return percent(p.IntervalCV) })},
		{Column{Head: "CPU\n%", Full: "relay CPU %"}, at(func(p *PointStats) string { return p.cell(Cost, percent(p.RelayCPU.Mean)) })},
		{Column{Head: "n", Left: true}, func(c *Ceiling) string {
			if c.At == nil {
				return "0"
			}
			return runs(c.At)
		}},
		{Column{Head: "Carried\nMbps", Full: "highest rate carried, Mbps offered", Break: true}, found((*Ceiling).carriedCell)},
		{Column{Head: "Limit", Left: true, Full: "Limit: what stopped it"}, found(func(c *Ceiling) string { return string(c.Limit.What) })},
	}
}

// value is the ceiling as a cell.
func (c *Ceiling) value() string {
	switch {
	case c.Delivered.TooNoisy():
		return "too noisy"
	case c.AtLeast:
		return "≥ " + mbps(c.Delivered.Value)
	}
	return mbps(c.Delivered.Value)
}

// interval is the ceiling's 95 % interval as a cell.
func (c *Ceiling) interval() string {
	if math.IsNaN(c.Delivered.Lo) {
		return na
	}
	return fmt.Sprintf("%s–%s", mbps(c.Delivered.Lo), mbps(c.Delivered.Hi))
}

// carriedCell is the highest rate that the configuration carried.
func (c *Ceiling) carriedCell() string {
	if c.Carried == nil {
		return na
	}
	return offeredCell(c.Carried)
}

// note is what a configuration's limit rests on and what would move it.
func (l *Limit) note(name string) string {
	s := fmt.Sprintf("Limit of %s: %s: %s", name, l.What, limitInfoOf(l.What).meaning)
	if l.Trials > 0 {
		s += fmt.Sprintf("; %d of %s above what it carried say so", l.Agree, plural(l.Trials, "trial"))
	}
	if l.Evidence != "" {
		s += " (" + l.Evidence + ")"
	}
	return s + ". To move it: " + l.Remedy + "."
}
