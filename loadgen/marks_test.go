package loadgen

import (
	"math"
	"testing"
	"time"
)

// A thread that wakes after the window has ended has seen none of it.
func TestThreadThatSleptThroughTheWindow(t *testing.T) {
	m := newMarks(1000, 1000+2*int64(IntervalLen))
	if begun, ended := m.pass(1000+5*int64(IntervalLen), 7, 7); !begun || !ended || !m.missed() {
		t.Errorf("begun %v, ended %v, missed %v", begun, ended, m.missed())
	}
	m = newMarks(1000, 1000+2*int64(IntervalLen))
	m.pass(1000, 0, 0)
	m.pass(1000+3*int64(IntervalLen), 7, 7)
	if m.missed() {
		t.Error("a thread that saw the window's begin has missed it")
	}
}

func TestIntervalsOfAStalledThread(t *testing.T) {
	const ms = int64(time.Millisecond)
	m := newMarks(1000*ms, 1500*ms)
	if len(m.at) != 6 {
		t.Fatalf("%d boundaries in half a second", len(m.at))
	}
	// 1000 bytes a millisecond; the thread is away from 1100 to 1350.
	count := func(at int64) uint64 { return uint64(at/ms) * 1000 }
	for _, at := range []int64{1000, 1050, 1100, 1350, 1400, 1503} {
		begun, ended := m.pass(at*ms, count(at*ms), 2*count(at*ms))
		if begun != (at == 1000) || ended != (at == 1503) {
			t.Errorf("at %d: begun %v, ended %v", at, begun, ended)
		}
	}
	if _, more := m.next(); more {
		t.Error("boundaries are left")
	}
	for i, r := range intervalRates([]*marks{m, m}, sentBytes) {
		if math.Abs(r-2e6) > 1 {
			t.Errorf("interval %d: %.0f bytes a second, want 2 threads of 1e6", i, r)
		}
	}
	if r := m.rate(deliveredBytes); math.Abs(r-2e6) > 1 {
		t.Errorf("rate %.0f over the window", r)
	}
}

func TestShortLastInterval(t *testing.T) {
	const ms = int64(time.Millisecond)
	if m := newMarks(0, 205*ms); len(m.at) != 3 || m.at[2] != 205*ms {
		t.Errorf("boundaries %v: five milliseconds are no interval", m.at)
	}
	if m := newMarks(0, 250*ms); len(m.at) != 4 {
		t.Errorf("boundaries %v", m.at)
	}
}
