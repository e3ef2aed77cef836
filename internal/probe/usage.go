package probe

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/procfs"

	"hdbench/internal/cpu"
)

// Usage is what /proc says a process and its descendants have used so far.
//
// A process's numbers include its threads that have ended; Switches and
// Migrations are of living threads alone, since /proc keeps no others.
type Usage struct {
	Processes map[int]ProcessUsage // by process
	Threads   map[int]ThreadUsage  // by thread
}

// ProcessUsage is one process's.
type ProcessUsage struct {
	Faults       uint64        // minor and major
	User, System time.Duration // in ticks of 10 ms
}

// ThreadUsage is one thread's.
type ThreadUsage struct {
	Name       string
	Switches   uint64 // of contexts, voluntary or not
	Migrations uint64 // between CPUs
	// NoMigrations: this kernel does not tell (CONFIG_SCHED_DEBUG).
	NoMigrations bool

	CPU      time.Duration // on a CPU
	RunDelay time.Duration // ready, and waiting for one
	// NoRunDelay: this kernel does not tell (CONFIG_SCHED_INFO), and CPU is in ticks.
	NoRunDelay bool
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, 100 a second on every
// architecture that Go has Linux for (include/asm-generic/param.h).
const tick = 10 * time.Millisecond

// TreeUsage reads it.
func TreeUsage(pid int) (Usage, error) {
	u := Usage{map[int]ProcessUsage{}, map[int]ThreadUsage{}}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return u, err
	}
	tree, err := Tree(pid)
	if err != nil {
		return u, err
	}
	for _, p := range tree {
		if err := u.addProcess(fs, p); err != nil && p == pid {
			return u, fmt.Errorf("usage of process %d: %w", pid, err)
		} // a descendant that is gone meanwhile has used nothing more
	}
	return u, nil
}

func (u *Usage) addProcess(fs procfs.FS, pid int) error {
	p, err := fs.Proc(pid)
	if err != nil {
		return err
	}
	st, err := p.Stat()
	if err != nil {
		return err
	}
	threads, err := fs.AllThreads(pid)
	if err != nil {
		return err
	}
	u.Processes[pid] = ProcessUsage{uint64(st.MinFlt) + uint64(st.MajFlt), time.Duration(st.UTime) * tick, time.Duration(st.STime) * tick}
	for _, t := range threads {
		status, err := t.NewStatus()
		if err != nil {
			continue // gone meanwhile
		}
		tu := ThreadUsage{Name: status.Name, Switches: status.TotalCtxtSwitches()}
		tu.Migrations, tu.NoMigrations = migrations(pid, t.PID)
		if tu.addTimes(t) != nil {
			continue // gone meanwhile
		}
		u.Threads[t.PID] = tu
	}
	return nil
}

// addTimes adds a thread's times. A kernel that keeps no schedstat has no such file,
// or writes zeros, also for a thread that has run (kernel/sched/stats.h).
func (u *ThreadUsage) addTimes(t procfs.Proc) error {
	if s, err := t.Schedstat(); err == nil && s.RunTimeslices > 0 {
		u.CPU, u.RunDelay = time.Duration(s.RunningNanoseconds), time.Duration(s.WaitingNanoseconds)
		return nil
	}
	st, err := t.Stat()
	u.CPU, u.NoRunDelay = time.Duration(st.UTime+st.STime)*tick, true
	return err
}

// migrationsLine is in /proc/PID/task/TID/sched (kernel/sched/debug.c).
var migrationsLine = regexp.MustCompile(`(?m)^(?:se\.)?nr_migrations\s*:\s*(\d+)$`)

func migrations(pid, tid int) (n uint64, unknown bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/sched", pid, tid))
	if err != nil {
		return 0, true
	}
	return parseMigrations(b)
}

func parseMigrations(sched []byte) (n uint64, unknown bool) {
	m := migrationsLine.FindSubmatch(sched)
	if m == nil {
		return 0, true
	}
	n, err := strconv.ParseUint(string(m[1]), 10, 64)
	return n, err != nil
}

// SoftIRQ is what the kernel's soft interrupts have taken of CPUs so far.
type SoftIRQ struct {
	Time  float64          // seconds in them, all CPUs of the set
	Total float64          // seconds of any kind, idle ones too
	Net   map[int][]uint64 // runs of NET_RX and NET_TX by CPU, unsigned int in the kernel: they wrap at 2^32
}

// SoftIRQsOf reads /proc/stat and /proc/softirqs.
func SoftIRQsOf(set cpu.Set) (SoftIRQ, error) {
	s := SoftIRQ{Net: map[int][]uint64{}}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return s, err
	}
	stat, err := fs.Stat()
	if err != nil {
		return s, fmt.Errorf("CPU times: %w", err)
	}
	runs, err := fs.Softirqs()
	if err != nil {
		return s, fmt.Errorf("soft interrupts: %w", err)
	}
	for _, c := range set.List() {
		t, ok := stat.CPU[int64(c)]
		if !ok || c >= len(runs.NetRx) || c >= len(runs.NetTx) {
			return s, fmt.Errorf("soft interrupts: /proc has no CPU %d", c)
		}
		s.Time += t.SoftIRQ
		// Guest time is in User already (kernel/sched/cputime.c).
		s.Total += t.User + t.Nice + t.System + t.Idle + t.Iowait + t.IRQ + t.SoftIRQ + t.Steal
		s.Net[c] = []uint64{runs.NetRx[c], runs.NetTx[c]}
	}
	return s, nil
}

// ShareSince is the share of the CPUs' time since an earlier reading that went to
// soft interrupts; NaN if no time has passed.
func (s SoftIRQ) ShareSince(before SoftIRQ) float64 {
	if !(s.Total > before.Total) {
		return math.NaN()
	}
	return (s.Time - before.Time) / (s.Total - before.Total)
}
