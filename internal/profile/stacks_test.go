package profile

import (
	"encoding/binary"
	"slices"
	"testing"
)

func chainOf(addrs ...uint64) chain {
	var c chain
	for _, a := range addrs {
		c = binary.NativeEndian.AppendUint64(c, a)
	}
	return c
}

func TestStacksAddUp(t *testing.T) {
	s := newStacks(10)
	one := &sampleRecord{tid: 1, weight: 5, chain: chainOf(contextKernel, 1, 2, contextUser, 3)}
	s.add(program{pid: 1}, one)
	s.add(program{pid: 1}, one)
	s.add(program{pid: 1, exec: 1}, one) // another program by then
	s.add(program{pid: 1}, &sampleRecord{tid: 2, weight: 5, chain: one.chain})
	if len(s.all) != 3 || s.samples != 4 || s.weight != 20 {
		t.Errorf("%d stacks of %d samples, weight %d; want 3, 4, 20", len(s.all), s.samples, s.weight)
	}
	for _, at := range s.all {
		if !slices.Equal(at.kernel, []uint64{1, 2}) || !slices.Equal(at.user, []uint64{3}) {
			t.Errorf("%+v", at)
		}
	}
}

// However many stacks there are, memory is bounded, and no sample disappears
// unsaid.
func TestStacksAreBounded(t *testing.T) {
	const limit, n = 100, 5000
	s := newStacks(limit)
	for i := range uint64(n) {
		leaf := 1 + i%50
		s.add(program{pid: 1}, &sampleRecord{weight: 2, chain: chainOf(contextUser, leaf, 1000+i)})
	}
	if len(s.all) > 2*limit {
		t.Errorf("%d stacks are kept", len(s.all))
	}
	if s.samples != n || s.weight != 2*n || s.dropped != 0 || s.leafOnly != n-limit {
		t.Errorf("samples %d, weight %d, dropped %d, without callers %d", s.samples, s.weight, s.dropped, s.leafOnly)
	}
	for i := range uint64(n) { // now every leaf is another
		s.add(program{pid: 1}, &sampleRecord{weight: 2, chain: chainOf(contextUser, 10_000+i)})
	}
	if len(s.all) > 2*limit || s.dropped == 0 || s.samples+s.dropped != 2*n {
		t.Errorf("%d stacks, %d samples, %d dropped", len(s.all), s.samples, s.dropped)
	}
}

// A thread that inherited an event and was then given one of its own is sampled by
// both: only its own counts.
func TestAThreadIsSampledOnce(t *testing.T) {
	s := &Sampler{
		taps:  &taps{byID: map[uint64]uint32{70: 7, 80: 8}, direct: map[uint32]bool{7: true, 8: true}},
		world: newWorld(), got: newStacks(10), threads: map[uint32]bool{}, processes: map[uint32]bool{},
	}
	h := s.handler()
	for _, tt := range []struct {
		id   uint64
		tid  uint32
		want uint64 // samples then
	}{
		{70, 7, 1},  // its own
		{80, 8, 2},  // its own
		{70, 8, 2},  // by the event of the thread that started it
		{70, 9, 3},  // inherited, and nothing else
		{999, 9, 3}, // of nobody here
	} {
		h.sample(&sampleRecord{id: tt.id, pid: 7, tid: tt.tid, weight: 1, chain: chainOf(contextUser, 1)})
		if s.got.samples != tt.want {
			t.Errorf("event %d, thread %d: %d samples, want %d", tt.id, tt.tid, s.got.samples, tt.want)
		}
	}
	if len(s.threads) != 3 {
		t.Errorf("%d threads, want 3", len(s.threads))
	}
}
