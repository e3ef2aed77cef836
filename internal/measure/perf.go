package measure

import "math"

// PerfCounters are what kernel and CPU counted about the relay's process, all its
// threads and descendants, between two readings at the window's edges.
type PerfCounters struct {
	Seconds float64 `json:"seconds"` // between the readings
	Threads int     `json:"threads"` // that were attached to; those started later are counted too

	Cycles       Count `json:"cycles"`
	Instructions Count `json:"instructions"`
	LLCLoads     Count `json:"llc_loads"`
	LLCMisses    Count `json:"llc_load_misses"`
	L1Misses     Count `json:"l1d_load_misses"` // of the data cache; not there in records of before it was counted
	Branches     Count `json:"branches"`
	BranchMisses Count `json:"branch_misses"`

	ContextSwitches Count `json:"context_switches"`
	Migrations      Count `json:"migrations"`
	PageFaults      Count `json:"page_faults"`

	UserSeconds   Count `json:"user_seconds"` // CPU time, as the kernel splits it
	SystemSeconds Count `json:"system_seconds"`

	// Of the relay's CPUs and not of its process: whoever ran there is in it.
	SoftIRQShare Count `json:"softirq_share"` // of their time, 0 to 1
	NetSoftIRQs  Count `json:"net_softirqs"`  // runs of NET_RX and NET_TX
}

// Count is one counter's increase over the window. Without a value there is a
// reason.
type Count struct {
	Value *float64 `json:"value"` // scaled to the whole window where Running is under 1
	// Running is the share of the threads' time in which a counter of the PMU was
	// there for it; nil where that is no question.
	Running  *float64 `json:"running_share,omitempty"`
	UserOnly bool     `json:"user_only,omitempty"` // what happened in the kernel is not in it
	Source   string   `json:"source,omitempty"`    // perf, or the file of /proc
	NA       string   `json:"na,omitempty"`
}

// Float is the value, NaN without one.
func (c Count) Float() float64 {
	if c.Value == nil {
		return math.NaN()
	}
	return *c.Value
}

// CountOf is a counter that has a value.
func CountOf(value float64, source string) Count { return Count{Value: &value, Source: source} }

// NoCount is a counter that has none, and why.
func NoCount(why string) Count { return Count{NA: why} }
