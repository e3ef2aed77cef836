package profile

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringPages is the size of a CPU's ring, a power of two of pages: half a MiB, at
// 997 Hz some hundred times what comes between two readings.
const ringPages = 128

// ring is the memory the kernel writes a CPU's records into.
type ring struct {
	mem  []byte // header page, then data
	head *uint64
	tail *uint64
	data []byte
	wrap []byte // a record that goes over the end, in one piece
}

func openRing(fd int) (*ring, error) {
	page := os.Getpagesize()
	mem, err := unix.Mmap(fd, 0, (1+ringPages)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == unix.EPERM {
		return nil, fmt.Errorf("map a perf ring of %d KiB: %w: more than kernel.perf_event_mlock_kb and the limit on locked memory (ulimit -l) allow; raise either, or run as root", ringPages*page>>10, err)
	}
	if err != nil {
		return nil, fmt.Errorf("map a perf ring: %w", err)
	}
	head := (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0]))
	return &ring{mem: mem, head: &head.Data_head, tail: &head.Data_tail, data: mem[page:]}, nil
}

func (r *ring) close() error { return unix.Munmap(r.mem) }

// read hands over what has come since the last time, and frees its place.
func (r *ring) read(h *handler) error {
	head := atomic.LoadUint64(r.head) // what the kernel wrote before it is there now
	tail := *r.tail                   // ours alone
	err := r.between(tail, head, h)
	atomic.StoreUint64(r.tail, head)
	return err
}

// between hands over the records between two places, which count up for ever.
func (r *ring) between(tail, head uint64, h *handler) error {
	size := uint64(len(r.data))
	if head-tail > size {
		return fmt.Errorf("%w: %d bytes in a ring of %d", errRecord, head-tail, size)
	}
	for tail < head {
		// A header never goes over the end: records are multiples of 8 bytes.
		at := tail % size
		if size-at < headerSize || head-tail < headerSize {
			return fmt.Errorf("%w: half a header", errRecord)
		}
		n := uint64(binary.NativeEndian.Uint16(r.data[at+6:]))
		if n < headerSize || n > head-tail {
			return fmt.Errorf("%w: a size of %d with %d there", errRecord, n, head-tail)
		}
		record := r.data[at:min(at+n, size)]
		if at+n > size {
			r.wrap = append(append(r.wrap[:0], record...), r.data[:at+n-size]...)
			record = r.wrap
		}
		if err := parseRecord(record, h); err != nil {
			return err
		}
		tail += n
	}
	return nil
}
