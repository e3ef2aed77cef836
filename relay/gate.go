package relay

import "hdbench/internal/derp"

// gate is where sources wait, unread, for one thing that has no room: the send
// queue of a peer here, the ring to another worker, or the send queue of a peer
// on another worker. It lets them in one after the other, each for one read, and
// while anyone waits whoever else comes waits behind. So what has room is shared
// in turns, and what is read beyond the room does not grow with the number of
// sources.
//
// All who wait at a gate belong to its worker. Joining, leaving and being let in
// cost the same however many wait, and allocate nothing once the nodes are there.
type gate struct {
	closed      int // reasons to let nobody in
	first, last *waiting
	opening     bool // listed in worker.opening

	// What it is for: one of these.
	queue *peer
	ring  *ring
	far   derp.Key // of another worker's peer
}

// waiting is one source at one gate. A source may wait at several, one for each
// destination of the read that found them full.
type waiting struct {
	src          *peer
	gate         *gate
	ahead, after *waiting // at the gate
	prev, next   *waiting // of the source
}

// busy reports whether a source that comes now must wait.
func (g *gate) busy() bool { return g.closed > 0 || g.first != nil }

const (
	// usualRead is about what one read of a busy source brings.
	usualRead = 128 << 10
	// farTurns is how many sources are let in for another worker's peer in a
	// round. That worker says when it is enough.
	farTurns = 2
)

// turns is how many sources an open gate lets in for one round.
func (w *worker) turns(g *gate) int {
	switch {
	case g.queue != nil:
		q := &g.queue.q
		return max(1, (w.cfg.QueueBytes-int(q.tail-q.head))/usualRead)
	case g.ring != nil:
		return max(1, g.ring.room()/usualRead)
	default:
		return farTurns
	}
}

// tickets say which kinds of gate have let a source in for its next read.
type tickets uint8

const (
	queueTicket tickets = 1 << iota
	ringTicket
	farTicket
)

func (g *gate) ticket() tickets {
	switch {
	case g.queue != nil:
		return queueTicket
	case g.ring != nil:
		return ringTicket
	default:
		return farTicket
	}
}

// gateAhead is the gate at which p has to wait before it is read again, going by
// where its last packet went; nil if there is none.
func (w *worker) gateAhead(p *peer) *gate {
	r := &p.route
	switch r.kind {
	case routeLocal:
		if g := &r.local.gate; g.busy() && p.tickets&queueTicket == 0 {
			return g
		}
	case routeRemote:
		// While a source waited for the ring the gate may have been closed again.
		if g := w.farGate(&r.dst); g != nil && (g.closed > 0 || g.busy() && p.tickets&farTicket == 0) {
			return g
		}
		if g := &w.spills[r.worker].gate; g.busy() && p.tickets&ringTicket == 0 {
			return g
		}
	}
	return nil
}

// farGate is the gate of another worker's peer; nil if that has room.
func (w *worker) farGate(dst *derp.Key) *gate {
	if len(w.far) == 0 {
		return nil
	}
	return w.far[*dst]
}

// join makes p wait at g: behind all others, or before them if it had been let in
// and the gate was closed again before it was read. Else a source whose turn always
// comes as the gate closes would never have one.
func (w *worker) join(g *gate, p *peer) {
	// A source's packets of one read come one behind the other, and then it is
	// not read: if it waits here already, it is the last.
	if p.closed || g.last != nil && g.last.src == p || g.first != nil && g.first.src == p {
		return
	}
	n := w.spareWaiting
	if n == nil {
		n = new(waiting)
	} else {
		w.spareWaiting = n.next
	}
	*n = waiting{src: p, gate: g, next: p.waits}
	if p.tickets&g.ticket() != 0 {
		n.after = g.first
		g.first = n
	} else {
		n.ahead = g.last
		g.last = n
	}
	if n.ahead != nil {
		n.ahead.after = n
	} else {
		g.first = n
	}
	if n.after != nil {
		n.after.ahead = n
	} else {
		g.last = n
	}
	if p.waits != nil {
		p.waits.prev = n
	}
	p.waits = n
	if g.ring == nil {
		w.c.pauses++
	}
	p.pauses++
	if p.pauses == 1 {
		w.watch(p)
	}
}

// leave ends one wait. The source is read again once it waits nowhere.
func (w *worker) leave(n *waiting) {
	g, p := n.gate, n.src
	if n.ahead != nil {
		n.ahead.after = n.after
	} else {
		g.first = n.after
	}
	if n.after != nil {
		n.after.ahead = n.ahead
	} else {
		g.last = n.ahead
	}
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		p.waits = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	*n = waiting{next: w.spareWaiting}
	w.spareWaiting = n
	p.tickets |= g.ticket()
	p.pauses--
	if p.pauses == 0 {
		w.watch(p)
	}
}

// shut keeps everybody out, for one more reason.
func (g *gate) shut() { g.closed++ }

// open takes a reason away. Those who wait are let in from the end of this round.
func (w *worker) open(g *gate) {
	g.closed--
	if g.closed == 0 && g.first != nil && !g.opening {
		g.opening = true
		w.opening = append(w.opening, g)
	}
}

// letIn gives those at the open gates their turns, a few in each round.
func (w *worker) letIn() {
	gates := w.opening
	w.opening = w.stillOpening[:0]
	for i, g := range gates {
		gates[i] = nil
		for n := w.turns(g); n > 0 && g.closed == 0 && g.first != nil; n-- {
			w.leave(g.first)
		}
		if g.closed == 0 && g.first != nil {
			w.opening = append(w.opening, g)
			continue
		}
		g.opening = false // closed again, or nobody is left
		w.settle(g)
	}
	w.stillOpening = gates[:0]
}

// settle notes that a gate keeps nobody out, if that is so.
func (w *worker) settle(g *gate) {
	switch {
	case g.busy() || g.queue != nil || g.ring != nil:
	default:
		delete(w.far, g.far)
	}
}

// dismiss lets everybody in at once.
func (w *worker) dismiss(g *gate) {
	for g.first != nil {
		w.leave(g.first)
	}
}

// Under the pause policy a full send queue shuts its peer's gate, and a half
// empty one opens it. Other workers that have sent to the peer are told, once
// each, and keep their own sources at a gate of theirs. What is under way then is
// queued beyond the limit: a read, and from each other worker what is in its
// ring.

//
// A receiver may keep its sources waiting for Config.PauseLimit at a time. One
// that has not emptied half of its queue by then is slow: as long as it is, its
// queue drops, and stops nobody. It is no longer slow once it has emptied a full
// queue by half in that time.

// hold makes src wait for p's queue, which is full.
func (w *worker) hold(p *peer, src sourceRef) {
	if p.gate.closed == 0 {
		p.gate.shut()
		p.fullSince = w.now
	}
	if int(src.worker) == w.id {
		if s := w.source(src); s != nil {
			w.join(&p.gate, s)
		}
		return
	}
	word, bit := src.worker/64, uint64(1)<<(src.worker%64)
	if p.told[word]&bit == 0 {
		p.told[word] |= bit
		w.tell(src, message{kind: msgFull, key: p.key})
	}
}

// checkHold ends the wait for a receiver that has been full for too long.
func (w *worker) checkHold(p *peer) {
	if p.gate.closed > 0 && w.now-p.fullSince >= int64(w.cfg.PauseLimit) {
		p.slow = true
		w.c.slowReceivers++
		w.unhold(p)
		w.dismiss(&p.gate) // nobody takes turns: the queue is as full as before
	}
}

// stillSlow drops what finds the queue of a slow receiver full.
func (w *worker) stillSlow(p *peer, data int) {
	if p.fullSince == 0 {
		p.fullSince = w.now
	}
	w.c.drop(DropPauseLimit, 1, data)
}

// emptied notes that p's queue is half empty.
func (w *worker) emptied(p *peer) {
	if p.fullSince == 0 {
		return
	}
	if w.now-p.fullSince < int64(w.cfg.PauseLimit) {
		p.slow = false
	}
	p.fullSince = 0
	w.unhold(p)
}

// unhold lets those who waited for p's queue go on, here and elsewhere.
func (w *worker) unhold(p *peer) {
	if p.gate.closed == 0 {
		return
	}
	w.open(&p.gate)
	for word, bits := range p.told {
		p.told[word] = 0
		for i := int32(word * 64); bits != 0; i, bits = i+1, bits>>1 {
			if bits&1 != 0 {
				w.tell(sourceRef{worker: i}, message{kind: msgRoom, key: p.key})
			}
		}
	}
}

// fullElsewhere notes that a peer of another worker has no room.
func (w *worker) fullElsewhere(key *derp.Key) {
	g := w.far[*key]
	if g == nil {
		g = &gate{far: *key}
		w.far[*key] = g
	}
	g.shut()
}

// roomElsewhere notes that it has again. Several connections may have the key.
func (w *worker) roomElsewhere(key *derp.Key) {
	g := w.far[*key]
	w.open(g)
	w.settle(g)
}
