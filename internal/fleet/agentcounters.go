package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/perf"
	"hdbench/internal/probe"
)

// windowCounters counts what a relay does in a measuring window. All that takes
// time is done before the window; at its edges counters are read.
type windowCounters struct {
	pid   int
	set   cpu.Set // the relay's CPUs
	group *perf.Group
	why   string // there is no group

	quotas    probe.Quotas
	quotasErr error

	begin, end edge
}

// edge is the readings at one edge of the window.
type edge struct {
	at      time.Time
	perf    perf.Snapshot
	usage   probe.Usage
	soft    probe.SoftIRQ
	useErr  error
	softErr error

	throttled    []probe.Throttled
	throttledErr error
}

// counted are the events, in the order of windowCounters.fill.
func counted() []perf.Event {
	return []perf.Event{
		perf.Cycles, perf.Instructions, perf.LLCLoads, perf.LLCLoadMisses, perf.L1DLoadMisses, perf.Branches, perf.BranchMisses,
		perf.ContextSwitches, perf.Migrations, perf.PageFaults,
	}
}

// attachAhead is how long before the window counters must be attached: what is
// not by then is given up, so that the readings are not late.
const attachAhead = 5 * time.Millisecond

// attachCounters attaches counters to a relay's threads, in the time there is.
// What cannot be counted has its reason in the result; the trial goes on.
func attachCounters(ctx context.Context, pid int, set cpu.Set, left time.Duration) *windowCounters {
	w := &windowCounters{pid: pid, set: set}
	ctx, cancel := context.WithTimeoutCause(ctx, left-attachAhead, errTooLate)
	defer cancel()
	w.quotas, w.quotasErr = probe.TreeQuotas(pid)
	var err error
	w.group, err = perf.Attach(ctx, counted(), func() ([]int, error) { return probe.TreeThreads(pid) })
	if err != nil {
		w.why = err.Error()
	}
	return w
}

var errTooLate = errors.New("not done before the window began")

func (w *windowCounters) close() {
	if w.group != nil {
		w.group.Close()
	}
}

func (w *windowCounters) read() edge {
	e := edge{at: time.Now()}
	if w.group != nil {
		e.perf = w.group.Read()
	}
	e.usage, e.useErr = probe.TreeUsage(w.pid)
	e.soft, e.softErr = probe.SoftIRQsOf(w.set)
	e.throttled, e.throttledErr = w.quotas.Read()
	return e
}

// result makes the record of the two edges.
func (w *windowCounters) result() *measure.PerfCounters {
	c := &measure.PerfCounters{Seconds: w.end.at.Sub(w.begin.at).Seconds()}
	events := []*measure.Count{
		&c.Cycles, &c.Instructions, &c.LLCLoads, &c.LLCMisses, &c.L1Misses, &c.Branches, &c.BranchMisses,
		&c.ContextSwitches, &c.Migrations, &c.PageFaults,
	}
	if w.group == nil {
		for _, e := range events {
			*e = measure.NoCount(w.why)
		}
	} else {
		c.Threads = w.group.Threads
		for i, s := range w.group.Between(w.begin.perf, w.end.perf) {
			*events[i] = countOf(s)
		}
	}
	w.fromProc(c)
	w.softIRQs(c)
	return c
}

func countOf(s perf.Span) measure.Count {
	if s.Err != nil {
		return measure.NoCount(perf.Reason(s.Err))
	}
	c := measure.CountOf(s.Value, "perf")
	c.UserOnly = s.Scope == perf.UserOnly
	if !math.IsNaN(s.Running) {
		c.Running = &s.Running
	}
	return c
}

// fromProc fills in what /proc knows: the split of CPU time, and where perf counts
// nothing, or not in the kernel, context switches, migrations and faults.
func (w *windowCounters) fromProc(c *measure.PerfCounters) {
	if err := errors.Join(w.begin.useErr, w.end.useErr); err != nil {
		c.UserSeconds, c.SystemSeconds = measure.NoCount(err.Error()), measure.NoCount(err.Error())
		return
	}
	p, pErr := processesBetween(w.begin.usage, w.end.usage)
	t, tErr := threadsBetween(w.begin.usage, w.end.usage)
	const stat, status, sched = "/proc/PID/stat", "/proc/PID/task/TID/status", "/proc/PID/task/TID/sched"
	c.UserSeconds = procCount(p.User.Seconds(), stat, pErr)
	c.SystemSeconds = procCount(p.System.Seconds(), stat, pErr)
	if c.PageFaults.Value == nil || c.PageFaults.UserOnly {
		fallBack(&c.PageFaults, procCount(float64(p.Faults), stat, pErr))
	}
	if c.ContextSwitches.Value == nil {
		fallBack(&c.ContextSwitches, procCount(float64(t.Switches), status, tErr))
	}
	if c.Migrations.Value == nil {
		if tErr == nil && t.NoMigrations {
			tErr = errors.New("the kernel has no " + sched + " (CONFIG_SCHED_DEBUG)")
		}
		fallBack(&c.Migrations, procCount(float64(t.Migrations), sched, tErr))
	}
}

func procCount(v float64, source string, err error) measure.Count {
	if err != nil {
		return measure.NoCount(err.Error())
	}
	return measure.CountOf(v, source)
}

// fallBack takes the second source where it has a value, and both reasons where
// neither has.
func fallBack(c *measure.Count, second measure.Count) {
	switch {
	case second.Value != nil:
		*c = second
	case c.Value == nil:
		c.NA += "; nor by /proc: " + second.NA
	}
}

// processesBetween adds up what the processes used between two readings. One that
// was started in between counts from nothing; of one that has ended nothing is known.
func processesBetween(begin, end probe.Usage) (sum probe.ProcessUsage, err error) {
	for pid, b := range begin.Processes {
		e, ok := end.Processes[pid]
		if !ok {
			return sum, fmt.Errorf("process %d of the relay's ended inside the window", pid)
		}
		sum.Faults -= b.Faults
		sum.User -= b.User
		sum.System -= b.System
		if e.Faults < b.Faults || e.User < b.User || e.System < b.System {
			return sum, fmt.Errorf("process %d: %w", pid, perf.ErrBackwards)
		}
	}
	for _, e := range end.Processes {
		sum.Faults += e.Faults // wraps back
		sum.User += e.User
		sum.System += e.System
	}
	return sum, nil
}

// threadsBetween does the same of threads. Those that came and went between the
// readings leave nothing in /proc, and are not in the sum.
func threadsBetween(begin, end probe.Usage) (sum probe.ThreadUsage, err error) {
	for tid, b := range begin.Threads {
		e, ok := end.Threads[tid]
		switch {
		case !ok:
			return sum, fmt.Errorf("thread %d of the relay's ended inside the window, and /proc keeps no count of its", tid)
		case e.Switches < b.Switches || e.Migrations < b.Migrations:
			return sum, fmt.Errorf("thread %d: %w", tid, perf.ErrBackwards)
		}
		sum.Switches -= b.Switches
		sum.Migrations -= b.Migrations
		sum.NoMigrations = sum.NoMigrations || b.NoMigrations || e.NoMigrations
	}
	for _, e := range end.Threads {
		sum.Switches += e.Switches // wraps back
		sum.Migrations += e.Migrations
	}
	return sum, nil
}

// softBits is how wide the kernel's counts of soft interrupts are: unsigned int of
// struct kernel_stat (include/linux/kernel_stat.h). At 100,000 a second they wrap
// twice a day.
const softBits = 32

func (w *windowCounters) softIRQs(c *measure.PerfCounters) {
	if err := errors.Join(w.begin.softErr, w.end.softErr); err != nil {
		c.SoftIRQShare, c.NetSoftIRQs = measure.NoCount(err.Error()), measure.NoCount(err.Error())
		return
	}
	if share := w.end.soft.ShareSince(w.begin.soft); math.IsNaN(share) || share < 0 {
		c.SoftIRQShare = measure.NoCount("/proc/stat counts no time of the relay's CPUs")
	} else {
		c.SoftIRQShare = measure.CountOf(share, "/proc/stat")
	}
	var runs uint64
	for cpu, kinds := range w.end.soft.Net {
		for i, n := range kinds {
			d, err := perf.Delta(w.begin.soft.Net[cpu][i], n, softBits)
			if err != nil {
				c.NetSoftIRQs = measure.NoCount("/proc/softirqs: " + err.Error())
				return
			}
			runs += d
		}
	}
	c.NetSoftIRQs = measure.CountOf(float64(runs), "/proc/softirqs")
}
