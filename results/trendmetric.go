package results

import (
	"fmt"
	"math"
	"strings"

	"hdbench/internal/units"
)

// TrendMetric is what is followed.
type TrendMetric struct {
	Name    string // with the unit
	At      units.Rate
	UpIsBad bool
	// least is the smallest change that is worth a word: a share of the old level,
	// or points where the metric is a share itself.
	least    float64
	absolute bool
	scale    float64 // of a value, for reading
}

// String names the metric and where it is measured.
func (m TrendMetric) String() string {
	if m.At == 0 {
		return m.Name
	}
	return m.Name + " at " + m.At.String()
}

// small reports whether a change is not worth a word.
func (m TrendMetric) small(before, after float64) bool {
	change := math.Abs(after - before)
	if !m.absolute {
		change /= math.Abs(before)
	}
	return !(change >= m.least)
}

// The metrics that every configuration may have; those of a search come with it.
func ceilingMetric() TrendMetric {
	return TrendMetric{Name: "ceiling Mbps", least: 0.01, scale: 1e-6}
}

func goalMetric(g GoalResult) TrendMetric {
	return TrendMetric{Name: g.Name() + " Mbps", least: 0.01, scale: 1e-6}
}

// pointMetrics are read at one offered rate.
var pointMetrics = []struct {
	metric TrendMetric
	of     func(*PointStats) float64
	// what a night's point must be trusted with
	quantity Quantity
}{
	{TrendMetric{Name: "delivered Mbps", least: 0.01, scale: 1e-6}, func(p *PointStats) float64 { return p.DeliveredBps.Mean }, Throughput},
	{TrendMetric{Name: "loss %", UpIsBad: true, least: 0.001, absolute: true, scale: 100}, func(p *PointStats) float64 { return p.Loss }, Throughput},
	{TrendMetric{Name: "CPU-s/Gbit", UpIsBad: true, least: 0.03, scale: 1}, func(p *PointStats) float64 { return p.CPUPerGbit.Mean }, Cost},
	{TrendMetric{Name: "p99 µs", UpIsBad: true, least: 0.10, scale: 1e-3}, func(p *PointStats) float64 {
		h := p.Latency
		if p.Point.Load.RTT {
			h = p.RTT
		}
		if h.Count == 0 {
			return math.NaN()
		}
		return float64(h.P99NS)
	}, Latency},
}

// show prints a value.
func (m TrendMetric) show(v float64) string {
	if m.absolute {
		return percent(v)
	}
	if m.scale == 1 {
		return fmt.Sprintf("%#.3g", v)
	}
	return number(v * m.scale)
}

// change prints a change: in points where the metric is a share, else in percent.
func (m TrendMetric) change(before, after float64) string {
	if m.absolute {
		return fmt.Sprintf("%+.2f pp", 100*(after-before))
	}
	if before == 0 {
		return na
	}
	return fmt.Sprintf("%+.1f %%", 100*(after/before-1))
}

// unit is the last word of the metric's name.
func (m TrendMetric) unit() string { return m.Name[strings.LastIndexByte(m.Name, ' ')+1:] }
