package results

import "fmt"

// CeilingTable is every configuration's ceiling.
func CeilingTable(ceilings []Ceiling) *Table {
	var cs []Config
	loads := map[Shape]bool{}
	for _, c := range ceilings {
		cs = append(cs, c.Config)
		loads[c.Config.Load] = true
	}
	names := Names(cs)
	t := &Table{Columns: []Column{
		{Head: "Configuration", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "95 % CI\nMbps"},
		{Head: "at offered\nMbps"}, {Head: "Loss\n%"}, {Head: "run\nCV %"}, {Head: "intv\nCV %"}, {Head: "CPU\n%"}, {Head: "n", Left: true},
	}}
	if len(loads) == 1 {
		t.Title = cs[0].Load.String()
	}
	for _, c := range ceilings {
		name := names[c.Config]
		if len(loads) > 1 {
			name += ", burst " + c.Config.Load.burst()
		}
		if c.At == nil {
			t.Rows = append(t.Rows, []string{name, na, na, na, na, na, na, na, "0"})
			t.Notes = append(t.Notes, fmt.Sprintf("%s: n/a: %s", name, c.NA))
			continue
		}
		p := c.At
		value := mbps(p.DeliveredBps.Mean)
		if c.AtLeast {
			value = "≥ " + value
			t.Notes = append(t.Notes, fmt.Sprintf("%s: ≥: %s", name, c.Why))
		}
		row := sweepRow(p)
		t.Rows = append(t.Rows, []string{name, value, row[4], row[0], row[5], row[6], row[7], row[11], row[13]})
	}
	return t
}
