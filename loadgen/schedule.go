package loadgen

import (
	"math"
	"time"
)

// schedule gives the intended send times of one flow. Bursts are evenly spaced;
// each is due at the first pacing tick at or after its place, and its frames are
// all due with it. The times depend on nothing but the configuration, so a slow
// relay or a late thread changes how late packets are, never when they were
// meant to leave.
type schedule struct {
	start int64 // CLOCK_MONOTONIC ns of tick 0
	tick  int64 // ns

	// The place of the next burst, in units of 2^-placeBits ns after start: fine
	// enough that an hour of packets drifts by less than a microsecond.
	place, gap uint64
	burst      int // frames in a burst
	left       int // frames of the present burst not yet taken
	due        int64
}

const placeBits = 16

// maxGap is the longest time between two bursts: beyond it the arithmetic would
// not hold, and a rate that low measures nothing.
const maxGap = time.Hour

// newSchedule is the schedule of flow i of n, which share pps packets per second
// evenly, in bursts of so many frames. The flows' bursts are staggered.
func newSchedule(start int64, tick time.Duration, pps float64, i, n, burst int) schedule {
	gap := math.Min(float64(burst)*float64(n)/pps*1e9, float64(maxGap))
	s := schedule{
		start: start, tick: int64(tick), burst: burst,
		gap:   max(1, uint64(gap*(1<<placeBits))),
		place: uint64(gap * float64(i) / float64(n) * (1 << placeBits)),
	}
	s.left = burst
	s.due = s.tickOf(s.place)
	return s
}

func (s *schedule) tickOf(place uint64) int64 {
	ns := int64(place >> placeBits)
	return s.start + (ns+s.tick-1)/s.tick*s.tick
}

// next is when the next frame is due.
func (s *schedule) next() int64 { return s.due }

// take goes on to the frame after.
func (s *schedule) take() {
	if s.left--; s.left == 0 {
		s.left = s.burst
		s.place += s.gap
		s.due = s.tickOf(s.place)
	}
}

// dueBefore is how many frames not yet taken are due before a time.
func (s *schedule) dueBefore(end int64) uint64 {
	if s.due >= end {
		return 0
	}
	// A burst is due before end if its place is not behind the last tick before end.
	last := uint64((end-s.start-1)/s.tick*s.tick+1) << placeBits
	more := (last - 1 - s.place) / s.gap
	return uint64(s.left) + more*uint64(s.burst)
}
