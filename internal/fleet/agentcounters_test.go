package fleet

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/perf"
	"hdbench/internal/probe"
)

// counts are what a window's counters say, by name.
func counts(c *measure.PerfCounters) map[string]measure.Count {
	return map[string]measure.Count{
		"cycles": c.Cycles, "instructions": c.Instructions, "LLC loads": c.LLCLoads, "LLC misses": c.LLCMisses,
		"branches": c.Branches, "branch misses": c.BranchMisses,
		"context switches": c.ContextSwitches, "migrations": c.Migrations, "page faults": c.PageFaults,
		"user": c.UserSeconds, "system": c.SystemSeconds, "softirq": c.SoftIRQShare, "net softirqs": c.NetSoftIRQs,
	}
}

// Every counter has a value or a reason; what needs no PMU has a value.
func TestACountedWindowHasValuesOrReasons(t *testing.T) {
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	w := attachCounters(context.Background(), os.Getpid(), set, time.Minute)
	defer w.close()
	w.begin = w.read()
	for range 50 { // 50 ms at least
		time.Sleep(time.Millisecond)
	}
	w.end = w.read()
	c := w.result()
	for name, n := range counts(c) {
		switch {
		case n.Value == nil && n.NA == "":
			t.Errorf("%s has neither a value nor a reason", name)
		case n.Value != nil && (*n.Value < 0 || n.Source == "" || n.NA != ""):
			t.Errorf("%s: %v from %q, n/a %q", name, *n.Value, n.Source, n.NA)
		}
	}
	for _, name := range []string{"context switches", "page faults", "user", "softirq", "net softirqs"} {
		if n := counts(c)[name]; n.Value == nil {
			t.Errorf("%s: n/a: %s", name, n.NA)
		}
	}
	if v := c.ContextSwitches.Float(); v < 20 {
		t.Errorf("%v context switches in a window of sleeps", v)
	}
	if c.Threads < 1 || !(c.Seconds > 0.04) {
		t.Errorf("%d threads in %v s", c.Threads, c.Seconds)
	}
}

// Without time to attach counters the window is as it was, with a reason.
func TestCountersThatComeTooLateAreGivenUp(t *testing.T) {
	w := attachCounters(context.Background(), os.Getpid(), cpu.Of(0), 0)
	defer w.close()
	w.begin = w.read()
	w.end = w.read()
	c := w.result()
	if c.Cycles.Value != nil || !strings.Contains(c.Cycles.NA, errTooLate.Error()) {
		t.Errorf("cycles %+v", c.Cycles)
	}
	if c.ContextSwitches.Value == nil || !strings.HasPrefix(c.ContextSwitches.Source, "/proc/") {
		t.Errorf("context switches %+v, want them by /proc", c.ContextSwitches)
	}
}

// edges is a window whose perf was refused, with given readings of /proc.
func edges(begin, end probe.Usage) *measure.PerfCounters {
	w := &windowCounters{why: "not permitted: because"}
	w.begin.usage, w.end.usage = begin, end
	w.begin.soft = probe.SoftIRQ{Time: 10, Total: 100, Net: map[int][]uint64{0: {1<<32 - 10, 5}, 1: {7, 0}}}
	w.end.soft = probe.SoftIRQ{Time: 12, Total: 110, Net: map[int][]uint64{0: {20, 6}, 1: {9, 0}}}
	return w.result()
}

func usage(pid int, faults uint64, user, system time.Duration, threads map[int]probe.ThreadUsage) probe.Usage {
	return probe.Usage{Processes: map[int]probe.ProcessUsage{pid: {Faults: faults, User: user, System: system}}, Threads: threads}
}

func TestProcStandsInForPerf(t *testing.T) {
	begin := usage(7, 100, time.Second, 2*time.Second, map[int]probe.ThreadUsage{7: {Switches: 1000, Migrations: 3}})
	end := usage(7, 150, 3*time.Second, 5*time.Second, map[int]probe.ThreadUsage{7: {Switches: 1500, Migrations: 4}, 8: {Switches: 20, Migrations: 2}})
	end.Processes[9] = probe.ProcessUsage{Faults: 5, User: time.Second} // a child, started inside the window
	c := edges(begin, end)
	for name, want := range map[string]float64{
		"context switches": 520, "migrations": 3, "page faults": 55, "user": 3, "system": 3,
		"softirq": 0.2, "net softirqs": 30 + 1 + 2, // the first has wrapped at 2^32
	} {
		if n := counts(c)[name]; math.Abs(n.Float()-want) > 1e-9 || !strings.HasPrefix(n.Source, "/proc/") {
			t.Errorf("%s: %v from %q (%s), want %v", name, n.Float(), n.Source, n.NA, want)
		}
	}
	if c.Cycles.NA != "not permitted: because" {
		t.Errorf("cycles: %+v", c.Cycles)
	}
}

// What ended inside the window took its counts with it: no value, and never a
// small one.
func TestProcOfWhatEndedIsNotAvailable(t *testing.T) {
	begin := usage(7, 100, time.Second, time.Second, map[int]probe.ThreadUsage{7: {Switches: 10}, 8: {Switches: 10}})
	end := usage(7, 150, time.Second, time.Second, map[int]probe.ThreadUsage{7: {Switches: 30}})
	if c := edges(begin, end); c.ContextSwitches.Value != nil || !strings.Contains(c.ContextSwitches.NA, "thread 8") || !strings.Contains(c.ContextSwitches.NA, "because") || c.PageFaults.Float() != 50 {
		t.Errorf("a thread ended: %+v, faults %+v", c.ContextSwitches, c.PageFaults)
	}
	begin.Processes[9] = probe.ProcessUsage{}
	if c := edges(begin, end); c.PageFaults.Value != nil || !strings.Contains(c.PageFaults.NA, "process 9") || c.UserSeconds.Value != nil {
		t.Errorf("a process ended: %+v", c.PageFaults)
	}
	none := usage(7, 100, 0, 0, map[int]probe.ThreadUsage{7: {NoMigrations: true}})
	if c := edges(none, none); c.Migrations.Value != nil || !strings.Contains(c.Migrations.NA, "CONFIG_SCHED_DEBUG") || c.ContextSwitches.Float() != 0 {
		t.Errorf("a kernel that does not tell: %+v", c.Migrations)
	}
	if c := edges(usage(7, 100, 0, 0, nil), usage(7, 99, 0, 0, nil)); c.PageFaults.Value != nil || !strings.Contains(c.PageFaults.NA, perf.ErrBackwards.Error()) {
		t.Errorf("faults that go backwards: %+v", c.PageFaults)
	}
}

func TestASpanIsACountOrAReason(t *testing.T) {
	for _, s := range []perf.Span{
		{Event: perf.Cycles, Value: 5, Running: 0.5, Scope: perf.UserOnly},
		{Event: perf.Cycles, Value: 0, Running: math.NaN()},
		{Event: perf.Cycles, Value: math.NaN(), Running: 0.1, Err: errors.New("multiplexed")},
	} {
		c := countOf(s)
		if (c.Value == nil) != (s.Err != nil) || (c.NA == "") != (s.Err == nil) || c.UserOnly != (s.Scope == perf.UserOnly) {
			t.Errorf("%+v becomes %+v", s, c)
		}
	}
}
