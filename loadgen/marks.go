package loadgen

import (
	"fmt"
	"sort"

	"golang.org/x/sys/unix"
)

// marks are one thread's cumulative counts at the interval boundaries of the
// window. A busy thread passes a boundary late; the time it did so is kept with
// the counts, and rates are over the time that really passed.
type marks struct {
	at         []int64 // boundaries, CLOCK_MONOTONIC ns
	passed     int
	seen       []mark
	cpuAtStart int64
	cpuAtEnd   int64
}

type mark struct {
	at              int64 // when the thread passed the boundary
	sent, delivered uint64
}

// newMarks prepares the boundaries of a window, every interval and its end.
func newMarks(start, end int64) *marks {
	m := new(marks)
	for t := start; t < end; t += int64(IntervalLen) {
		m.at = append(m.at, t)
	}
	// A last interval shorter than a tenth of the others would be all noise.
	if n := len(m.at); n > 1 && end-m.at[n-1] < int64(IntervalLen)/10 {
		m.at = m.at[:n-1]
	}
	m.at = append(m.at, end)
	m.seen = make([]mark, 0, len(m.at))
	return m
}

// next is the next boundary, and whether there is one.
func (m *marks) next() (int64, bool) {
	if m.passed == len(m.at) {
		return 0, false
	}
	return m.at[m.passed], true
}

// pass notes the counts at every boundary up to now. It returns whether the
// window has just begun, and whether it has just ended.
func (m *marks) pass(now int64, sent, delivered uint64) (begun, ended bool) {
	for m.passed < len(m.at) && m.at[m.passed] <= now {
		if m.passed == 0 {
			begun = true
			m.cpuAtStart = threadCPU()
		}
		m.seen = append(m.seen, mark{now, sent, delivered})
		m.passed++
	}
	if m.passed == len(m.at) {
		m.cpuAtEnd = threadCPU()
		ended = true
	}
	return begun, ended
}

// missed reports whether the thread passed the window's two ends at once: it did
// not run in between, and has no rates.
func (m *marks) missed() bool { return m.seen[0].at == m.seen[len(m.seen)-1].at }

// busy is the share of the window this thread was on a CPU.
func (m *marks) busy() float64 {
	first, last := m.seen[0].at, m.seen[len(m.seen)-1].at
	return float64(m.cpuAtEnd-m.cpuAtStart) / float64(last-first)
}

// rate is bytes per second over the whole window, for one of the counts.
func (m *marks) rate(count func(mark) uint64) float64 {
	first, last := m.seen[0], m.seen[len(m.seen)-1]
	return float64(count(last)-count(first)) / float64(last.at-first.at) * 1e9
}

// cumulative is the count at time t, between two marks by interpolation.
func (m *marks) cumulative(t int64, count func(mark) uint64) float64 {
	i := sort.Search(len(m.seen), func(i int) bool { return m.seen[i].at >= t })
	switch {
	case i == len(m.seen):
		return float64(count(m.seen[len(m.seen)-1]))
	case i == 0 || m.seen[i].at == t:
		return float64(count(m.seen[i]))
	}
	a, b := m.seen[i-1], m.seen[i]
	share := float64(t-a.at) / float64(b.at-a.at)
	return float64(count(a)) + share*float64(count(b)-count(a))
}

// intervalRates are the bytes per second in each interval, summed over threads.
func intervalRates(ms []*marks, count func(mark) uint64) []float64 {
	at := ms[0].at
	rates := make([]float64, len(at)-1)
	for _, m := range ms {
		for i := range rates {
			d := m.cumulative(at[i+1], count) - m.cumulative(at[i], count)
			rates[i] += d / float64(at[i+1]-at[i]) * 1e9
		}
	}
	return rates
}

func threadCPU() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(fmt.Sprintf("CLOCK_THREAD_CPUTIME_ID: %v", err)) // every Linux has it
	}
	return ts.Nano()
}
