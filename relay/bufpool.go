package relay

import "math/bits"

// bufPool keeps one worker's spare send-queue buffers, so that queues which fill
// and empty under load do not feed the garbage collector. Buffers are powers of
// two.
type bufPool struct {
	free [64][][]byte
}

const (
	minBuf        = 16 << 10
	sparePerClass = 64 // a class keeps at most this many
	spareBytes    = 8 << 20
)

// get returns a buffer of at least n bytes.
func (p *bufPool) get(n int) []byte {
	class := bits.Len(uint(max(n, minBuf) - 1))
	if l := len(p.free[class]); l > 0 {
		b := p.free[class][l-1]
		p.free[class] = p.free[class][:l-1]
		return b
	}
	return make([]byte, 1<<class)
}

// put takes a buffer back; nil is fine.
func (p *bufPool) put(b []byte) {
	if len(b) == 0 {
		return
	}
	class := bits.Len(uint(len(b) - 1))
	if n := len(p.free[class]); n < sparePerClass && n*len(b) < spareBytes {
		p.free[class] = append(p.free[class], b)
	}
}
