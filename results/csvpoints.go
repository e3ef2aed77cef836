package results

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"hdbench/internal/units"
)

// pointColumns are the columns of a CSV of points. Intervals are of 95 %.
var pointColumns = []struct {
	name string
	of   func(p *PointStats, name string) string
}{
	{"configuration", func(_ *PointStats, name string) string { return name }},
	{"relay", func(p *PointStats, _ string) string { return p.Point.Relay }},
	{"transport", func(p *PointStats, _ string) string { return p.Point.Transport }},
	{"workers", func(p *PointStats, _ string) string { return strconv.Itoa(p.Point.Workers) }},
	{"load", func(p *PointStats, _ string) string { return p.Point.Load.String() }},
	{"offered_bps", func(p *PointStats, _ string) string { return csvOffered(p.Point.Offered) }},
	{"runs", func(p *PointStats, _ string) string { return strconv.Itoa(p.Runs) }},
	{"valid_runs", func(p *PointStats, _ string) string { return strconv.Itoa(p.Valid) }},
	{"carried_runs", func(p *PointStats, _ string) string { return strconv.Itoa(p.Carried) }},
	{"lower_bound", func(p *PointStats, _ string) string { return strconv.FormatBool(p.AtLeast()) }},
	{"trusted", func(p *PointStats, _ string) string { return (everything &^ p.spoiledQuantities()).String() }},
	{"marks", func(p *PointStats, _ string) string { return p.Marks }},
	{"na", func(p *PointStats, _ string) string { return p.NA }},
	{"sent_bps", func(p *PointStats, _ string) string { return csvNumber(p.SentBps.Mean) }},
	{"delivered_bps", func(p *PointStats, _ string) string { return csvNumber(p.DeliveredBps.Mean) }},
	{"delivered_lower_bps", func(p *PointStats, _ string) string { return csvNumber(p.DeliveredBps.Mean - p.DeliveredBps.Half) }},
	{"delivered_upper_bps", func(p *PointStats, _ string) string { return csvNumber(p.DeliveredBps.Mean + p.DeliveredBps.Half) }},
	{"run_cv", func(p *PointStats, _ string) string { return csvNumber(p.DeliveredBps.CV) }},
	{"interval_cv", func(p *PointStats, _ string) string { return csvNumber(p.IntervalCV) }},
	{"loss", func(p *PointStats, _ string) string { return csvNumber(p.Loss) }},
	{"shortfall", func(p *PointStats, _ string) string { return csvNumber(p.Shortfall) }},
	{"relay_cpus", func(p *PointStats, _ string) string { return csvNumber(p.RelayCPU.Mean) }},
	{"relay_cpu_seconds_per_gbit", func(p *PointStats, _ string) string { return csvNumber(p.CPUPerGbit.Mean) }},
	{"relay_cpu_seconds_per_gbit_lower", func(p *PointStats, _ string) string { return csvNumber(p.CPUPerGbit.Mean - p.CPUPerGbit.Half) }},
	{"relay_cpu_seconds_per_gbit_upper", func(p *PointStats, _ string) string { return csvNumber(p.CPUPerGbit.Mean + p.CPUPerGbit.Half) }},
	{"latency_p50_ns", func(p *PointStats, _ string) string { return csvNS(p.latency().P50NS, p.latency().Count) }},
	{"latency_p99_ns", func(p *PointStats, _ string) string { return csvNS(p.latency().P99NS, p.latency().Count) }},
	{"latency_p99_lower_ns", func(p *PointStats, _ string) string { return csvNumber(max(p.P99.Mean-p.P99.Half, 0)) }},
	{"latency_p99_upper_ns", func(p *PointStats, _ string) string { return csvNumber(p.P99.Mean + p.P99.Half) }},
	{"latency_p99_9_ns", func(p *PointStats, _ string) string { return csvNS(p.latency().P999NS, p.latency().Count) }},
}

// WritePointsCSV writes a row a point, with its intervals (RFC 4180); shares are of
// one, and an empty cell is what was not measured.
func WritePointsCSV(w io.Writer, set *Set) error {
	points, err := Points(set.Trials)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	var head []string
	for _, c := range pointColumns {
		head = append(head, c.name)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	names := namesOf(points)
	for _, p := range points {
		var row []string
		for _, c := range pointColumns {
			row = append(row, strings.TrimSpace(c.of(p, names[p.Point.Config])))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvOffered(r units.Rate) string {
	if r.IsMax() {
		return "max"
	}
	return csvNumber(float64(r))
}

func csvNS(ns, count int64) string {
	if count == 0 {
		return ""
	}
	return strconv.FormatInt(ns, 10)
}
