package results

import (
	"slices"
	"strings"
)

// SpeedupTables set what each relay delivers over TLS beside what it delivers over
// tcp, at every offered rate that both were measured at; a table a load.
func SpeedupTables(points []*PointStats, ceilings []Ceiling) []*Table {
	at := map[Point]*PointStats{}
	for _, p := range points {
		if p.Valid > 0 {
			at[p.Point] = p
		}
	}
	var tables []*Table
	var t *Table
	var load Shape
	for _, cost := range TransportCosts(ceilings) {
		names := cost.names()
		base := cost.Base.Config
		relay := strings.Replace(names[base], " "+base.Transport, "", 1)
		for _, p := range points {
			c := p.Point.Config
			tcp := at[Point{Config: base, Offered: p.Point.Offered}]
			if c == base || p.Valid == 0 || tcp == nil || !slices.ContainsFunc(cost.Ceilings, func(x Ceiling) bool { return x.Config == c }) {
				continue
			}
			if t == nil || load != c.Load {
				load = c.Load
				t = speedupTable(load)
				tables = append(tables, t)
			}
			r := delivered(tcp, p, cost.transport(names, c))
			if r.NA != "" {
				t.addNote("n/a: " + r.NA + ".")
			}
			t.Rows = append(t.Rows, []string{
				relay, cost.transport(names, c), offeredCell(p), mbps(p.DeliveredBps.Mean), percent(p.Loss),
				mbps(tcp.DeliveredBps.Mean), percent(tcp.Loss), r.String(),
			})
		}
	}
	return tables
}

func speedupTable(load Shape) *Table {
	return &Table{
		Title: "TLS against tcp at every rate · " + load.String(), Keys: 2,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Transport", Left: true}, {Head: "Offered\nMbps"},
			{Head: "Deliv-\nered", Full: "Delivered Mbps"}, {Head: "Loss\n%"},
			{Head: "tcp\nMbps", Full: "Delivered over tcp Mbps"}, {Head: "Loss\n% tcp", Full: "Loss over tcp %"},
			{Head: "tcp of it\n[95 % CI]", Full: "tcp as a multiple of it [95 % CI]", Left: true},
		},
	}
}
