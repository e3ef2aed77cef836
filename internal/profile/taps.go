package profile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/perf"
	"hdbench/internal/probe"
)

// taps are the open events of a process: one for each thread and CPU, those of a
// CPU with one ring. The kernel gives no ring to an event that is inherited and
// follows its thread everywhere; with one for every CPU both go together.
//
// What a thread starts later inherits its events, so threads and processes may
// come and go. Those that are there already are found in /proc, again and again
// until nothing new shows.
type taps struct {
	event  perf.Event // as it is called; on a hybrid machine it is several
	on     []placed
	fds    []int
	rings  []*ring
	first  map[int]int // CPU to the event that has its ring
	byID   map[uint64]uint32
	direct map[uint32]bool
	procs  map[int]bool
}

// placed is an event and the CPUs that can count it.
type placed struct {
	event perf.Event
	cpus  []int
}

// attach opens the events, of cycles if the machine counts them.
func attach(c Config) (*taps, error) {
	online, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	pmus := perf.FindPMUs(os.DirFS("/sys"))
	if len(pmus.Core) > 0 {
		t, err := attachWith(c, perf.Cycles, placeCycles(pmus, online))
		if err == nil || !errors.Is(err, perf.ErrNoPMU) && !errors.Is(err, perf.ErrNotSupported) {
			return t, err
		}
	}
	return attachWith(c, perf.CPUClock, []placed{{perf.CPUClock, online.List()}})
}

// onlineCPUs are all CPUs of the machine: a thread may be moved to any.
func onlineCPUs() (cpu.Set, error) {
	b, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil { // a container without /sys: what the process itself may use
		return cpu.Available()
	}
	return cpu.Parse(strings.TrimSpace(string(b)))
}

// placeCycles gives each kind of core its own event.
func placeCycles(pmus perf.PMUs, online cpu.Set) []placed {
	if !pmus.Hybrid() {
		return []placed{{perf.Cycles, online.List()}}
	}
	var on []placed
	for i, e := range pmus.On(perf.Cycles) {
		set, err := cpu.Parse(pmus.Core[i].CPUs)
		if err != nil {
			continue // its CPUs are not sampled; Lost cannot know, but no kernel writes such a list
		}
		on = append(on, placed{e, set.Intersection(online).List()})
	}
	return on
}

func attachWith(c Config, e perf.Event, on []placed) (*taps, error) {
	t := &taps{
		event: e, on: on, first: map[int]int{}, byID: map[uint64]uint32{}, direct: map[uint32]bool{}, procs: map[int]bool{},
	}
	for {
		tids, err := t.newThreads(c.PID)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		if len(tids) == 0 {
			break
		}
		for _, tid := range tids {
			if err := t.open(c, tid); err != nil {
				return nil, errors.Join(err, t.close())
			}
		}
	}
	if len(t.byID) == 0 {
		return nil, errors.Join(ErrNoProcess, t.close())
	}
	return t, nil
}

// newThreads are the threads of the process and its descendants that have no
// event of their own yet.
func (t *taps) newThreads(pid int) ([]int, error) {
	tree, err := probe.Tree(pid)
	if err != nil {
		return nil, err
	}
	var tids []int
	for _, p := range tree {
		threads, err := procfs.AllThreads(p)
		if err != nil {
			continue // gone
		}
		t.procs[p] = true
		for _, th := range threads {
			if !t.direct[uint32(th.PID)] {
				tids = append(tids, th.PID)
			}
		}
	}
	return tids, nil
}

// open opens a thread's events. A thread that has gone has none.
func (t *taps) open(c Config, tid int) error {
	t.direct[uint32(tid)] = true
	for _, p := range t.on {
		attr := perf.Attr(p.event, perf.Everywhere)
		attr.Bits |= unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitFreq |
			unix.PerfBitMmap | unix.PerfBitMmap2 | unix.PerfBitComm | unix.PerfBitCommExec | unix.PerfBitTask
		attr.Sample = uint64(c.FrequencyHz)
		attr.Sample_type = sampleType
		for _, on := range p.cpus {
			fd, err := perf.Open(p.event, attr, tid, on)
			if errors.Is(err, perf.ErrNoProcess) {
				return nil
			}
			if err != nil {
				return err
			}
			t.fds = append(t.fds, fd)
			if err := t.connect(fd, on, tid); err != nil {
				return err
			}
		}
	}
	return nil
}

// connect gives an event its CPU's ring, and remembers its number.
func (t *taps) connect(fd, on, tid int) error {
	if first, there := t.first[on]; there {
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, first); err != nil {
			return fmt.Errorf("share the perf ring of CPU %d: %w", on, err)
		}
	} else {
		r, err := openRing(fd)
		if err != nil {
			return err
		}
		t.first[on], t.rings = fd, append(t.rings, r)
	}
	id, err := eventID(fd)
	if err != nil {
		return fmt.Errorf("number of a perf event: %w", err)
	}
	t.byID[id] = uint32(tid)
	return nil
}

// pids are the processes that were there.
func (t *taps) pids() []int {
	var pids []int
	for pid := range t.procs {
		pids = append(pids, pid)
	}
	return pids
}

func (t *taps) enable() error  { return t.each(unix.PERF_EVENT_IOC_ENABLE) }
func (t *taps) disable() error { return t.each(unix.PERF_EVENT_IOC_DISABLE) }

func (t *taps) each(request int) error {
	for _, fd := range t.fds {
		if err := unix.IoctlSetInt(fd, uint(request), 0); err != nil {
			return fmt.Errorf("switch a perf event: %w", err)
		}
	}
	return nil
}

func (t *taps) read(h *handler) error {
	for _, r := range t.rings {
		if err := r.read(h); err != nil {
			return err
		}
	}
	return nil
}

func (t *taps) close() error {
	var err error
	for _, r := range t.rings {
		err = errors.Join(err, r.close())
	}
	for _, fd := range t.fds {
		err = errors.Join(err, unix.Close(fd))
	}
	t.rings, t.fds = nil, nil
	return err
}
