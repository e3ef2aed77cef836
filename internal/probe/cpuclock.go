// Package probe is what a host can tell: what it is, and what its processes use.
package probe

import (
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxPID is the kernel's PID_MAX_LIMIT.
const maxPID = 1 << 22

// CPUTime is how long a process, all its threads together, has been on a CPU,
// user and system, to the nanosecond. /proc/PID/stat counts in ticks of 10 ms,
// too coarse for a window of seconds at a few percent.
func CPUTime(pid int) (time.Duration, error) {
	// A process's CPU clock: clock_getcpuclockid(3), MAKE_PROCESS_CPUCLOCK with
	// CPUCLOCK_SCHED in the kernel's include/linux/posix-timers.h.
	const sched = 2
	if pid < 1 || pid > maxPID { // 0 would be this process, more than maxPID another clock
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, unix.ESRCH)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// TreeCPUTime is the CPUTime of a process and of its living descendants, for a
// relay that is started by a wrapper.
func TreeCPUTime(pid int) (time.Duration, error) {
	total, err := CPUTime(pid)
	if err != nil {
		return 0, err
	}
	tree, err := Tree(pid)
	if err != nil {
		return 0, err
	}
	for _, p := range tree[1:] {
		if d, err := CPUTime(p); err == nil { // gone meanwhile: not living
			total += d
		}
	}
	return total, nil
}

// maxCPUStep is how coarse a process's CPU clock may be: a window is a second or
// more, and what uses a CPU for microseconds at a time is missed, or counted
// many times over, by a clock that only looks now and then.
const maxCPUStep = time.Millisecond

// NoCPUTime is why CPUTime says nothing on this host: its clock goes in steps, as
// in user-mode Linux, whose scheduler counts ticks. Empty: it is fine.
func NoCPUTime() (string, error) {
	step, err := cpuStep(func() (time.Duration, error) { return CPUTime(os.Getpid()) })
	if err != nil || step <= maxCPUStep {
		return "", err
	}
	return fmt.Sprintf("the CPU clock of a process goes in steps of %v here", step.Round(time.Millisecond)), nil
}

// cpuStep is the smallest step that a clock makes while it is read again and
// again. It is looked at for some steps and a bounded number of readings.
func cpuStep(read func() (time.Duration, error)) (time.Duration, error) {
	const steps, readings = 4, 10_000_000
	last, err := read()
	if err != nil {
		return 0, err
	}
	least, seen := time.Duration(math.MaxInt64), 0
	for range readings {
		now, err := read()
		if err != nil {
			return 0, err
		}
		if now == last {
			continue
		}
		if seen > 0 { // the first may be the rest of one
			least = min(least, now-last)
		}
		last = now
		if seen++; seen > steps {
			break
		}
	}
	return least, nil
}
