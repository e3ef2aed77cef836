package loadgen

import (
	"fmt"
	"time"

	"hdbench/internal/epoll"
)

// sendHalf is a flow's state at its sender.
type sendHalf struct {
	flow     *flow
	schedule schedule
	seq      uint64 // of the next packet to be built
	accepted uint64 // packets the socket has wholly taken: those below this number

	windowFirst, windowEnd uint64 // accepted at the window's edges

	backlog backlog
	echoes  tracker // what came back, with RTT
}

func newSendHalf(f *flow) *sendHalf { return &sendHalf{flow: f} }

// maxTurn is how much a thread sends before it looks at its sockets again: a
// client that has fallen behind and first sent all that is due would read nothing
// meanwhile, and find the caches cold when it does.
const maxTurn = 16 * MaxTickBurst

// turn lets the flows send what is due, each MaxTickBurst at most and all of them
// maxTurn, and goes on where the last turn ended.
func (t *thread) turn(now int64) error {
	t.behind = false
	left := maxTurn
	for range t.senders {
		if left <= 0 {
			t.behind = true
			return nil
		}
		p := t.senders[t.nextSender]
		t.nextSender = (t.nextSender + 1) % len(t.senders)
		sent, err := t.peerTurn(p, now, left)
		if err != nil {
			return err
		}
		left -= sent
	}
	return nil
}

// peerTurn is p's part of a turn. When its socket is full the next turn begins with
// the next flow, so that every flow has its share of a socket that takes too little.
func (t *thread) peerTurn(p *peer, now int64, left int) (sent int, err error) {
	for range p.sends {
		if p.blocked {
			return sent, nil
		}
		if sent >= left {
			t.behind = true
			return sent, nil
		}
		h := p.sends[p.nextFlow]
		p.nextFlow = (p.nextFlow + 1) % len(p.sends)
		n, err := t.flowTurn(p, h, now)
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// flowTurn sends what of h is due in writes of one burst, at most MaxTickBurst but
// at least one burst.
func (t *thread) flowTurn(p *peer, h *sendHalf, now int64) (sent int, err error) {
	for sent == 0 || sent+len(t.tmpl.buf) <= MaxTickBurst {
		var n int
		if t.s.cfg.Rate.IsMax() {
			n = t.buildNow(h)
		} else {
			n = t.build(p, h, now)
		}
		if n == 0 {
			h.caughtUp(p, now)
			return sent, nil
		}
		if err := t.write(p, t.tmpl.frames(n), h); err != nil {
			return sent, err
		}
		sent += n * t.tmpl.size
		if p.blocked {
			return sent, nil
		}
	}
	if t.s.cfg.Rate.IsMax() || h.schedule.next() <= now {
		t.behind = true
	} else {
		h.caughtUp(p, now)
	}
	return sent, nil
}

// build puts the next burst of h, a flow of p's, into the template, as far as it is
// due, and returns its frames.
func (t *thread) build(p *peer, h *sendHalf, now int64) int {
	n, limit := 0, len(t.tmpl.fillers)
	dst := &h.flow.to.key
	due, alike := int64(0), int64(0) // frames in a row with one due time
	measured := now >= t.tl.begin
	var at, wrote int64
	if measured {
		wrote = t.clock.Now()
	}
	for ; n < limit; n++ {
		if at = h.schedule.next(); at > now || at >= t.tl.end {
			break
		}
		if at != due {
			if alike > 0 && measured {
				t.late(p, due, wrote, alike)
			}
			due, alike = at, 0
		}
		alike++
		t.tmpl.set(n, dst, header{flow: h.flow.id, kind: kindData, seq: h.seq, intended: at})
		h.seq++
		h.schedule.take()
	}
	if alike > 0 && measured {
		t.late(p, due, wrote, alike)
	}
	return n
}

// late records how late n packets of p's are written.
func (t *thread) late(p *peer, due, wrote, n int64) {
	record(t.rec.lateness, wrote-due, n)
	record(t.strain.sendLag, wrote-max(due, p.out.freeAt), n)
}

// buildNow is build for units.Max: a whole burst, whose intended time is now.
func (t *thread) buildNow(h *sendHalf) int {
	n, now := len(t.tmpl.fillers), t.clock.Now()
	for i := range n {
		t.tmpl.set(i, &h.flow.to.key, header{flow: h.flow.id, kind: kindData, seq: h.seq, intended: now})
		h.seq++
	}
	return n
}

// write sends frames, all of one size, and keeps what the socket does not take.
// h is whose data they are, nil if they are no data.
func (t *thread) write(p *peer, frames []byte, h *sendHalf) error {
	n, err := p.sock.Send(t.io, frames)
	if err != nil {
		return t.lost(p, err)
	}
	p.pendFlow, p.pendPart = h, 0
	t.took(p, n)
	if n == len(frames) && !p.sock.Pending() {
		return nil
	}
	p.pend = append(p.pend[:0], frames[n:]...)
	t.filled(p)
	return t.poll.Modify(p.sock.FD(), epoll.Readable|epoll.Writable, p.slot, 0)
}

// took counts n bytes that p's socket has taken.
func (t *thread) took(p *peer, n int) {
	n += p.pendPart
	frames := uint64(n / t.tmpl.size)
	p.pendPart = n % t.tmpl.size
	t.rec.framesSent += frames
	if h := p.pendFlow; h != nil {
		h.accepted += frames
		t.rec.sentBytes += frames * uint64(t.s.cfg.Payload)
	}
}

// writable sends what p has pending and has to return.
func (t *thread) writable(p *peer) error {
	t.wasFull(p, t.notYet)
	n, err := p.sock.Send(t.io, p.pend)
	if err != nil {
		return t.lost(p, err)
	}
	t.took(p, n)
	p.pend = p.pend[:copy(p.pend, p.pend[n:])]
	if len(p.pend) > 0 || p.sock.Pending() {
		t.filled(p)
		return nil
	}
	p.blocked = false
	if err := t.sendEchoes(p); err != nil {
		return err
	}
	if p.blocked {
		return nil
	}
	t.behind = t.behind || len(p.sends) > 0 // what has become due since is for the next turn
	return t.poll.Modify(p.sock.FD(), epoll.Readable, p.slot, 0)
}

// probe sends a packet down every flow that has not been proved yet.
func (t *thread) probe(now int64) (next int64, err error) {
	if now < t.nextProbe {
		return t.nextProbe, nil
	}
	t.nextProbe = now + int64(probeEvery)
	err = t.announce(kindProbe, func(f *flow) bool { return f.reached.Load() })
	return t.nextProbe, err
}

// sendFins tells the receivers that nothing more comes. A fin travels behind the
// flow's last packet, so that when it arrives they all have, or are lost. It may
// itself be dropped by a full queue, so it is repeated.
func (t *thread) sendFins(now int64) (next int64, err error) {
	if now < t.nextFin {
		return t.nextFin, nil
	}
	t.nextFin = now + int64(finEvery)
	err = t.announce(kindFin, func(f *flow) bool { return f.drained.Load() })
	return t.nextFin, err
}

// announce sends one packet of a kind down every flow that is not done.
func (t *thread) announce(k kind, done func(*flow) bool) error {
	for _, p := range t.peers {
		for _, h := range p.sends {
			if p.blocked || done(h.flow) {
				continue
			}
			t.tmpl.set(0, &h.flow.to.key, header{flow: h.flow.id, kind: k, seq: h.accepted, intended: t.clock.Now()})
			if err := t.write(p, t.tmpl.frames(1), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost is the error for a connection that ended.
func (t *thread) lost(p *peer, err error) error {
	role := "a receiver"
	if len(p.sends) > 0 {
		role = "the sender of flow " + fmt.Sprint(p.sends[0].flow.id)
	}
	after := "before the run"
	if t.tl != nil {
		after = time.Duration(t.clock.Now()-t.tl.start).Round(time.Millisecond).String() + " into the run"
	}
	return fmt.Errorf("%w: connection of %s, %s: %v", ErrConnectionLost, role, after, err)
}
