package fleet

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/perf"
	"hdbench/internal/probe"
)

// threads are what the relay's threads used in the window, the busiest first; nil
// where it could not be read, which PerfCounters has the reason of. Of a thread that
// ended in the window nothing is known.
func (w *windowCounters) threads() []measure.ThreadTime {
	if w.begin.useErr != nil || w.end.useErr != nil {
		return nil
	}
	return threadTimes(w.begin.usage.Threads, w.end.usage.Threads, w.end.at.Sub(w.begin.at))
}

func threadTimes(begin, end map[int]probe.ThreadUsage, window time.Duration) []measure.ThreadTime {
	if window <= 0 {
		return nil
	}
	share := func(d time.Duration) float64 { return d.Seconds() / window.Seconds() }
	var times []measure.ThreadTime
	for _, tid := range slices.Sorted(maps.Keys(end)) {
		// A thread that came in the window began at nothing; so did another one that
		// has the number of one that ended.
		b, e := begin[tid], end[tid]
		if e.CPU < b.CPU || e.RunDelay < b.RunDelay {
			b = probe.ThreadUsage{}
		}
		t := measure.ThreadTime{Name: e.Name, CPU: share(e.CPU - b.CPU)}
		if !e.NoRunDelay {
			delay := share(e.RunDelay - b.RunDelay)
			t.RunDelay = &delay
		}
		times = append(times, t)
	}
	slices.SortStableFunc(times, func(a, b measure.ThreadTime) int { return cmp.Compare(b.CPU, a.CPU) })
	return times[:min(len(times), measure.MaxThreadTimes)]
}

// throttle is what the relay's CPU quotas took from it in the window.
func (w *windowCounters) throttle() *measure.Throttle {
	if err := errors.Join(w.quotasErr, w.begin.throttledErr, w.end.throttledErr); err != nil {
		return &measure.Throttle{NA: err.Error()}
	}
	if why := w.quotas.Unknown(); why != "" {
		return &measure.Throttle{NA: why}
	}
	return mostThrottled(w.begin.throttled, w.end.throttled)
}

// mostThrottled is of the quota that took most: the times of one cgroup and of one
// above overlap.
func mostThrottled(begin, end []probe.Throttled) *measure.Throttle {
	most := &measure.Throttle{}
	for i, e := range end {
		b := begin[i]
		if e.Time < b.Time || e.Periods < b.Periods {
			return &measure.Throttle{NA: "cpu.stat: " + perf.ErrBackwards.Error()}
		}
		t := measure.Throttle{Seconds: (e.Time - b.Time).Seconds(), Periods: e.Periods - b.Periods}
		if t.Seconds > most.Seconds || t.Seconds == most.Seconds && t.Periods > most.Periods {
			most = &t
		}
	}
	return most
}
