package relay

import (
	"encoding/binary"
	"time"

	"hdbench/internal/derp"
)

const (
	drainPoll  = 10 * time.Millisecond
	drainGrace = 50 * time.Millisecond // for what the other workers still hand over

	// What a Restarting frame tells the peers, in milliseconds: come back after
	// this long, and keep trying for so long.
	reconnectIn = 1000
	tryFor      = 10000
)

// startDrain stops reading and tells every peer that the relay goes away.
func (w *worker) startDrain() {
	if w.draining {
		return
	}
	w.draining = true
	w.drainSince = w.clock.Now()
	frame := make([]byte, derp.HeaderLen+8)
	derp.PutHeader(frame, derp.FrameRestarting, 8)
	binary.BigEndian.PutUint32(frame[derp.HeaderLen:], reconnectIn)
	binary.BigEndian.PutUint32(frame[derp.HeaderLen+4:], tryFor)
	for _, p := range w.peers {
		if p != nil {
			w.sendControl(p, frame)
			w.watch(p)
		}
	}
	w.flush()
}

// drained reports whether nothing is left to send, or the time for it is over.
func (w *worker) drained() bool {
	spent := time.Duration(w.clock.Now() - w.drainSince)
	if spent > w.cfg.DrainTimeout {
		return true
	}
	if spent < drainGrace || w.hasWork() {
		return false
	}
	for _, p := range w.peers {
		if p != nil && p.backedUp() {
			return false
		}
	}
	return true
}
