package results

import (
	"fmt"
	"math"
)

// spoiledQuantities are what of the point's numbers cannot be trusted.
func (p *PointStats) spoiledQuantities() Quantity {
	var q Quantity
	if p.Valid == 0 {
		return everything
	}
	if p.AtLeast() {
		q |= Throughput
	}
	if p.LatencyRuns == 0 {
		q |= Latency
	}
	if p.CostRuns == 0 {
		q |= Cost
	}
	return q
}

// cell puts a number in parentheses where its quantity is spoiled at the point.
func (p *PointStats) cell(q Quantity, text string) string {
	if p.spoiledQuantities()&q != 0 && text != na {
		return "(" + text + ")"
	}
	return text
}

// spoiledNotes explain the parentheses.
func (p *PointStats) spoiledNotes() []string {
	if q := p.spoiledQuantities() &^ Throughput; p.Valid > 0 && q != 0 {
		return []string{"In parentheses: not to be trusted; Validity has the reasons."}
	}
	return nil
}

// latencyCell is a percentile of the point's latency.
func (p *PointStats) latencyCell(percentile float64) string {
	h := p.latency()
	ns := map[float64]int64{50: h.P50NS, 99: h.P99NS, 99.9: h.P999NS}[percentile]
	return p.cell(Latency, duration(ns, h.Count))
}

// p99Interval is the 95 % interval of the runs' own 99th percentiles.
func (p *PointStats) p99Interval() string {
	if math.IsNaN(p.P99.Half) {
		return na
	}
	ns := func(v float64) string { return duration(int64(max(v, 0)), 1) }
	return fmt.Sprintf("%s–%s", ns(p.P99.Mean-p.P99.Half), ns(p.P99.Mean+p.P99.Half))
}

// clientShareCell is the client's own share of the 99th percentile, at most.
func (p *PointStats) clientShareCell() string {
	if p.ClientP99 < 0 {
		return na
	}
	return duration(p.ClientP99, 1)
}
