package relay

import (
	"encoding/binary"
	"sync/atomic"

	"hdbench/internal/derp"
)

// ring carries runs of packets from one worker to another: single producer,
// single consumer, no lock. A record is a header and the run's frames, already
// rewritten for their destination, in one piece.
//
// The two positions live on cache lines of their own, and each side keeps a copy
// of the other's that it refreshes only when it has to.
type ring struct {
	buf []byte // a power of two long

	_        [64]byte
	tail     atomic.Uint64 // bytes put; written by the producer
	seenHead uint64        // the producer's copy of head
	_        [64]byte
	head     atomic.Uint64 // bytes taken; written by the consumer
	seenTail uint64        // the consumer's copy of tail
	_        [64]byte
	starved  atomic.Bool // the producer found no room and wants to be woken
	behind   atomic.Bool // the producer has sources that wait for room
	_        [64]byte
}

// record is one run of packets for one destination.
type record struct {
	dst    derp.Key
	src    sourceRef
	frames []byte // whole RecvPacket frames, back to back
	n      int    // how many
}

const (
	recordHeader = 4 + 4 + 4 + 4 + derp.KeyLen // size, packets, source slot and gen, destination
	recordAlign  = 8
	skipToStart  = ^uint32(0) // in place of a size: the next record is at the start
	// maxRun bounds a record, so that a ring holds several.
	maxRun = derp.MaxPacketFrame
)

// ringBytes is the size of each ring among n workers: enough for a few of the
// longest runs, and no more memory in all than 64 MiB where that is possible.
func ringBytes(n int) int {
	size := 1 << 20
	for size > 4*(maxRun+recordHeader) && size*n*(n-1) > 64<<20 {
		size >>= 1
	}
	return size
}

func newRing(size int) *ring { return &ring{buf: make([]byte, size)} }

func recordSize(frames int) int {
	return (recordHeader + frames + recordAlign - 1) &^ (recordAlign - 1)
}

// put appends a record, copying its frames, and reports whether there was room.
// Producer only.
func (r *ring) put(rec record) bool {
	need := uint64(recordSize(len(rec.frames)))
	size := uint64(len(r.buf))
	tail := r.tail.Load()
	at := tail & (size - 1)
	pad := uint64(0)
	if at+need > size {
		pad = size - at
	}
	if tail+pad+need-r.seenHead > size {
		r.seenHead = r.head.Load()
		if tail+pad+need-r.seenHead > size {
			return false
		}
	}
	if pad > 0 {
		binary.LittleEndian.PutUint32(r.buf[at:], skipToStart)
		at = 0
	}
	encodeRecord(r.buf[at:], rec)
	r.tail.Store(tail + pad + need)
	return true
}

func encodeRecord(b []byte, rec record) {
	binary.LittleEndian.PutUint32(b[0:], uint32(len(rec.frames)))
	binary.LittleEndian.PutUint32(b[4:], uint32(rec.n))
	binary.LittleEndian.PutUint32(b[8:], uint32(rec.src.slot))
	binary.LittleEndian.PutUint32(b[12:], uint32(rec.src.gen))
	copy(b[16:], rec.dst[:])
	copy(b[recordHeader:], rec.frames)
}

func decodeRecord(b []byte, from int32) record {
	n := int(binary.LittleEndian.Uint32(b[0:]))
	return record{
		dst: derp.Key(b[16:recordHeader]),
		src: sourceRef{
			worker: from,
			slot:   int32(binary.LittleEndian.Uint32(b[8:])),
			gen:    int32(binary.LittleEndian.Uint32(b[12:])),
		},
		// Not a byte more: what lies behind belongs to the producer.
		frames: b[recordHeader : recordHeader+n : recordHeader+n],
		n:      int(binary.LittleEndian.Uint32(b[4:])),
	}
}

// next returns the record at position pos and the position after it; ok is false
// at the end. The record's frames stay valid until release passes them. Consumer
// only.
func (r *ring) next(pos uint64, from int32) (rec record, after uint64, ok bool) {
	if pos == r.seenTail {
		r.seenTail = r.tail.Load()
		if pos == r.seenTail {
			return record{}, pos, false
		}
	}
	size := uint64(len(r.buf))
	at := pos & (size - 1)
	if binary.LittleEndian.Uint32(r.buf[at:]) == skipToStart {
		pos += size - at
		at = 0
	}
	rec = decodeRecord(r.buf[at:], from)
	return rec, pos + uint64(recordSize(len(rec.frames))), true
}

// release gives everything before pos back to the producer, and reports whether
// the producer wants to be woken for it. Consumer only.
func (r *ring) release(pos uint64) (wake bool) {
	r.head.Store(pos)
	return r.starved.Load() && r.starved.CompareAndSwap(true, false)
}

// room is how many bytes are free. Producer only.
func (r *ring) room() int { return len(r.buf) - int(r.tail.Load()-r.head.Load()) }

// empty reports whether the consumer has taken everything.
func (r *ring) empty() bool { return r.head.Load() == r.tail.Load() }

// spill is what did not fit into a ring: the records in order, and the gate at
// which sources wait for the ring. It is bounded by what one read brings, for
// while it holds anything nobody is read whose packets go there.
type spill struct {
	recs []byte // encoded records
	off  int    // of the first that has not gone over
	gate gate

	behind bool // what ring.behind says
	free   bool // nobody waited at the end of the last round
}

func (s *spill) empty() bool { return s.off == len(s.recs) }

func (s *spill) add(rec record) {
	at := len(s.recs)
	n := recordSize(len(rec.frames))
	if cap(s.recs)-at < n {
		s.recs = append(make([]byte, 0, 2*(at+n)), s.recs...)
	}
	s.recs = s.recs[:at+n]
	encodeRecord(s.recs[at:], rec)
}

// moveTo puts as many records into the ring as fit.
func (s *spill) moveTo(r *ring) {
	for !s.empty() {
		rec := decodeRecord(s.recs[s.off:], 0)
		if !r.put(rec) {
			// Ask to be woken, then look once more: the consumer may have made
			// room in between.
			r.starved.Store(true)
			if !r.put(rec) {
				return
			}
		}
		s.off += recordSize(len(rec.frames))
	}
	s.recs, s.off = s.recs[:0], 0
}
