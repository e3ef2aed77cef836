package relay

import (
	"encoding/binary"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// queue holds the frames that one peer's socket did not take, in order: first
// the rest of the frame that is half sent, then whole frames in a byte ring. It
// knows no limits; peers do.
type queue struct {
	rest     []byte // of a frame whose first part is sent
	restData int    // its data bytes, -1 if it is no packet

	buf        []byte // a power of two long, or nil
	head, tail uint64 // bytes taken and put since the beginning
	frames     int    // whole frames in buf
	control    int    // those that are no packets
}

// empty reports whether nothing waits.
func (q *queue) empty() bool { return len(q.rest) == 0 && q.head == q.tail }

// packets is how many packets wait, the half-sent one included.
func (q *queue) packets() int {
	n := q.frames - q.control
	if len(q.rest) > 0 && q.restData >= 0 {
		n++
	}
	return n
}

// bytes is how many bytes wait.
func (q *queue) bytes() int { return len(q.rest) + int(q.tail-q.head) }

// setRest keeps the unsent end of frame, of which the first sent bytes are gone.
// The queue must be empty.
func (q *queue) setRest(frame []byte, sent int) {
	q.restData = dataLen(frame)
	q.rest = append(q.rest[:0], frame[sent:]...)
}

// push appends a whole frame, taking a larger buffer from pool if it must.
func (q *queue) push(frame []byte, pool *bufPool) {
	need := int(q.tail-q.head) + len(frame)
	if need > len(q.buf) {
		q.grow(need, pool)
	}
	at := int(q.tail) & (len(q.buf) - 1)
	n := copy(q.buf[at:], frame)
	copy(q.buf, frame[n:])
	q.tail += uint64(len(frame))
	q.frames++
	if frame[0] != byte(derp.FrameRecvPacket) {
		q.control++
	}
}

func (q *queue) grow(need int, pool *bufPool) {
	bigger := pool.get(need)
	a, b := q.segments()
	n := copy(bigger, a)
	n += copy(bigger[n:], b)
	pool.put(q.buf)
	q.buf, q.head, q.tail = bigger, 0, uint64(n)
}

// segments are the queued whole frames, in the order they leave.
func (q *queue) segments() (a, b []byte) {
	n := int(q.tail - q.head)
	if n == 0 {
		return nil, nil
	}
	at := int(q.head) & (len(q.buf) - 1)
	if at+n <= len(q.buf) {
		return q.buf[at : at+n], nil
	}
	return q.buf[at:], q.buf[:n-(len(q.buf)-at)]
}

// headFrame is the type and whole length of the frame that leaves next.
func (q *queue) headFrame() (derp.FrameType, int) {
	var h [derp.HeaderLen]byte
	mask := len(q.buf) - 1
	for i := range h {
		h[i] = q.buf[(int(q.head)+i)&mask]
	}
	return derp.FrameType(h[0]), derp.HeaderLen + int(binary.BigEndian.Uint32(h[1:]))
}

// popHead removes the frame that would leave next.
func (q *queue) popHead() {
	t, n := q.headFrame()
	q.head += uint64(n)
	q.frames--
	if t != derp.FrameRecvPacket {
		q.control--
	}
}

// dropOldest removes the oldest whole packet and returns its data length, or -1
// if there is none. Control frames in front of it move to the end: they are few,
// they are not ordered against packets, and they are not to be lost.
func (q *queue) dropOldest() int {
	for range q.frames {
		t, n := q.headFrame()
		if t == derp.FrameRecvPacket {
			q.popHead()
			return n - derp.PacketOverhead
		}
		mask := uint64(len(q.buf) - 1)
		for range n { // rotates in place: the ring has at least these n bytes
			q.buf[q.tail&mask] = q.buf[q.head&mask]
			q.head++
			q.tail++
		}
	}
	return -1
}

// iov fills v with what waits and returns how many pieces that is, up to 3.
func (q *queue) iov(v *[3]transport.IOV) int {
	n := 0
	add := func(b []byte) {
		if len(b) > 0 {
			transport.SetIOV(&v[n], b)
			n++
		}
	}
	a, b := q.segments()
	add(q.rest)
	add(a)
	add(b)
	return n
}

// sent removes the first n bytes that wait and returns how many packets, with
// how much data, have now left completely.
func (q *queue) sent(n int) (packets, data int) {
	if len(q.rest) > 0 {
		if n < len(q.rest) {
			q.rest = q.rest[:copy(q.rest, q.rest[n:])]
			return 0, 0
		}
		n -= len(q.rest)
		q.rest = q.rest[:0]
		if q.restData >= 0 {
			packets, data = 1, q.restData
		}
	}
	for n > 0 {
		t, size := q.headFrame()
		if n < size {
			q.keepRest(t, size, n)
			break
		}
		n -= size
		q.popHead()
		if t == derp.FrameRecvPacket {
			packets++
			data += size - derp.PacketOverhead
		}
	}
	return packets, data
}

// keepRest moves the frame at the head, of which the first sent bytes are gone,
// from the ring to rest, so that the ring holds whole frames only.
func (q *queue) keepRest(t derp.FrameType, size, sent int) {
	q.restData = -1
	if t == derp.FrameRecvPacket {
		q.restData = size - derp.PacketOverhead
	}
	a, b := q.segments()
	q.rest = q.rest[:0]
	if sent < len(a) {
		q.rest = append(q.rest, a[sent:min(size, len(a))]...)
	}
	if size > len(a) {
		q.rest = append(q.rest, b[max(0, sent-len(a)):size-len(a)]...)
	}
	q.popHead()
}

// release gives the memory of an empty queue back.
func (q *queue) release(pool *bufPool) {
	pool.put(q.buf)
	q.buf, q.head, q.tail = nil, 0, 0
	if cap(q.rest) > keepBytes {
		q.rest = nil
	}
}

// keepBytes is the largest buffer an idle peer holds on to.
const keepBytes = 4 << 10

// dataLen is the data length of a whole frame, -1 if it is no packet.
func dataLen(frame []byte) int {
	if frame[0] != byte(derp.FrameRecvPacket) {
		return -1
	}
	return len(frame) - derp.PacketOverhead
}
