package results

import (
	"fmt"
	"strings"
)

// SweepTables are the rate sweeps: one table a configuration, a row each offered
// rate.
func SweepTables(points []*PointStats) []*Table {
	names := namesOf(points)
	var tables []*Table
	var t *Table
	var fs fields[*PointStats]
	var last Config
	for i, p := range points {
		if i == 0 || p.Point.Config != last {
			last, fs = p.Point.Config, sweepFields(p.Point.Load)
			t = &Table{
				Title:   names[last] + " · " + last.Load.String(),
				Columns: fs.columns(),
				Keys:    1,
			}
			tables = append(tables, t)
		}
		t.Rows = append(t.Rows, fs.row(p))
		if p.NA != "" {
			t.addNote("n/a: " + p.NA)
		}
		if p.DeliveredBps.N == 1 {
			t.addNote("interval and run CV n/a: they need two runs at least")
		}
	}
	return tables
}

// sweepFields are the columns of the rate sweeps of a load.
func sweepFields(load Shape) fields[*PointStats] {
	latency := latencyHead(load)
	return fields[*PointStats]{
		{Column{Head: "Offered\nMbps"}, offeredCell},
		{Column{Head: "Sent\nMbps"}, func(p *PointStats) string { return mbps(p.SentBps.Mean) }},
		{Column{Head: "Short-\nfall %", Full: "Shortfall %"}, func(p *PointStats) string { return percent(p.Shortfall) }},
		{Column{Head: "Deliv-\nered", Full: "Delivered Mbps"}, func(p *PointStats) string { return mbps(p.DeliveredBps.Mean) }},
		{Column{Head: "95 % CI\nMbps"}, func(p *PointStats) string { return plusMinus(p.DeliveredBps.Half / 1e6) }},
		{Column{Head: "Loss\n%"}, func(p *PointStats) string { return percent(p.Loss) }},
		{Column{Head: "run\nCV %"}, func(p *PointStats) string { return percent(p.DeliveredBps.CV) }},
		{Column{Head: "intv\nCV %", Full: "interval CV %"}, func(p *PointStats) string { return percent(p.IntervalCV) }},
		{Column{Head: "p50", Full: latency + " p50", Break: true}, func(p *PointStats) string { return p.latencyCell(50) }},
		{Column{Head: latency + "\np99"}, func(p *PointStats) string { return p.latencyCell(99) }},
		{Column{Head: "p99.9", Full: latency + " p99.9"}, func(p *PointStats) string { return p.latencyCell(99.9) }},
		{Column{Head: "client\np99", Full: "the client's own share of p99, at most"}, (*PointStats).clientShareCell},
		{Column{Head: "CPU\n%", Full: "relay CPU %"}, func(p *PointStats) string { return p.cell(Cost, percent(p.RelayCPU.Mean)) }},
		{Column{Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"}, func(p *PointStats) string { return p.cell(Cost, number(p.CPUPerGbit.Mean)) }},
		{Column{Head: "n", Left: true, Every: true}, runs},
		{Column{Left: true, Full: "Marks", Every: true}, func(p *PointStats) string { return p.Marks }},
	}
}

// WideSweepTables are the rate sweeps where there is room: one table a load, to be
// sorted and filtered.
func WideSweepTables(points []*PointStats) []*Table {
	names := namesOf(points)
	var tables []*Table
	var t *Table
	var fs fields[*PointStats]
	for i, p := range points {
		if i == 0 || p.Point.Load != points[i-1].Point.Load {
			fs = sweepFields(p.Point.Load)
			t = &Table{
				Title: p.Point.Load.String(), Keys: 2,
				Columns: append([]Column{{Head: "Configuration", Left: true}}, fs.columns()...),
			}
			tables = append(tables, t)
		}
		name := names[p.Point.Config]
		t.Rows = append(t.Rows, append([]string{name}, fs.row(p)...))
		if p.NA != "" {
			t.addNote(name + ": n/a: " + p.NA)
		}
		if p.DeliveredBps.N == 1 {
			t.addNote("interval and run CV n/a: they need two runs at least")
		}
	}
	return tables
}

func latencyHead(s Shape) string {
	if s.RTT {
		return "RTT"
	}
	return "latency"
}

// runs says how many runs a row is made of: valid ones, of how many if not all
// are.
func runs(p *PointStats) string {
	if p.Valid == p.Runs {
		return fmt.Sprint(p.Valid)
	}
	return fmt.Sprintf("%d/%d", p.Valid, p.Runs)
}

func (t *Table) addNote(n string) {
	for _, have := range t.Notes {
		if have == n {
			return
		}
	}
	t.Notes = append(t.Notes, n)
}

func namesOf(points []*PointStats) map[Config]string {
	var cs []Config
	for _, p := range points {
		cs = append(cs, p.Point.Config)
	}
	return Names(cs)
}

// SweepLegend explains the columns of the rate sweeps.
func SweepLegend() []string {
	legend := []string{
		"Offered is what the schedule asks for, sent what left the senders' sockets and delivered what reached the receivers inside the measuring window: payload bits, all flows together.",
		"Shortfall = 1 − sent/offered, held back by back-pressure. Loss = packets sent inside the window that never arrived, by sequence number.",
		"run CV is over the runs of a point, intv CV over the 100 ms intervals of a run (median of the runs). Latency counts from the intended send time.",
		"CPU is the relay process, 100 % = one CPU. CPU-s/Gbit is per delivered Gbit.",
		"client p99 is the client's own share of the latency at the 99th percentile, at most: how late it sent what nobody held back, and how long arrived data may have waited for it.",
		"n is the runs whose throughput counts, of how many if not all do. A row without one shows what was seen and counts for nothing. In parentheses stands what cannot be trusted: latency or cost; Validity has the reasons.",
	}
	var ms []string
	for _, c := range codes {
		ms = append(ms, c.mark+" "+string(c.code))
	}
	return append(legend, "Marks: "+strings.Join(ms, ", ")+".")
}
