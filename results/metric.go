package results

import (
	"fmt"
	"math"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// Metric is one quantity of a trial that a comparison judges.
type Metric struct {
	Name string // as in flags
	Head string // as in tables, with the unit of show
	Unit string // of the values that machines read
	// UpIsWorse tells which way is bad.
	UpIsWorse bool
	// Relative: a change is a share of the base's value. Otherwise it is a
	// difference in points, because the base may be zero.
	Relative bool
	// Floor is the least change that is called a regression where no A/A runs
	// are given: a choice, held against A/A runs in docs/STATISTICS.md.
	Floor float64
	// Quantity is what of a trial it is: only trials that can be trusted with it are
	// judged. A lower bound of the throughput is none.
	Quantity Quantity
	value    func(*Trial) float64 // NaN where the trial has none
	show     func(float64) string
	scale    float64 // of value, to Unit
}

// metricLoss is the metric that is judged at some points only.
const metricLoss = "loss"

// Metrics are what a comparison judges, in the order of its tables.
func Metrics() []Metric {
	return []Metric{
		{Quantity: Throughput, Name: "delivered", Head: "delivered Mbps", Unit: "Mbit/s", Relative: true, Floor: 0.03, scale: 1e-6,
			value: func(t *Trial) float64 { return t.Load.DeliveredBps },
			show:  mbps},
		{Quantity: Throughput, Name: metricLoss, Head: "loss %", Unit: "%", UpIsWorse: true, Floor: 0.01, scale: 100,
			value: func(t *Trial) float64 {
				if loss, ok := t.Load.Loss(); ok {
					return loss
				}
				return math.NaN()
			}, show: percent},
		{Quantity: Cost, Name: "cpu", Head: "CPU-s/Gbit", Unit: "CPU-s/Gbit", UpIsWorse: true, Relative: true, Floor: 0.05, scale: 1,
			value: func(t *Trial) float64 { _, perGbit := t.relayCost(); return perGbit },
			show:  func(v float64) string { return fmt.Sprintf("%#.3g", v) }},
		{Quantity: Latency, Name: "p99", Head: "latency p99", Unit: "us", UpIsWorse: true, Relative: true, Floor: 0.5, scale: 1e-3,
			value: func(t *Trial) float64 {
				if h := t.latency(); h.Count > 0 {
					return float64(h.P99NS)
				}
				return math.NaN()
			},
			show: func(v float64) string { return duration(int64(v), 1) }},
		{Quantity: Throughput, Name: "interval-cv", Head: "interval CV %", Unit: "%", UpIsWorse: true, Floor: 0.05, scale: 100,
			value: func(t *Trial) float64 { return stat.IntervalCV(t.Load.IntervalDeliveredBps) }, show: percent},
	}
}

// change prints a change of the metric.
func (m *Metric) change(v float64) string {
	switch {
	case math.IsNaN(v):
		return na
	case m.Relative:
		return signed(100*v) + " %"
	}
	return signed(100*v) + " pp" // every metric that is not relative is a share
}

// bad reports whether a change is for the worse.
func (m *Metric) bad(change float64) bool {
	return change > 0 == m.UpIsWorse
}

// latency is the trial's: of round trips where they were timed.
func (t *Trial) latency() measure.Histogram {
	if t.Point.Load.RTT {
		return t.Load.RTT
	}
	return t.Load.Latency
}
