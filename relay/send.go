package relay

import (
	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// maxControl is how many frames that are no packets may wait for one peer;
// further pongs are lost, as with derper. What a relay says by itself (PeerGone,
// KeepAlive) is bounded by the number of peers and always kept.
const maxControl = 64

// addRun gives p frames to send in this round's flush. The bytes must stay in
// place until then.
func (w *worker) addRun(p *peer, b []byte, packets int, src sourceRef) {
	if p.closed {
		w.dropRun(b, packets, DropGoneDisconnected)
		return
	}
	if len(w.runs) == cap(w.runs) {
		w.flush()
	}
	i := int32(len(w.runs))
	w.runs = append(w.runs, run{b: b, packets: packets, src: src, next: noRun})
	if p.runs.first == noRun {
		p.runs.first = i
	} else {
		w.runs[p.runs.last].next = i
	}
	p.runs.last = i
	if !p.dirty {
		p.dirty = true
		w.dirty = append(w.dirty, p)
	}
}

func (w *worker) dropRun(b []byte, packets int, why DropReason) {
	if packets > 0 {
		w.c.drop(why, packets, len(b)-packets*derp.PacketOverhead)
	}
}

// sendControl sends p a frame that is no packet, with this round's other runs.
// The frame's bytes must not change until the flush.
func (w *worker) sendControl(p *peer, frame []byte) { w.addRun(p, frame, 0, p.ref) }

// flush sends every run gathered. It is called when the arena or the run list is
// full and at the end of each part of a round. Nothing below it may add a run.
func (w *worker) flush() {
	for _, p := range w.dirty {
		w.flushPeer(p)
	}
	w.dirty = w.dirty[:0]
	w.runs = w.runs[:0]
	if w.taken > 0 {
		w.release()
	}
	w.moveSpills()
}

// flushPeer sends p's runs, straight from where they were received if the socket
// takes them.
func (w *worker) flushPeer(p *peer) {
	i := p.runs.first
	p.runs = runList{noRun, noRun}
	p.dirty = false
	if p.closed || p.backedUp() {
		w.keepRuns(p, i)
		return
	}
	for i != noRun {
		next, ok := w.sendRuns(p, i)
		if !ok {
			w.keepRuns(p, next)
			return
		}
		i = next
	}
}

// sendRuns sends p's runs from i on, as many as one system call takes. It returns
// the first run not dealt with; ok is false if the socket takes no more.
func (w *worker) sendRuns(p *peer, i int32) (next int32, ok bool) {
	var n int
	var err error
	total, end := 0, i
	if r := &w.runs[i]; r.next == noRun {
		total, end = len(r.b), noRun
		n, err = p.sock.Send(w.io, r.b)
	} else {
		w.iov = w.iov[:0]
		for end != noRun && len(w.iov) < cap(w.iov) {
			r := &w.runs[end]
			var v transport.IOV
			transport.SetIOV(&v, r.b)
			w.iov = append(w.iov, v)
			total += len(r.b)
			end = r.next
		}
		n, err = p.sock.SendV(w.io, w.iov)
	}
	if err != nil {
		for j := i; j != end; j = w.runs[j].next {
			w.dropRun(w.runs[j].b, w.runs[j].packets, DropWriteError)
		}
		w.broken(p, err, true)
		return end, false
	}
	if n > 0 {
		w.c.sends++
	}
	if n == total {
		for ; i != end; i = w.runs[i].next {
			w.sentRun(&w.runs[i])
		}
		if p.sock.Pending() {
			w.watch(p)
			return end, false
		}
		return end, true
	}
	// The socket is full. What it took is gone; the rest is queued.
	for n >= len(w.runs[i].b) {
		r := &w.runs[i]
		n -= len(r.b)
		w.sentRun(r)
		i = r.next
	}
	w.keepPart(p, i, n)
	return w.runs[i].next, false
}

func (w *worker) sentRun(r *run) {
	if r.packets > 0 {
		w.c.forwardedPackets += uint64(r.packets)
		w.c.forwardedBytes += uint64(len(r.b) - r.packets*derp.PacketOverhead)
	}
}

// keepPart queues run i for p, of which the first n bytes are sent. p's queue is
// empty.
func (w *worker) keepPart(p *peer, i int32, n int) {
	r := &w.runs[i]
	b := r.b
	for len(b) > 0 {
		_, size, _ := derp.ParseHeader(b)
		size += derp.HeaderLen
		frame := b[:size]
		switch data := dataLen(frame); {
		case n >= size:
			if data >= 0 {
				w.c.forwardedPackets++
				w.c.forwardedBytes += uint64(data)
			}
		case n > 0:
			p.q.setRest(frame, n)
		default:
			w.enqueue(p, frame, data, r.src)
		}
		n = max(0, n-size)
		b = b[size:]
	}
	w.watch(p)
}

// keepRuns queues p's runs from i on.
func (w *worker) keepRuns(p *peer, i int32) {
	for ; i != noRun; i = w.runs[i].next {
		if p.closed {
			w.dropRun(w.runs[i].b, w.runs[i].packets, DropGoneDisconnected)
			continue
		}
		w.keepPart(p, i, 0)
	}
}

// enqueue puts a frame into p's send queue, as the policy has it.
func (w *worker) enqueue(p *peer, frame []byte, data int, src sourceRef) {
	q := &p.q
	if data < 0 {
		if frame[0] == byte(derp.FramePong) && q.control >= maxControl {
			w.c.pongsLost++
			return
		}
		q.push(frame, &w.pool)
		return
	}
	if w.full(q, len(frame)) {
		switch w.cfg.OnFull {
		case DropTail:
			w.c.drop(DropQueueTail, 1, data)
			return
		case DropHead:
			for w.full(q, len(frame)) {
				old := q.dropOldest()
				if old < 0 {
					break // only control frames wait: they do not keep packets out
				}
				w.c.drop(DropQueueHead, 1, old)
			}
		case Pause:
			if p.slow {
				w.stillSlow(p, data)
				return
			}
			w.hold(p, src)
		}
	}
	q.push(frame, &w.pool)
}

// full reports whether a frame of n bytes would take the queue over its limits.
// The half-sent frame does not count: it cannot be dropped.
func (w *worker) full(q *queue, n int) bool {
	return q.frames-q.control >= w.cfg.QueuePackets || int(q.tail-q.head)+n > w.cfg.QueueBytes
}

// writable sends what waits for p.
func (w *worker) writable(p *peer) {
	if !p.backedUp() {
		w.watch(p)
		return
	}
	var v [3]transport.IOV
	pieces := p.q.iov(&v)
	n, err := p.sock.SendV(w.io, v[:pieces])
	if err != nil {
		w.broken(p, err, true)
		return
	}
	if n > 0 {
		w.c.sends++
	}
	packets, data := p.q.sent(n)
	w.c.forwardedPackets += uint64(packets)
	w.c.forwardedBytes += uint64(data)
	if p.q.empty() {
		p.q.release(&w.pool)
		w.watch(p)
	}
	if p.fullSince != 0 && w.halfEmpty(&p.q) {
		w.emptied(p)
	}
}

// halfEmpty is the other end of full's hysteresis.
func (w *worker) halfEmpty(q *queue) bool {
	return q.frames-q.control <= w.cfg.QueuePackets/2 && int(q.tail-q.head) <= w.cfg.QueueBytes/2
}

// dropQueue counts what waits for a peer that has gone, and lets its sources go
// on.
func (w *worker) dropQueue(p *peer, failed bool) {
	q := &p.q
	if len(q.rest) > 0 && q.restData >= 0 {
		why := DropGoneDisconnected
		if failed {
			why = DropWriteError
		}
		w.c.drop(why, 1, q.restData)
	}
	q.rest = nil
	for {
		data := q.dropOldest()
		if data < 0 {
			break
		}
		w.c.drop(DropGoneDisconnected, 1, data)
	}
	q.frames, q.control = 0, 0
	q.release(&w.pool)
	w.unhold(p)
	w.dismiss(&p.gate)
}
