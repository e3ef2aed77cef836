package transport

import "hdbench/internal/tlsrec"

// Scratch is what a thread's Sockets share: the buffers in which records are
// opened and sealed, and the count of both. It belongs to the thread; a Socket
// itself keeps only what is unfinished.
type Scratch struct {
	in  []byte // cipher text received
	out []byte // cipher text to be sent; its length is always 0

	// Filled says that the last Recv took all it had room for: more may wait.
	Filled bool

	Records RecordCounts

	starts pool // of records whose end has not arrived
	ends   pool // of records that a socket has not taken
}

// RecordCounts are the data records that TLS carried, and the bytes in them. Of
// records that the kernel seals only the bytes are known.
type RecordCounts struct {
	In       uint64 `json:"in"`
	InBytes  uint64 `json:"in_bytes"`
	Out      uint64 `json:"out"`
	OutBytes uint64 `json:"out_bytes"`
	Tickets  uint64 `json:"tickets"` // session tickets, read over
	// KeyUpdates are the other sides' that were followed.
	KeyUpdates uint64 `json:"key_updates"`
}

const (
	// A read takes so much cipher text at most, and a send seals so much: a whole
	// burst of a sender's, in records of one Ethernet-sized frame each.
	scratchIn  = 256 << 10
	scratchOut = 72 << 10
)

// NewScratch makes the Scratch of a thread whose Sockets have this transport.
func NewScratch(k Kind) *Scratch {
	if k != TLS {
		return new(Scratch)
	}
	return newScratch(scratchIn, scratchOut)
}

func newScratch(in, out int) *Scratch {
	return &Scratch{
		in: make([]byte, in), out: make([]byte, 0, out),
		starts: pool{size: tlsrec.MaxRecord}, ends: pool{size: out},
	}
}

// pool keeps buffers of one size, so that a peer has one only while it needs it.
type pool struct {
	size int
	free [][]byte
}

const maxFree = 64

// keep copies b, which is no longer than size, into a buffer.
func (p *pool) keep(b []byte) []byte {
	if n := len(p.free); n > 0 {
		kept := p.free[n-1]
		p.free = p.free[:n-1]
		return append(kept[:0], b...)
	}
	return append(make([]byte, 0, p.size), b...)
}

// giveBack takes a buffer of keep's.
func (p *pool) giveBack(b []byte) {
	if cap(b) == p.size && len(p.free) < maxFree {
		p.free = append(p.free, b)
	}
}
