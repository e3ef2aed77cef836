package results

import (
	"math"

	"hdbench/results/stat"
)

// CalibrationTable is what the client can do without a relay.
func CalibrationTable(trials []*Trial) *Table {
	t := &Table{
		Title: "The client alone, sender to receiver without a relay",
		Columns: []Column{
			{Head: "Load", Left: true}, {Head: "Trans-\nport", Full: "Transport", Left: true}, {Head: "Limit\nMbps"}, {Head: "Loss\n%"}, {Head: "intv\nCV %", Full: "interval CV %"}, {Head: "Busiest\nthread %"}, {Head: "CPUs", Left: true},
		},
	}
	for _, tr := range trials {
		if tr.Kind != KindCalibration {
			continue
		}
		if !tr.OK() {
			t.Rows = append(t.Rows, []string{tr.Point.Load.String(), tr.Point.Transport, na, na, na, na, tr.ClientCPUs})
			t.addNote("n/a: " + firstLine(tr.Error+tr.NA))
			continue
		}
		loss := na
		if l, ok := tr.Load.Loss(); ok {
			loss = percent(l)
		}
		if len(tr.Load.Hosts) > 0 {
			t.calibrationOfHosts(tr, loss)
			continue
		}
		t.Rows = append(t.Rows, []string{
			tr.Point.Load.String(), tr.Point.Transport, mbps(tr.Load.DeliveredBps), loss,
			percent(stat.IntervalCV(tr.Load.IntervalDeliveredBps)), percent(tr.Load.Busiest()), tr.ClientCPUs,
		})
	}
	return t
}

// calibrationOfHosts adds a calibration of several hosts: all of them, and each.
func (t *Table) calibrationOfHosts(tr *Trial, loss string) {
	limit := math.NaN()
	for _, h := range tr.Load.Hosts {
		if math.IsNaN(limit) || h.LimitBps < limit {
			limit = h.LimitBps
		}
	}
	t.Rows = append(t.Rows, []string{
		tr.Point.Load.String(), tr.Point.Transport, mbps(limit), loss,
		percent(stat.IntervalCV(tr.Load.IntervalDeliveredBps)), percent(tr.Load.Busiest()), plural(len(tr.Load.Hosts), "host"),
	})
	for _, h := range tr.Load.Hosts {
		lost := na
		if h.SentPackets > 0 {
			lost = percent(1 - float64(h.DeliveredPackets)/float64(h.SentPackets))
		}
		t.Rows = append(t.Rows, []string{"  " + h.Agent, tr.Point.Transport, mbps(h.LimitBps), lost, "", percent(h.Busiest), h.CPUs})
	}
	t.addNote("With several hosts each sends as many flows as it has a share of, by itself, all at once. A host's limit is the rate offered to all at which it would be at its own; that of all is the least.")
}

// ScheduleTable is how well the client kept its schedule: what the numbers of each
// point owe to the client and not to the relay.
func ScheduleTable(points []*PointStats) *Table {
	names := namesOf(points)
	fs := scheduleFields(names)
	t := &Table{
		Title: "How the client kept its schedule", Keys: 2, Columns: fs.columns(),
		Notes: []string{
			"Pacing is from a tick to its handling, the client's own lateness; lateness from the intended time to the write, with the relay's back-pressure.",
		},
	}
	for _, p := range points {
		if p.DeliveredBps.N == 0 {
			continue
		}
		if p.Pacing.Count == 0 || p.Lateness.Count == 0 {
			t.addNote("n/a: as much as goes (max) has no schedule to be late for")
		}
		t.Rows = append(t.Rows, fs.row(p))
	}
	return t
}

func scheduleFields(names map[Config]string) fields[*PointStats] {
	return fields[*PointStats]{
		{Column{Head: "Configuration", Left: true}, func(p *PointStats) string {
			if b := p.Point.Load.Burst; b != "tick" {
				return names[p.Point.Config] + ", burst " + b
			}
			return names[p.Point.Config]
		}},
		{Column{Head: "Offered\nMbps"}, offeredCell},
		{Column{Head: "Busiest\nthread %"}, func(p *PointStats) string {
			if p.Busiest == 0 {
				return na
			}
			return percent(p.Busiest)
		}},
		{Column{Head: "pacing\np50"}, func(p *PointStats) string { return duration(p.Pacing.P50NS, p.Pacing.Count) }},
		{Column{Head: "pacing\np99"}, func(p *PointStats) string { return duration(p.Pacing.P99NS, p.Pacing.Count) }},
		{Column{Head: "late\np50", Full: "lateness p50"}, func(p *PointStats) string { return duration(p.Lateness.P50NS, p.Lateness.Count) }},
		{Column{Head: "late\np99", Full: "lateness p99"}, func(p *PointStats) string { return duration(p.Lateness.P99NS, p.Lateness.Count) }},
		{Column{Head: "", Full: "Marks", Left: true}, func(p *PointStats) string { return p.Marks }},
	}
}
