package perf

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machineOf is a simulated process: threads that come and go, and what each
// counter that is opened on them reads. Like the kernel, it gives a thread's counters to
// the threads that it starts.
type machineOf struct {
	threads []int
	count   map[int]uint64 // what a thread has done since it exists
	parent  map[int]int    // who started it
	opened  []*fake        // and not closed
	refuse  func(Event, Scope, int) error
	onOpen  func() // what happens meanwhile
}

type fake struct {
	m       *machineOf
	event   Event
	scope   Scope
	tid     int
	base    map[int]uint64 // what had been done when it was opened
	heirs   []int
	running float64 // share of the time that it has a place on the PMU
}

func (m *machineOf) list() ([]int, error) { return slices.Clone(m.threads), nil }

func (m *machineOf) open(e Event, scope Scope, tid int) (reader, error) {
	if m.onOpen != nil {
		m.onOpen()
	}
	if m.refuse != nil {
		if err := m.refuse(e, scope, tid); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(m.threads, tid) {
		return nil, &OpenError{Event: e, PID: tid, Class: ErrNoProcess, Why: "it has ended"}
	}
	f := &fake{m, e, scope, tid, map[int]uint64{tid: m.count[tid]}, nil, 1}
	m.opened = append(m.opened, f)
	return f, nil
}

// spawn starts a thread: the counters of who starts it count it too.
func (m *machineOf) spawn(parent, tid int) {
	m.threads, m.parent[tid] = append(m.threads, tid), parent
	for _, f := range m.opened {
		if f.tid == parent || slices.Contains(f.heirs, parent) {
			f.heirs = append(f.heirs, tid)
		}
	}
}

func (m *machineOf) exit(tid int) {
	m.threads = slices.DeleteFunc(m.threads, func(t int) bool { return t == tid })
}

func (f *fake) Read() (Reading, error) {
	v := f.m.count[f.tid] - f.base[f.tid]
	for _, h := range f.heirs {
		v += f.m.count[h]
	}
	// A unit of work takes a microsecond.
	enabled := time.Duration(v) * time.Microsecond
	return Reading{uint64(float64(v) * f.running), enabled, time.Duration(float64(enabled) * f.running)}, nil
}

func (f *fake) Close() error {
	i := slices.Index(f.m.opened, f)
	if i < 0 {
		return errors.New("closed twice")
	}
	f.m.opened = slices.Delete(f.m.opened, i, i+1)
	return nil
}

func process(threads ...int) *machineOf {
	return &machineOf{threads: threads, count: map[int]uint64{}, parent: map[int]int{}}
}

func attachTo(t *testing.T, m *machineOf, pmus PMUs, events ...Event) *Group {
	t.Helper()
	g, err := attach(context.Background(), events, m.list, pmus, m.open)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Threads that live, are started, start others and end are each counted once.
func TestEveryThreadIsCountedOnce(t *testing.T) {
	m := process(1, 2, 3)
	for _, tid := range m.threads {
		m.count[tid] = 1_000_000 // before anybody counted
	}
	g := attachTo(t, m, PMUs{}, ContextSwitches)
	begin := g.Read()
	m.count[1] += 100
	m.spawn(1, 4)
	m.count[4] += 20
	m.spawn(4, 5) // an heir's heir
	m.count[5] += 3
	m.exit(4)
	m.count[2] += 5000
	m.exit(2)
	s := g.Between(begin, g.Read())[0]
	if s.Err != nil || s.Value != 5123 || s.Running != 1 {
		t.Errorf("%+v, want 5123", s)
	}
	g.Close()
	if len(m.opened) != 0 {
		t.Errorf("%d counters are left open", len(m.opened))
	}
}

// A thread that is started while counters are being attached may be an heir or
// may not: it must be counted once in either case.
func TestThreadsStartedWhileAttachingAreCountedOnce(t *testing.T) {
	for started := 1; started <= 3; started++ { // before the first, second or third open
		for parent := 1; parent <= 2; parent++ {
			m := process(1, 2)
			opens := 0
			m.onOpen = func() {
				if opens++; opens == started {
					m.spawn(parent, 3)
				}
			}
			g := attachTo(t, m, PMUs{}, ContextSwitches, PageFaults)
			begin := g.Read()
			m.count[3] += 7
			for _, s := range g.Between(begin, g.Read()) {
				if s.Err != nil || s.Value != 7 {
					t.Errorf("thread 3 of %d, started at open %d: %+v, want 7", parent, started, s)
				}
			}
		}
	}
}

func TestAThreadThatEndsWhileAttachingIsLeftOut(t *testing.T) {
	m := process(1, 2)
	m.onOpen = func() { m.exit(2) }
	g := attachTo(t, m, PMUs{}, ContextSwitches)
	begin := g.Read()
	m.count[1] += 9
	if s := g.Between(begin, g.Read())[0]; s.Err != nil || s.Value != 9 {
		t.Errorf("%+v, want 9", s)
	}
}

func TestThreadsThatNeverSettleAreAnError(t *testing.T) {
	m := process(1)
	next := 2
	m.refuse = func(_ Event, _ Scope, tid int) error {
		if tid == 1 { // once every time that all is begun anew
			m.spawn(1, next)
			next++
		}
		return nil
	}
	if g, err := attach(context.Background(), []Event{ContextSwitches}, m.list, PMUs{}, m.open); !errors.Is(err, ErrUnsettled) {
		t.Errorf("%+v, %v", g, err)
	}
	if len(m.opened) != 0 {
		t.Errorf("%d counters are left open", len(m.opened))
	}
}

func TestAttachingEndsInTime(t *testing.T) {
	m := process(1, 2)
	ctx, cancel := context.WithCancelCause(context.Background())
	late := errors.New("the window has begun")
	m.onOpen = func() { cancel(late) }
	if _, err := attach(ctx, []Event{ContextSwitches}, m.list, PMUs{}, m.open); !errors.Is(err, late) {
		t.Errorf("%v", err)
	}
	if len(m.opened) != 0 {
		t.Errorf("%d counters are left open", len(m.opened))
	}
}

// paranoid 2 leaves user space: hardware events are counted there and say so;
// what happens in the kernel would read 0 and is refused.
func TestUserSpaceOnlyIsSaidAndNeverAZero(t *testing.T) {
	m := process(1)
	m.refuse = func(e Event, s Scope, tid int) error {
		if s == Everywhere {
			why, class := classify(e, unix.EACCES, paranoid(2))
			return &OpenError{Event: e, PID: tid, Class: class, Errno: unix.EACCES, Why: why}
		}
		return nil
	}
	g := attachTo(t, m, PMUs{Core: []PMU{{Name: "cpu"}}}, Cycles, ContextSwitches, Migrations)
	begin := g.Read()
	m.count[1] += 5
	spans := g.Between(begin, g.Read())
	if s := spans[0]; s.Err != nil || s.Value != 5 || s.Scope != UserOnly {
		t.Errorf("cycles %+v", s)
	}
	for _, s := range spans[1:] {
		if !errors.Is(s.Err, ErrNotPermitted) || !strings.Contains(Reason(s.Err), "kernel.perf_event_paranoid is 2") {
			t.Errorf("%s: %+v", s.Event.Name, s)
		}
	}
}

// One event that is refused takes nothing from the others, and leaks nothing.
func TestARefusedEventIsRefusedAlone(t *testing.T) {
	m := process(1, 2)
	m.refuse = func(e Event, _ Scope, tid int) error {
		if e == LLCLoads && tid == 2 {
			return &OpenError{Event: e, PID: tid, Class: ErrNotSupported, Why: "not here"}
		}
		return nil
	}
	g := attachTo(t, m, PMUs{}, LLCLoads, PageFaults)
	begin := g.Read()
	m.count[1] += 2
	spans := g.Between(begin, g.Read())
	if !errors.Is(spans[0].Err, ErrNotSupported) || Reason(spans[0].Err) != "not supported: not here" {
		t.Errorf("%+v", spans[0])
	}
	if spans[1].Err != nil || spans[1].Value != 2 {
		t.Errorf("%+v", spans[1])
	}
	if g.Close(); len(m.opened) != 0 {
		t.Errorf("%d counters are left open", len(m.opened))
	}
}

func TestMultiplexedCountsAreScaledOrRefused(t *testing.T) {
	for share, ok := range map[float64]bool{1: true, 0.5: true, 0.25: true, 0.24: false, 0: false} {
		m := process(1, 2)
		g := attachTo(t, m, PMUs{}, Cycles)
		for _, f := range m.opened {
			f.running = share
		}
		begin := g.Read()
		m.count[1] += 60_000
		m.count[2] += 40_000
		s := g.Between(begin, g.Read())[0]
		switch {
		case math.Abs(s.Running-share) > 1e-9:
			t.Errorf("ran %v, want %v", s.Running, share)
		case ok && (s.Err != nil || math.Abs(s.Value-100_000) > 1):
			t.Errorf("share %v: %+v, want 100000", share, s)
		case !ok && (!errors.Is(s.Err, ErrMultiplexed) || !math.IsNaN(s.Value)):
			t.Errorf("share %v: %+v, want it refused", share, s)
		}
	}
}

// A process that slept through the window did nothing: that is a count.
func TestNothingDoneIsZero(t *testing.T) {
	m := process(1)
	g := attachTo(t, m, PMUs{}, Cycles)
	if s := g.Between(g.Read(), g.Read())[0]; s.Err != nil || s.Value != 0 || !math.IsNaN(s.Running) {
		t.Errorf("%+v", s)
	}
}

// On a machine with two kinds of core the two counters of a thread take turns:
// that is no multiplexing, and the sum is not scaled.
func TestKindsOfCoreAddUp(t *testing.T) {
	hybrid := PMUs{Core: []PMU{{"cpu_core", 4, "0-3"}, {"cpu_atom", 10, "4-7"}}}
	m := process(1)
	g := attachTo(t, m, hybrid, Cycles)
	if len(m.opened) != 2 || m.opened[0].event.Config == m.opened[1].event.Config {
		t.Fatalf("opened %+v", m.opened)
	}
	m.opened[0].running, m.opened[1].running = 0.7, 0.3
	begin := g.Read()
	m.count[1] += 100_000
	if s := g.Between(begin, g.Read())[0]; s.Err != nil || math.Abs(s.Value-100_000) > 2 || math.Abs(s.Running-1) > 1e-4 {
		t.Errorf("%+v, want 100000", s)
	}
}

func TestDelta(t *testing.T) {
	for _, c := range []struct {
		before, after uint64
		bits          int
		want          uint64
		ok            bool
	}{
		{5, 9, 64, 4, true},
		{9, 5, 64, 0, false}, // 64 bits do not wrap
		{1<<32 - 3, 4, 32, 7, true},
		{1<<48 - 1, 0, 48, 1, true},
		{0, 1<<32 - 1, 32, 1<<32 - 1, true},
		{7, 7, 32, 0, true},
		{1 << 32, 0, 32, 0, false}, // not a reading of 32 bits
	} {
		got, err := Delta(c.before, c.after, c.bits)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("from %d to %d in %d bits: %d, %v", c.before, c.after, c.bits, got, err)
		}
	}
}

func TestReadingsThatGoBackwardsAreAnError(t *testing.T) {
	before := [][]Reading{{{100, time.Second, time.Second}}}
	for name, after := range map[string]Reading{
		"value":   {99, 2 * time.Second, 2 * time.Second},
		"enabled": {200, time.Second - 1, time.Second},
		"running": {200, 2 * time.Second, time.Second - 1},
	} {
		var s Span
		s.count(before, [][]Reading{{after}})
		if !errors.Is(s.Err, ErrBackwards) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
