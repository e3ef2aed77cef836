package loadgen

import (
	"math"
	"slices"
	"testing"
	"time"
)

// dueTimes are the intended times of all flows' frames before end, in order.
func dueTimes(tick time.Duration, pps float64, flows, burst int, end time.Duration) []int64 {
	var all []int64
	for i := range flows {
		s := newSchedule(0, tick, pps, i, flows, burst)
		for s.next() < int64(end) {
			all = append(all, s.next())
			s.take()
		}
	}
	slices.Sort(all)
	return all
}

func TestScheduleMeetsTheRate(t *testing.T) {
	for _, c := range []struct {
		tick         time.Duration
		pps          float64
		flows, burst int
	}{
		{100 * time.Microsecond, 89_285.7, 10, 1}, {100 * time.Microsecond, 1_000_000, 10, 46},
		{10 * time.Microsecond, 333, 7, 1}, {time.Millisecond, 1e6, 1, 3}, {100 * time.Microsecond, 12_345_678, 3, 1},
	} {
		times := dueTimes(c.tick, c.pps, c.flows, c.burst, time.Second)
		// What falls behind the last tick is due after the end.
		slack := float64(c.flows*c.burst) + 1 + c.pps*c.tick.Seconds()
		if math.Abs(float64(len(times))-c.pps) > slack {
			t.Errorf("%+v: %d frames in a second", c, len(times))
		}
		for _, at := range times {
			if at%int64(c.tick) != 0 {
				t.Fatalf("%+v: a frame is due at %d, between ticks", c, at)
			}
		}
	}
}

// The times come from the configuration alone, evenly spaced, with no drift
// over an hour.
func TestScheduleDoesNotDrift(t *testing.T) {
	const pps = 1e6 / 3
	s := newSchedule(1000, 10*time.Microsecond, pps, 0, 1, 1)
	n := 0
	for s.next() < 1000+int64(time.Minute) {
		want := 1000 + math.Ceil(float64(n)/pps*1e9/1e4)*1e4
		if d := math.Abs(float64(s.next()) - want); d > 1e4 {
			t.Fatalf("frame %d is due at %d, want %.0f", n, s.next(), want)
		}
		n++
		s.take()
	}
}

func TestBurstsAreDueTogether(t *testing.T) {
	s := newSchedule(0, 100*time.Microsecond, 1e5, 0, 1, 5)
	for b := range 50 {
		for i := range 5 {
			if want := int64(b) * 50_000; s.next() != (want+99_999)/100_000*100_000 {
				t.Fatalf("burst %d, frame %d is due at %d", b, i, s.next())
			}
			s.take()
		}
	}
}

func TestFlowsAreStaggered(t *testing.T) {
	first := map[int64]int{}
	for i := range 10 {
		s := newSchedule(0, 10*time.Microsecond, 1000, i, 10, 1)
		first[s.next()]++
	}
	if len(first) != 10 {
		t.Errorf("ten flows start at %d different times", len(first))
	}
}

func TestVeryLowRate(t *testing.T) {
	s := newSchedule(0, time.Millisecond, 1e-9, 0, 1, 1)
	s.take()
	if s.next() <= 0 || s.next() > int64(2*maxGap) {
		t.Errorf("the second packet is due at %v", time.Duration(s.next()))
	}
}
