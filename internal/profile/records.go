package profile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Records of a perf ring, as the kernel's include/uapi/linux/perf_event.h lays
// them out: a header (type u32, misc u16, size u16), then what the type has. No
// sample id follows (PerfBitSampleIDAll is not set).

// sampleType is what a sample holds, in the order in which the kernel writes it.
const sampleType = unix.PERF_SAMPLE_IDENTIFIER | unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_PERIOD | unix.PERF_SAMPLE_CALLCHAIN

// headerSize is the size of a record's header, and of the smallest record.
const headerSize = 8

// The markers that stand in a call chain before the addresses of a space, from
// enum perf_callchain_context. Everything from contextMax up is one.
const (
	contextHypervisor = ^uint64(31)   // -32
	contextKernel     = ^uint64(127)  // -128
	contextUser       = ^uint64(511)  // -512
	contextMax        = ^uint64(4094) // -4095
)

// sampleRecord is one sample. Its chain belongs to the parser's buffer.
type sampleRecord struct {
	id       uint64 // of the event that was opened, also where a thread has inherited it
	pid, tid uint32
	weight   uint64
	chain    chain
}

// chain is a call chain as the kernel writes it: addresses from the innermost
// outwards, with markers between the spaces.
type chain []byte

func (c chain) len() int        { return len(c) / 8 }
func (c chain) at(i int) uint64 { return binary.NativeEndian.Uint64(c[8*i:]) }

// mapRecord is a mapping of code that a process has made.
type mapRecord struct {
	pid                  uint32
	start, length, off   uint64
	file                 string
	majorDevice, minorDv uint32
	inode                uint64
}

// commRecord is a thread that has a name now; exec says that its process is
// another program now, with none of its mappings.
type commRecord struct {
	pid, tid uint32
	name     string
	exec     bool
}

// forkRecord is a new thread or process.
type forkRecord struct{ pid, parent, tid, parentThread uint32 }

// handler is told what is in a ring.
type handler struct {
	sample   func(*sampleRecord)
	mapped   func(mapRecord)
	comm     func(commRecord)
	fork     func(forkRecord)
	lost     func(n uint64)
	throttle func()
}

// errRecord means that a record is not what its type says; the ring cannot be
// read any further.
var errRecord = errors.New("damaged record in the perf ring")

// parseRecord hands one record to the handler. b is the whole record.
func parseRecord(b []byte, h *handler) error {
	if len(b) < headerSize || int(binary.NativeEndian.Uint16(b[6:])) != len(b) {
		return fmt.Errorf("%w: %d bytes with a wrong size", errRecord, len(b))
	}
	kind, misc := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[4:])
	r := fields{b: b[headerSize:]}
	switch kind {
	case unix.PERF_RECORD_SAMPLE:
		s := sampleRecord{id: r.u64(), pid: r.u32(), tid: r.u32(), weight: r.u64()}
		n := r.u64()
		if n > uint64(len(r.b)/8) {
			return fmt.Errorf("%w: a call chain of %d in %d bytes", errRecord, n, len(b))
		}
		s.chain = chain(r.b[:8*n])
		if !r.short {
			h.sample(&s)
		}
	case unix.PERF_RECORD_MMAP2:
		m := mapRecord{pid: r.u32()}
		r.u32() // tid
		m.start, m.length, m.off = r.u64(), r.u64(), r.u64()
		device := r.take(24) // or a build id, which was not asked for
		r.u64()              // protection, flags
		m.file = r.text()
		if !r.short {
			m.majorDevice, m.minorDv = binary.NativeEndian.Uint32(device), binary.NativeEndian.Uint32(device[4:])
			m.inode = binary.NativeEndian.Uint64(device[8:])
			h.mapped(m)
		}
	case unix.PERF_RECORD_COMM:
		c := commRecord{pid: r.u32(), tid: r.u32(), exec: misc&unix.PERF_RECORD_MISC_COMM_EXEC != 0}
		c.name = r.text()
		if !r.short {
			h.comm(c)
		}
	case unix.PERF_RECORD_FORK:
		f := forkRecord{pid: r.u32(), parent: r.u32(), tid: r.u32(), parentThread: r.u32()}
		if !r.short {
			h.fork(f)
		}
	case unix.PERF_RECORD_LOST:
		r.u64() // id
		if n := r.u64(); !r.short {
			h.lost(n)
		}
	case unix.PERF_RECORD_LOST_SAMPLES:
		if n := r.u64(); !r.short {
			h.lost(n)
		}
	case unix.PERF_RECORD_THROTTLE:
		h.throttle()
	}
	if r.short {
		return fmt.Errorf("%w: type %d of %d bytes is too short", errRecord, kind, len(b))
	}
	return nil
}

// fields reads a record's fields one after another.
type fields struct {
	b     []byte
	short bool // there was less than was asked for
}

func (r *fields) take(n int) []byte {
	if len(r.b) < n {
		r.short, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *fields) u64() uint64 {
	if v := r.take(8); v != nil {
		return binary.NativeEndian.Uint64(v)
	}
	return 0
}

func (r *fields) u32() uint32 {
	if v := r.take(4); v != nil {
		return binary.NativeEndian.Uint32(v)
	}
	return 0
}

// text reads what ends with a zero.
func (r *fields) text() string { return unix.ByteSliceToString(r.b) }
