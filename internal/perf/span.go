package perf

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Span is what an event counted between two readings of a Group.
type Span struct {
	Event Event
	Scope Scope
	// Value is the increase over all threads and their heirs, scaled by 1/Running.
	Value float64
	// Running is the share of the threads' time in which the PMU had a counter for
	// the event; NaN where no thread ran at all.
	Running float64
	Err     error // why there is no value
}

// MinRunning is the least share of the time that a counter must have been there
// for: below, the scaled value is an extrapolation. The kernel gives an event
// its counters in turn, in slices of some 4 ms (perf_event_mux_interval_ms), so
// the value is an estimate from a sample of the slices. Of N slices a share f
// drawn at random has a relative standard error of c·sqrt((1−f)/(f·N)), c being
// the CV from slice to slice (Cochran, Sampling Techniques, 1977, 2.6). With a
// quarter of the 250 slices of one busy second and c = 0.3 that is 3 %.
const MinRunning = 0.25

var (
	// ErrMultiplexed: the PMU has fewer counters than events are counted, and this
	// one had its turn too rarely.
	ErrMultiplexed = errors.New("multiplexed")
	// ErrBackwards: a later reading is lower than an earlier one.
	ErrBackwards = errors.New("the counter went backwards")
)

// Delta is how far a counter of so many bits has come from one reading to the
// next, if it has wrapped around once at most. One of 64 bits does not wrap: at
// 5 GHz that takes a century.
func Delta(before, after uint64, bits int) (uint64, error) {
	if bits >= 64 {
		if after < before {
			return 0, fmt.Errorf("%w: from %d to %d", ErrBackwards, before, after)
		}
		return after - before, nil
	}
	mask := uint64(1)<<bits - 1
	if before > mask || after > mask {
		return 0, fmt.Errorf("a counter of %d bits reads %d", bits, max(before, after))
	}
	return (after - before) & mask, nil
}

// count adds up the increases of all threads, then scales the sum, as perf-stat(1)
// does: the kernel adds a thread's heirs to it in the same way, and a thread
// that ran for a moment would otherwise be blown up by its own tiny share. On
// several kinds of core a thread's counters take turns as it moves, so that
// together they ran for what each was enabled.
func (s *Span) count(begin, end [][]Reading) {
	var value uint64
	var enabled, running time.Duration
	for i := range end {
		var longest time.Duration
		for k, e := range end[i] {
			b := begin[i][k]
			d, err := Delta(b.Value, e.Value, 64)
			if err == nil && (e.Enabled < b.Enabled || e.Running < b.Running) {
				err = fmt.Errorf("%w: its clock", ErrBackwards)
			}
			if err != nil {
				s.Err = fmt.Errorf("count %s: %w", s.Event.Name, err)
				return
			}
			value += d
			running += e.Running - b.Running
			longest = max(longest, e.Enabled-b.Enabled)
		}
		enabled += longest
	}
	s.Value, s.Running = float64(value), math.NaN()
	if enabled == 0 {
		return
	}
	s.Running = min(1, running.Seconds()/enabled.Seconds())
	if s.Running < MinRunning {
		s.Value = math.NaN()
		s.Err = fmt.Errorf("%w: it ran %.0f %% of the time, and less than %.0f %% is not extrapolated; count fewer events at once, or stop what else counts (the NMI watchdog takes a counter: sysctl kernel.nmi_watchdog=0)",
			ErrMultiplexed, 100*s.Running, 100*MinRunning)
		return
	}
	s.Value /= s.Running
}

// Reason is why an event was not counted, without whom it was to be counted of.
func Reason(err error) string {
	var open *OpenError
	if errors.As(err, &open) {
		return open.Reason()
	}
	return err.Error()
}
