package profile

import (
	"encoding/binary"
)

// maxStacks bounds the different stacks that are kept apart. A sample of another
// is kept by where it was found running, without its callers; when there are
// twice as many, as one whose place was lost.
const maxStacks = 1 << 16

// program is a process between two execs: what its addresses mean.
type program struct {
	pid  uint32
	exec int // how often it has become another program while it was sampled
}

// stack is one call stack of one thread, and how often it was found.
type stack struct {
	program program
	tid     uint32
	kernel  []uint64 // innermost first
	user    []uint64
	samples uint64
	weight  uint64
}

// leaf is where the thread was found running.
func (s *stack) leaf() (addr uint64, kernel bool) {
	if len(s.kernel) > 0 {
		return s.kernel[0], true
	}
	if len(s.user) > 0 {
		return s.user[0], false
	}
	return 0, false
}

// stacks gathers samples as they come. It holds a bounded number of stacks and
// nothing else of a sample.
type stacks struct {
	limit    int
	all      map[string]*stack
	samples  uint64
	weight   uint64
	leafOnly uint64
	dropped  uint64 // samples that had no place
	key      []byte // for looking up
}

func newStacks(limit int) *stacks { return &stacks{limit: limit, all: map[string]*stack{}} }

// add counts a sample.
func (t *stacks) add(p program, s *sampleRecord) {
	t.key = binary.NativeEndian.AppendUint32(t.key[:0], p.pid)
	t.key = binary.NativeEndian.AppendUint32(t.key, uint32(p.exec))
	t.key = binary.NativeEndian.AppendUint32(t.key, s.tid)
	bare := len(t.key)
	t.key = append(t.key, s.chain...)
	at := t.all[string(t.key)]
	if at == nil {
		at = newStack(p, s)
		if len(t.all) >= t.limit {
			at.keepLeaf()
			addr, kernel := at.leaf()
			t.key = binary.NativeEndian.AppendUint64(t.key[:bare], addr)
			if kernel {
				t.key = append(t.key, 'k')
			}
			t.leafOnly++
			if there := t.all[string(t.key)]; there != nil {
				at = there
			} else if len(t.all) >= 2*t.limit {
				t.leafOnly--
				t.dropped++
				return
			}
		}
		t.all[string(t.key)] = at
	}
	at.samples++
	at.weight += s.weight
	t.samples++
	t.weight += s.weight
}

// newStack reads a call chain. Addresses before any marker, and those of a
// hypervisor or a guest, which are not asked for, are passed over.
func newStack(p program, s *sampleRecord) *stack {
	at := &stack{program: p, tid: s.tid}
	var to *[]uint64
	for i := range s.chain.len() {
		switch a := s.chain.at(i); {
		case a == contextKernel:
			to = &at.kernel
		case a == contextUser:
			to = &at.user
		case a >= contextMax:
			to = nil
		case to != nil:
			*to = append(*to, a)
		}
	}
	return at
}

func (s *stack) keepLeaf() {
	if len(s.kernel) > 0 {
		s.kernel, s.user = s.kernel[:1], nil
	} else if len(s.user) > 0 {
		s.user = s.user[:1]
	}
}
