package results

import (
	"math"
	"slices"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// counterMetric is one figure made of a trial's counters.
type counterMetric struct {
	key      string // in JSON
	head     Column
	hardware bool // it takes a PMU
	of       func(counts) (value float64, na string)
	print    func(float64) string
}

// counts are a trial's counters, and the packets that they are held against.
type counts struct {
	*measure.PerfCounters
	packets float64 // delivered in the counters' window
}

// per is a count per so many delivered packets.
func (c counts) per(n measure.Count, packets float64) (float64, string) {
	if n.Value == nil {
		return math.NaN(), n.NA
	}
	if !(c.packets > 0) {
		return math.NaN(), "nothing was delivered"
	}
	return *n.Value / c.packets * packets, ""
}

// perSecond is a count per second of the window.
func (c counts) perSecond(n measure.Count) (float64, string) {
	if n.Value == nil {
		return math.NaN(), n.NA
	}
	return *n.Value / c.Seconds, ""
}

// raw is a count as it is.
func raw(n measure.Count) (float64, string) { return n.Float(), n.NA }

func millions(v float64) string { return number(v / 1e6) }

// counterNamed is the place of a metric in counterMetrics, by its key.
func counterNamed(key string) int {
	return slices.IndexFunc(counterMetrics, func(m counterMetric) bool { return m.key == key })
}

// quotient is a share of two counts; each is scaled for itself.
func quotient(part, whole measure.Count) (float64, string) {
	for _, n := range []measure.Count{part, whole} {
		if n.Value == nil {
			return math.NaN(), n.NA
		}
	}
	if *whole.Value == 0 {
		return math.NaN(), "nothing was counted to take a share of"
	}
	return *part.Value / *whole.Value, ""
}

// counterMetrics are the figures of the table Counters, in its order.
var counterMetrics = []counterMetric{
	{"cycles_per_packet", Column{Head: "cycles\n/packet", Full: "cycles/packet"}, true, func(c counts) (float64, string) { return c.per(c.Cycles, 1) }, number},
	{"instructions_per_packet", Column{Head: "instr.\n/packet", Full: "instructions/packet"}, true, func(c counts) (float64, string) { return c.per(c.Instructions, 1) }, number},
	{"instructions_per_cycle", Column{Head: "IPC", Full: "instructions per cycle"}, true, func(c counts) (float64, string) { return quotient(c.Instructions, c.Cycles) }, number},
	{"llc_miss_share", Column{Head: "LLC\nmiss %"}, true, func(c counts) (float64, string) { return quotient(c.LLCMisses, c.LLCLoads) }, percent},
	{"llc_misses_per_packet", Column{Head: "LLC miss\n/packet", Full: "LLC load misses/packet"}, true, func(c counts) (float64, string) { return c.per(c.LLCMisses, 1) }, number},
	{"llc_misses", Column{Head: "LLC miss\n10⁶", Full: "LLC load misses in the window, millions"}, true, func(c counts) (float64, string) { return raw(c.LLCMisses) }, millions},
	{"l1d_misses_per_packet", Column{Head: "L1 miss\n/packet", Full: "L1 data-cache load misses/packet"}, true, func(c counts) (float64, string) { return c.per(c.L1Misses, 1) }, number},
	{"l1d_misses", Column{Head: "L1 miss\n10⁶", Full: "L1 data-cache load misses in the window, millions"}, true, func(c counts) (float64, string) { return raw(c.L1Misses) }, millions},
	{"branch_miss_share", Column{Head: "branch\nmiss %"}, true, func(c counts) (float64, string) { return quotient(c.BranchMisses, c.Branches) }, percent},
	{"context_switches_per_kpacket", Column{Head: "switches\n/kpacket", Full: "context switches/kpacket"}, false, func(c counts) (float64, string) { return c.per(c.ContextSwitches, 1000) }, number},
	{"migrations_per_second", Column{Head: "migr.\n/s", Full: "migrations/s"}, false, func(c counts) (float64, string) { return c.perSecond(c.Migrations) }, number},
	{"page_faults_per_second", Column{Head: "faults\n/s", Full: "page faults/s"}, false, func(c counts) (float64, string) { return c.perSecond(c.PageFaults) }, number},
	{"net_softirqs_per_kpacket", Column{Head: "net soft\n/kpacket", Full: "network softirqs/kpacket"}, false, func(c counts) (float64, string) { return c.per(c.NetSoftIRQs, 1000) }, number},
	{"softirq_share", Column{Head: "softirq\n%", Full: "softirq % of the relay's CPUs"}, false, func(c counts) (float64, string) {
		return c.SoftIRQShare.Float(), c.SoftIRQShare.NA
	}, percent},
	{"user_share", Column{Head: "user\n%", Full: "user % of CPU time"}, false, func(c counts) (float64, string) {
		all := c.UserSeconds.Float() + c.SystemSeconds.Float()
		switch {
		case c.UserSeconds.Value == nil:
			return math.NaN(), c.UserSeconds.NA
		case c.SystemSeconds.Value == nil:
			return math.NaN(), c.SystemSeconds.NA
		case all < 0.1: // ten ticks: a share of fewer is made of their rounding
			return math.NaN(), "less than 0.1 s of CPU time, which /proc counts in steps of 10 ms"
		}
		return c.UserSeconds.Float() / all, ""
	}, percent},
}

// llcMiss is the place of the LLC miss rate in counterMetrics.
var llcMiss = counterNamed("llc_miss_share")

// CounterStats is what the counters of a point's runs say together.
type CounterStats struct {
	N        int            // runs that have counters
	Values   []stat.Summary // of counterMetrics; N 0 where there is none
	NA       []string       // of counterMetrics: why a run has none; empty: all have
	UserOnly bool           // of some run the kernel was not counted
	Running  float64        // least share of the time that a hardware counter was there for its event; NaN: no such counter
	Sources  []string       // where the counts are from
}

// counters describes the counters of runs.
func counters(ts []*Trial) CounterStats {
	s := CounterStats{Values: make([]stat.Summary, len(counterMetrics)), NA: make([]string, len(counterMetrics)), Running: math.NaN()}
	values := make([][]float64, len(counterMetrics))
	for _, t := range ts {
		if t.Relay == nil || t.Relay.Perf == nil {
			continue
		}
		s.N++
		for i, v := range t.counterValues() {
			if v.na == "" {
				values[i] = append(values[i], v.value)
			} else {
				s.NA[i] = v.na
			}
		}
		s.note(t.Relay.Perf)
	}
	for i, vs := range values {
		s.Values[i] = stat.Summarize(vs)
	}
	slices.Sort(s.Sources)
	s.Sources = slices.Compact(s.Sources)
	return s
}

// note keeps what a reader must know of how a run was counted.
func (s *CounterStats) note(p *measure.PerfCounters) {
	for _, c := range []measure.Count{p.Cycles, p.Instructions, p.LLCLoads, p.LLCMisses, p.L1Misses, p.Branches, p.BranchMisses} {
		if c.Running != nil && !(s.Running <= *c.Running) {
			s.Running = *c.Running
		}
		s.UserOnly = s.UserOnly || c.UserOnly
	}
	for _, c := range []measure.Count{p.ContextSwitches, p.Migrations, p.PageFaults} {
		if c.Value != nil {
			s.Sources = append(s.Sources, c.Source)
		}
	}
}

type counterValue struct {
	value float64
	na    string
}

// counterValues are a trial's counterMetrics; nil if it has no counters.
func (t *Trial) counterValues() []counterValue {
	if t.Relay == nil || t.Relay.Perf == nil {
		return nil
	}
	c := counts{PerfCounters: t.Relay.Perf}
	if l := t.Load; l != nil && l.PayloadBytes > 0 {
		c.packets = l.DeliveredBps / 8 / float64(l.PayloadBytes) * c.Seconds
	}
	out := make([]counterValue, len(counterMetrics))
	for i, m := range counterMetrics {
		v, na := m.of(c)
		if math.IsNaN(v) && na == "" {
			na = "not recorded"
		}
		out[i] = counterValue{v, na}
	}
	return out
}
