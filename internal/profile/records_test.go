package profile

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// record makes a record of a perf ring.
func record(kind uint32, misc uint16, parts ...any) []byte {
	b := make([]byte, headerSize)
	for _, p := range parts {
		switch p := p.(type) {
		case uint32:
			b = binary.NativeEndian.AppendUint32(b, p)
		case uint64:
			b = binary.NativeEndian.AppendUint64(b, p)
		case string:
			b = append(append(b, p...), 0)
			for len(b)%8 != 0 {
				b = append(b, 0)
			}
		case []uint64:
			for _, v := range p {
				b = binary.NativeEndian.AppendUint64(b, v)
			}
		}
	}
	binary.NativeEndian.PutUint32(b, kind)
	binary.NativeEndian.PutUint16(b[4:], misc)
	binary.NativeEndian.PutUint16(b[6:], uint16(len(b)))
	return b
}

func sample(id uint64, pid, tid uint32, weight uint64, chain ...uint64) []byte {
	return record(unix.PERF_RECORD_SAMPLE, 0, id, pid, tid, weight, uint64(len(chain)), chain)
}

// heard keeps what a handler is told.
type heard struct {
	samples  []sampleRecord
	chains   [][]uint64
	maps     []mapRecord
	comms    []commRecord
	forks    []forkRecord
	lost     uint64
	throttle int
}

func (h *heard) handler() *handler {
	return &handler{
		sample: func(s *sampleRecord) {
			var c []uint64
			for i := range s.chain.len() {
				c = append(c, s.chain.at(i))
			}
			h.samples, h.chains = append(h.samples, *s), append(h.chains, c)
		},
		mapped:   func(m mapRecord) { h.maps = append(h.maps, m) },
		comm:     func(c commRecord) { h.comms = append(h.comms, c) },
		fork:     func(f forkRecord) { h.forks = append(h.forks, f) },
		lost:     func(n uint64) { h.lost += n },
		throttle: func() { h.throttle++ },
	}
}

func TestRecords(t *testing.T) {
	var h heard
	for _, b := range [][]byte{
		sample(7, 10, 11, 1003009, contextKernel, 0xffffffff81000010, contextUser, 0x401000, 0x402000),
		record(unix.PERF_RECORD_MMAP2, 0, uint32(10), uint32(11), uint64(0x7f00), uint64(0x1000), uint64(0x2000),
			uint32(8), uint32(1), uint64(99), uint64(0), uint32(5), uint32(2), "/usr/lib/libx.so"),
		record(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC, uint32(10), uint32(10), "relay"),
		record(unix.PERF_RECORD_FORK, 0, uint32(20), uint32(10), uint32(20), uint32(11), uint64(1)),
		record(unix.PERF_RECORD_LOST, 0, uint64(7), uint64(5)),
		record(unix.PERF_RECORD_LOST_SAMPLES, 0, uint64(3)),
		record(unix.PERF_RECORD_THROTTLE, 0, uint64(1), uint64(2), uint64(3)),
		record(unix.PERF_RECORD_EXIT, 0, uint64(1)), // of no interest
	} {
		if err := parseRecord(b, h.handler()); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.samples) != 1 || h.samples[0].id != 7 || h.samples[0].pid != 10 || h.samples[0].tid != 11 || h.samples[0].weight != 1003009 ||
		!slices.Equal(h.chains[0], []uint64{contextKernel, 0xffffffff81000010, contextUser, 0x401000, 0x402000}) {
		t.Errorf("sample: %+v %x", h.samples, h.chains)
	}
	want := mapRecord{pid: 10, start: 0x7f00, length: 0x1000, off: 0x2000, file: "/usr/lib/libx.so", majorDevice: 8, minorDv: 1, inode: 99}
	if len(h.maps) != 1 || h.maps[0] != want {
		t.Errorf("mapping: %+v", h.maps)
	}
	if len(h.comms) != 1 || h.comms[0] != (commRecord{10, 10, "relay", true}) {
		t.Errorf("name: %+v", h.comms)
	}
	if len(h.forks) != 1 || h.forks[0] != (forkRecord{20, 10, 20, 11}) {
		t.Errorf("fork: %+v", h.forks)
	}
	if h.lost != 8 || h.throttle != 1 {
		t.Errorf("lost %d, throttled %d; want 8 and 1", h.lost, h.throttle)
	}
}

func TestDamagedRecords(t *testing.T) {
	long := sample(7, 10, 11, 1, contextKernel, 1)
	binary.NativeEndian.PutUint64(long[headerSize+24:], 1<<40) // entries of the chain
	wrong := sample(7, 10, 11, 1)
	binary.NativeEndian.PutUint16(wrong[6:], 16)
	for name, b := range map[string][]byte{
		"nothing":                    nil,
		"half a header":              make([]byte, 4),
		"another size":               wrong,
		"a chain longer than itself": long,
		"a short sample":             record(unix.PERF_RECORD_SAMPLE, 0, uint64(7)),
		"a short mapping":            record(unix.PERF_RECORD_MMAP2, 0, uint32(1), uint32(2)),
		"a short fork":               record(unix.PERF_RECORD_FORK, 0, uint32(1), uint32(2)),
	} {
		var h heard
		if err := parseRecord(b, h.handler()); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
		if len(h.samples)+len(h.maps)+len(h.forks) > 0 {
			t.Errorf("%s is handed over all the same: %+v", name, h)
		}
	}
}

// Records go round: one that crosses the end of the ring is one all the same.
func TestARingGoesRound(t *testing.T) {
	one := sample(1, 2, 3, 4, contextUser, 0x401000)
	for start := uint64(0); start < 256; start += 8 {
		r := &ring{data: make([]byte, 256)}
		head := start
		for range 3 {
			for i, c := range one {
				r.data[(head+uint64(i))%256] = c
			}
			head += uint64(len(one))
		}
		var h heard
		if err := r.between(start, head, h.handler()); err != nil || len(h.samples) != 3 {
			t.Fatalf("from %d: %d samples, %v", start, len(h.samples), err)
		}
		for _, c := range h.chains {
			if !slices.Equal(c, []uint64{contextUser, 0x401000}) {
				t.Fatalf("from %d: %x", start, c)
			}
		}
	}
}

func FuzzRing(f *testing.F) {
	f.Add(slices.Concat(sample(1, 2, 3, 4, contextKernel, 5, contextUser, 6), record(unix.PERF_RECORD_COMM, 0, uint32(1), uint32(1), "x")), uint64(0))
	f.Add(record(unix.PERF_RECORD_MMAP2, 0, uint32(1), uint32(1), uint64(1), uint64(1), uint64(1), uint64(1), uint64(1), uint64(1), uint64(1), "/x"), uint64(8))
	f.Fuzz(func(t *testing.T, b []byte, tail uint64) {
		const size = 4096
		if len(b) > size {
			return
		}
		tail = tail % size &^ 7
		r := &ring{data: make([]byte, size)}
		for i, c := range b {
			r.data[(tail+uint64(i))%size] = c
		}
		got, s := newStacks(4), heard{}
		h := s.handler()
		h.sample = func(s *sampleRecord) { got.add(program{pid: s.pid}, s) }
		err := r.between(tail, tail+uint64(len(b)), h)
		if err != nil && !errors.Is(err, errRecord) {
			t.Errorf("an error of no class: %v", err)
		}
		if len(got.all) > 8 {
			t.Errorf("%d stacks are kept, want 8 at most", len(got.all))
		}
	})
}
