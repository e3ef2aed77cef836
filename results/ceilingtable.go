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
	t := &Table{
		Title: load.String(), Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "95 % CI\nMbps"},
			{Head: "at offered\nMbps"}, {Head: "Loss\n%"}, {Head: "run\nCV %"}, {Head: "intv\nCV %", Full: "interval CV %"},
			{Head: "CPU\n%", Full: "relay CPU %"}, {Head: "n", Left: true}, {Head: "Carried\nMbps", Full: "highest rate carried, Mbps offered", Break: true}, {Head: "Limit", Left: true, Full: "Limit: what stopped it"},
		},
	}
	for _, c := range ceilings {
		name := names[c.Config]
		if c.At == nil {
			t.Rows = append(t.Rows, []string{name, na, na, na, na, na, na, na, "0", na, na})
			t.addNote(name + ": n/a: " + c.NA)
			continue
		}
		p := c.At
		t.Rows = append(t.Rows, []string{
			name, c.value(), c.interval(), offeredCell(p), percent(p.Loss), percent(p.DeliveredBps.CV), percent(p.IntervalCV),
			p.cell(Cost, percent(p.RelayCPU.Mean)), runs(p), c.carriedCell(), string(c.Limit.What),
		})
		t.addNote(c.Limit.note(name))
	}
	return t
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
