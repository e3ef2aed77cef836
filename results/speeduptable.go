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
			t.Rows = append(t.Rows, speedupFields.row(speedup{relay, cost.transport(names, c), p, tcp, r}))
		}
	}
	return tables
}

func speedupTable(load Shape) *Table {
	return &Table{Title: "TLS against tcp at every rate · " + load.String(), Keys: 2, Columns: speedupFields.columns()}
}

// speedup is what a relay delivers over TLS and over tcp at one offered rate.
type speedup struct {
	relay, transport string
	tls, tcp         *PointStats
	ratio            Bounded
}

var speedupFields = fields[speedup]{
	{Column{Head: "Relay", Left: true}, func(s speedup) string { return s.relay }},
	{Column{Head: "Transport", Left: true}, func(s speedup) string { return s.transport }},
	{Column{Head: "Offered\nMbps"}, func(s speedup) string { return offeredCell(s.tls) }},
	{Column{Head: "Deliv-\nered", Full: "Delivered Mbps"}, func(s speedup) string { return mbps(s.tls.DeliveredBps.Mean) }},
	{Column{Head: "Loss\n%"}, func(s speedup) string { return percent(s.tls.Loss) }},
	{Column{Head: "tcp\nMbps", Full: "Delivered over tcp Mbps"}, func(s speedup) string { return mbps(s.tcp.DeliveredBps.Mean) }},
	{Column{Head: "Loss\n% tcp", Full: "Loss over tcp %"}, func(s speedup) string { return percent(s.tcp.Loss) }},
	{Column{Head: "tcp of it\n[95 % CI]", Full: "tcp as a multiple of it [95 % CI]", Left: true}, func(s speedup) string { return s.ratio.String() }},
}
