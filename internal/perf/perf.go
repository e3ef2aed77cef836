// Package perf is perf_event_open(2), typed: what the kernel and the CPU's
// performance monitoring unit (PMU) count about processes.
//
// In goes an event and whom to count it of; out comes a descriptor that is read
// (Counter) or, by whoever samples, mapped. A Group counts several events of a
// process with all its threads and descendants, and Span makes numbers of two
// readings of it. Where the kernel refuses, the error is of a class that errors.Is
// knows (ErrNoPMU, ErrNotPermitted, …) and says why and what to do.
//
// The package never turns "could not be counted" into a zero, and never counts
// less than it was asked to without saying so.
package perf

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AnyCPU counts wherever the thread runs.
const AnyCPU = -1

// Scope is where an event is counted.
type Scope int

const (
	Everywhere Scope = iota // in the kernel and in user space
	UserOnly                // in user space: what perf_event_paranoid 2 leaves to everybody
)

func (s Scope) String() string {
	if s == UserOnly {
		return "user space only"
	}
	return "user space and kernel"
}

// Event is one thing the kernel or the CPU counts: type and config of
// struct perf_event_attr.
type Event struct {
	Name   string // perf(1)'s
	Type   uint32 // unix.PERF_TYPE_…
	Config uint64
}

// Hardware is whether it takes a PMU.
func (e Event) Hardware() bool {
	return e.Type == unix.PERF_TYPE_HARDWARE || e.Type == unix.PERF_TYPE_HW_CACHE
}

// cacheEvent is the config of a generic cache event, as in the kernel's
// include/uapi/linux/perf_event.h: cache | operation << 8 | result << 16.
func cacheEvent(cache, op, result uint64) uint64 { return cache | op<<8 | result<<16 }

// The generic events. What each counts exactly is the CPU's business; the kernel
// maps the names (arch/x86/events/intel/core.c and its likes). Hardware
// prefetches are in LLC loads on some CPUs and not on others.
var (
	Cycles       = Event{"cycles", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES}
	Instructions = Event{"instructions", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS}
	Branches     = Event{"branches", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_BRANCH_INSTRUCTIONS}
	BranchMisses = Event{"branch-misses", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_BRANCH_MISSES}
	LLCLoads     = Event{"LLC-loads", unix.PERF_TYPE_HW_CACHE,
		cacheEvent(unix.PERF_COUNT_HW_CACHE_LL, unix.PERF_COUNT_HW_CACHE_OP_READ, unix.PERF_COUNT_HW_CACHE_RESULT_ACCESS)}
	LLCLoadMisses = Event{"LLC-load-misses", unix.PERF_TYPE_HW_CACHE,
		cacheEvent(unix.PERF_COUNT_HW_CACHE_LL, unix.PERF_COUNT_HW_CACHE_OP_READ, unix.PERF_COUNT_HW_CACHE_RESULT_MISS)}

	L1DLoadMisses = Event{"L1-dcache-load-misses", unix.PERF_TYPE_HW_CACHE,
		cacheEvent(unix.PERF_COUNT_HW_CACHE_L1D, unix.PERF_COUNT_HW_CACHE_OP_READ, unix.PERF_COUNT_HW_CACHE_RESULT_MISS)}

	ContextSwitches = Event{"context-switches", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CONTEXT_SWITCHES}
	Migrations      = Event{"cpu-migrations", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_MIGRATIONS}
	PageFaults      = Event{"page-faults", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS}
	CPUClock        = Event{"cpu-clock", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_CLOCK}
	TaskClock       = Event{"task-clock", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_TASK_CLOCK}
)

// Attr is the event's attributes: not disabled, not inherited, of guests of this
// host nothing. A caller adds what it needs before it opens it.
func Attr(e Event, scope Scope) unix.PerfEventAttr {
	attr := unix.PerfEventAttr{
		Type: e.Type, Config: e.Config,
		Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Bits: unix.PerfBitExcludeGuest,
	}
	if scope == UserOnly {
		attr.Bits |= unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv
	}
	return attr
}

// Open opens an event of a thread (pid is a thread's number; 0 is the caller, -1
// everybody on a CPU, which wants privilege) on a CPU or AnyCPU. The descriptor is
// the caller's to close. An error is an *OpenError.
func Open(e Event, attr unix.PerfEventAttr, pid, cpu int) (fd int, err error) {
	for {
		fd, err = unix.PerfEventOpen(&attr, pid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, newOpenError(e, attr, pid, cpu, err)
	}
	return fd, nil
}

// Counter is an open event that is counted, not sampled.
type Counter struct{ fd int }

// OpenCounter opens a counter of a thread, on whatever CPU it runs. Inherit counts
// what the thread starts from now on, too: threads, processes, and what those start.
func OpenCounter(e Event, scope Scope, tid int, inherit bool) (*Counter, error) {
	attr := Attr(e, scope)
	// No PERF_FORMAT_GROUP: inherited counters are read one by one (perf_event_open(2)).
	attr.Read_format = unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING
	if inherit {
		attr.Bits |= unix.PerfBitInherit
	}
	fd, err := Open(e, attr, tid, AnyCPU)
	if err != nil {
		return nil, err
	}
	return &Counter{fd}, nil
}

// Reading is what a counter has counted since it was opened, heirs included: those
// that are gone and those that live.
type Reading struct {
	Value   uint64
	Enabled time.Duration // time its threads ran while it was to count
	Running time.Duration // of that, how long a counter of the PMU was there for it
}

// Read reads the counter. It costs an interrupt on the CPU where a counted thread runs.
func (c *Counter) Read() (Reading, error) {
	var b [3 * 8]byte
	n, err := unix.Read(c.fd, b[:])
	if err == nil && n != len(b) {
		err = io.ErrUnexpectedEOF // 0 bytes: a pinned event that lost its place
	}
	if err != nil {
		return Reading{}, fmt.Errorf("read a perf counter: %w", err)
	}
	return Reading{
		Value:   binary.NativeEndian.Uint64(b[0:]),
		Enabled: time.Duration(binary.NativeEndian.Uint64(b[8:])),
		Running: time.Duration(binary.NativeEndian.Uint64(b[16:])),
	}, nil
}

// Close ends the counting.
func (c *Counter) Close() error { return unix.Close(c.fd) }
