package relay

import (
	"time"

	"hdbench/internal/transport"
)

// A kernel before Linux 6.5 reports a socket with kernel TLS as readable when a
// part of a record has arrived, which it does not give out yet. Watched on, a peer
// that never sends the rest would keep its worker busy. So such a peer is let go of
// after some reads in vain, and looked at again a little later.
const (
	maxVain  = 64
	holdTime = 10 * time.Millisecond
)

// inVain notes a read that brought nothing from a socket said to be readable.
func (w *worker) inVain(p *peer) {
	if w.cfg.Transport != transport.KTLS || p.closed {
		return
	}
	if p.vain++; p.vain < maxVain {
		return
	}
	if len(w.held) == 0 {
		w.heldSince = w.now
	}
	p.held = true
	w.held = append(w.held, p)
	w.watch(p)
}

// lookAgain watches the held peers again when their time has come.
func (w *worker) lookAgain() {
	if len(w.held) == 0 || w.now-w.heldSince < int64(holdTime) {
		return
	}
	for i, p := range w.held {
		p.held = false
		w.watch(p)
		w.held[i] = nil
	}
	w.held = w.held[:0]
}
