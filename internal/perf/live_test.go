package perf_test

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"hdbench/internal/perf"
	"hdbench/internal/probe"
)

// pingPong has two threads of its own hand a byte to and fro: each hand-over is a
// switch of contexts. Then played is called, while the threads are still there and
// at rest. It returns what the kernel says the two have done.
func pingPong(t testing.TB, rounds int, played func()) (switches uint64) {
	t.Helper()
	there, back := pipe(t), pipe(t)
	var sum sync.Mutex
	var threads, playing sync.WaitGroup
	hold := make(chan struct{})
	play := func(in, out int, serve bool) {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		b := []byte{1}
		for range rounds {
			if serve {
				unix.Write(out, b)
			}
			unix.Read(in, b)
			if !serve {
				unix.Write(out, b)
			}
		}
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
			t.Error(err)
		}
		sum.Lock()
		switches += uint64(u.Nvcsw + u.Nivcsw)
		sum.Unlock()
		playing.Done()
		<-hold
	}
	playing.Add(2)
	threads.Go(func() { play(back[0], there[1], true) })
	threads.Go(func() { play(there[0], back[1], false) })
	playing.Wait()
	played()
	close(hold)
	threads.Wait()
	return switches
}

func pipe(t testing.TB) [2]int {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p
}

func attach(t testing.TB, events ...perf.Event) *perf.Group {
	t.Helper()
	g, err := perf.Attach(context.Background(), events, func() ([]int, error) { return probe.TreeThreads(os.Getpid()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// Context switches of threads that are started and end between the readings, by
// perf and by the kernel's own book of the whole process: within 2 %.
func TestContextSwitchesAgreeWithTheKernelsOwn(t *testing.T) {
	g := attach(t, perf.ContextSwitches, perf.PageFaults)
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
		t.Fatal(err)
	}
	begin := g.Read()
	least := pingPong(t, 20_000, func() {})
	end := g.Read()
	if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
		t.Fatal(err)
	}
	spans := g.Between(begin, end)
	s := spans[0]
	if errors.Is(s.Err, perf.ErrNotPermitted) { // not root, as it should be then
		if os.Geteuid() == 0 {
			t.Error(s.Err)
		}
		return
	}
	want := float64(after.Nvcsw + after.Nivcsw - before.Nvcsw - before.Nivcsw)
	if s.Err != nil || s.Running != 1 || math.Abs(s.Value-want) > 0.02*want || s.Value < 0.98*float64(least) {
		t.Errorf("perf counts %v switches (ran %v, %v), the kernel %v, two threads alone %d", s.Value, s.Running, s.Err, want, least)
	}
	if f := spans[1]; f.Err != nil || f.Value < 0 {
		t.Errorf("page faults: %+v", f)
	}
}

// The same by the threads' own files in /proc, while the threads live.
func TestContextSwitchesAgreeWithProc(t *testing.T) {
	g := attach(t, perf.ContextSwitches)
	usage := func() probe.Usage {
		u, err := probe.TreeUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	begin, before := g.Read(), usage()
	var end perf.Snapshot
	var after probe.Usage
	pingPong(t, 20_000, func() { end, after = g.Read(), usage() })
	want := 0.0
	for tid, u := range after.Threads {
		want += float64(u.Switches - before.Threads[tid].Switches)
	}
	s := g.Between(begin, end)[0]
	if errors.Is(s.Err, perf.ErrNotPermitted) && os.Geteuid() != 0 {
		return
	}
	if s.Err != nil || math.Abs(s.Value-want) > 0.02*want || want < 20_000 {
		t.Errorf("perf counts %v switches, /proc %v (%v)", s.Value, want, s.Err)
	}
}

// Descriptors do not leak.
func TestAttachingLeavesNoDescriptors(t *testing.T) {
	open := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	attach(t, perf.PageFaults).Close()
	before := open()
	for range 5 {
		g, err := perf.Attach(context.Background(), []perf.Event{perf.PageFaults, perf.Cycles}, func() ([]int, error) { return probe.TreeThreads(os.Getpid()) })
		if err != nil {
			t.Fatal(err)
		}
		g.Close()
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// ofATrial are the events that a trial's window counts.
var ofATrial = []perf.Event{
	perf.Cycles, perf.Instructions, perf.LLCLoads, perf.LLCLoadMisses, perf.Branches, perf.BranchMisses,
	perf.ContextSwitches, perf.Migrations, perf.PageFaults,
}

// What the edges of a window cost, and what is done before it.
func BenchmarkEdge(b *testing.B) {
	b.Run("attach", func(b *testing.B) {
		for b.Loop() {
			g, err := perf.Attach(context.Background(), ofATrial, func() ([]int, error) { return probe.TreeThreads(os.Getpid()) })
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			g.Close()
			b.StartTimer()
		}
	})
	b.Run("read", func(b *testing.B) {
		g := attach(b, ofATrial...)
		for b.Loop() {
			g.Read()
		}
		b.ReportMetric(float64(g.Threads), "threads")
	})
}

// What counting costs: a switch of contexts to and fro, without and with the
// events of a trial.
func BenchmarkSwitch(b *testing.B) {
	b.Run("counted=no", func(b *testing.B) { pingPong(b, b.N, func() {}) })
	b.Run("counted=yes", func(b *testing.B) {
		attach(b, ofATrial...)
		b.ResetTimer()
		pingPong(b, b.N, func() {})
	})
}
