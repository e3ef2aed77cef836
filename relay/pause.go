package relay

import "slices"

// Under the pause policy a full send queue stops the reading of its sources, and
// a half empty one lets them go on. A source on another worker is told through
// that worker's mailbox; what it had in flight meanwhile is queued beyond the
// limit, which bounds the excess by a ring and a receive buffer.

// pauseSource makes src wait for p's queue.
func (w *worker) pauseSource(p *peer, src sourceRef) {
	if slices.Contains(p.waiters, src) {
		return
	}
	p.waiters = append(p.waiters, src)
	w.c.pauses++
	w.askSource(src, msgPause)
}

// resumeSources lets those who waited for p's queue go on.
func (w *worker) resumeSources(p *peer) {
	for _, src := range p.waiters {
		w.askSource(src, msgResume)
	}
	p.waiters = p.waiters[:0]
}

func (w *worker) askSource(src sourceRef, kind messageKind) {
	if int(src.worker) != w.id {
		w.tell(src, message{kind: kind, source: src})
		return
	}
	if s := w.source(src); s != nil {
		w.pause(s, kind == msgPause)
	}
}

// pause adds or takes away one reason for p not to be read.
func (w *worker) pause(p *peer, on bool) {
	if on {
		p.pauses++
	} else {
		p.pauses--
	}
	w.watch(p)
}
