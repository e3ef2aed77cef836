package results

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"hdbench/results/stat"
)

// CounterTables are what was counted about the relay's process: one table a
// configuration, a row each offered rate. There are none where no record has
// counters.
func CounterTables(points []*PointStats) []*Table {
	names := namesOf(points)
	points = slices.DeleteFunc(slices.Clone(points), func(p *PointStats) bool { return p.Counters.N == 0 })
	shown, notes := countedColumns(points)
	var tables []*Table
	var t *Table
	for i, p := range points {
		if i == 0 || p.Point.Config != points[i-1].Point.Config {
			t = &Table{Title: "Counters: " + names[p.Point.Config] + " · " + p.Point.Load.String(), Columns: counterColumns(shown), Keys: 1}
			tables = append(tables, t)
		}
		t.Rows = append(t.Rows, counterRow(p, shown))
		for _, k := range shown {
			if na := p.Counters.NA[k]; na != "" {
				t.addNote(fmt.Sprintf("%s n/a: %s", counterMetrics[k].head.full(), na))
			}
		}
		if p.Counters.UserOnly {
			t.addNote("Hardware events are of user space only: the kernel's share is not counted (perf_event_paranoid).")
		}
		if r := p.Counters.Running; r < 0.995 {
			t.addNote(fmt.Sprintf("The PMU counted in turns: values are scaled from %.0f %% of the time at least.", 100*r))
		}
	}
	if t != nil {
		t.Notes = append(t.Notes, notes...)
		t.Notes = append(t.Notes, counterLegend(points)...)
	}
	return tables
}

// countedColumns are the metrics that some point has. Of the others the reason is
// said once.
func countedColumns(points []*PointStats) (shown []int, notes []string) {
	why := map[string][]string{}
	var order []string
	for k, m := range counterMetrics {
		na := ""
		if slices.ContainsFunc(points, func(p *PointStats) bool { na = p.Counters.NA[k]; return p.Counters.Values[k].N > 0 }) {
			shown = append(shown, k)
			continue
		}
		if why[na] == nil {
			order = append(order, na)
		}
		why[na] = append(why[na], m.head.full())
	}
	for _, na := range order {
		notes = append(notes, fmt.Sprintf("%s: n/a (%s).", strings.Join(why[na], ", "), na))
	}
	return shown, notes
}

func counterColumns(shown []int) []Column {
	cs := []Column{{Head: "Offered\nMbps"}, {Head: "Deliv-\nered", Full: "Delivered Mbps"}}
	hardware := len(shown) > 0 && counterMetrics[shown[0]].hardware
	for i, k := range shown {
		c := counterMetrics[k].head
		// Where it does not fit: what takes a PMU first, or the process first.
		c.Break = hardware && i > 0 && !counterMetrics[k].hardware && counterMetrics[shown[i-1]].hardware ||
			!hardware && counterMetrics[k].key == "net_softirqs_per_kpacket"
		cs = append(cs, c)
	}
	return append(cs, Column{Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"}, Column{Head: "n", Left: true, Every: true}, Column{Left: true, Full: "Marks", Every: true})
}

func counterRow(p *PointStats, shown []int) []string {
	row := []string{offeredCell(p), mbps(p.DeliveredBps.Mean)}
	for _, k := range shown {
		row = append(row, counterCell(p.Counters.Values[k], counterMetrics[k].print))
	}
	return append(row, meanAndHalf(p.CPUPerGbit, number), runs(p), p.Marks)
}

func counterCell(s stat.Summary, print func(float64) string) string {
	if s.N == 0 {
		return na
	}
	return meanAndHalf(s, print)
}

// meanAndHalf prints a mean and half its interval, in the mean's unit.
func meanAndHalf(s stat.Summary, print func(float64) string) string {
	if math.IsNaN(s.Half) {
		return print(s.Mean)
	}
	half := s.Half
	if half < 1e-9*math.Abs(s.Mean) {
		half = 0 // rounding
	}
	return print(s.Mean) + "±" + print(half)
}

func counterLegend(points []*PointStats) []string {
	legend := []string{
		"Of the relay's process, its threads and descendants, inside the window; packets are those delivered. ± is half the 95 % interval over the runs.",
		"softirq and net soft are of the relay's CPUs and of everything that ran on them; user is the share of CPU time outside the kernel.",
	}
	var sources []string
	for _, p := range points {
		sources = append(sources, p.Counters.Sources...)
	}
	slices.Sort(sources)
	sources = slices.Compact(sources)
	if len(sources) > 0 && !slices.Equal(sources, []string{"perf"}) {
		legend = append(legend, "Context switches, migrations and faults are from "+strings.Join(sources, ", ")+"; threads that came and went inside the window are not in /proc/PID/task.")
	}
	return legend
}

// noCounters is what the section says when no record has any.
const noCounters = "Counters n/a: these records hold none; an hdbench of before they were counted made them."
