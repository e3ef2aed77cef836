package relay

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"hdbench/internal/derp"
)

// What ends a peer's connection.
var (
	errShortPacket = errors.New("send packet frame without a destination key")
	errLongPacket  = fmt.Errorf("packet longer than %d bytes", derp.MaxPacket)
	errPing        = fmt.Errorf("ping payload outside %d to %d bytes", derp.PingLen, derp.MaxPingPayload)
	errPreferred   = errors.New("note preferred frame is not one byte long")
	errMesh        = errors.New("mesh frame from a peer without a mesh key")
)

// forward routes the whole frames in b and returns the unfinished rest. This is
// the hot path: SendPacket frames are rewritten where they lie, and a run of
// them for one destination is routed at once.
func (w *worker) forward(p *peer, b []byte) (rest []byte, err error) {
	if p.skip > 0 {
		n := min(p.skip, len(b))
		p.skip -= n
		b = b[n:]
	}
	start, packets := 0, 0 // of the run being gathered
	off := 0
	for len(b)-off >= derp.HeaderLen {
		if b[off] != byte(derp.FrameSendPacket) {
			w.route(p, b[start:off], packets)
			n, err := w.control(p, b[off:])
			if err != nil {
				return nil, err
			}
			if n == 0 {
				start, packets = off, 0
				break
			}
			off += n
			start, packets = off, 0
			continue
		}
		n := int(binary.BigEndian.Uint32(b[off+1:]))
		if n < derp.KeyLen {
			w.route(p, b[start:off], packets)
			return nil, errShortPacket
		}
		if n > derp.KeyLen+derp.MaxPacket {
			w.route(p, b[start:off], packets)
			return nil, errLongPacket
		}
		end := off + derp.HeaderLen + n
		if end > len(b) {
			break
		}
		frame := b[off:end]
		dst := (*derp.Key)(frame[derp.HeaderLen:])
		if *dst != p.route.dst || !p.route.holds() || end-start > maxRun {
			w.route(p, b[start:off], packets)
			start, packets = off, 0
			w.resolve(p, dst)
		}
		derp.RewriteSend(frame, &p.key)
		packets++
		off = end
	}
	w.route(p, b[start:off], packets)
	return b[off:], nil
}

// resolve looks up where p's packets for dst go.
func (w *worker) resolve(p *peer, dst *derp.Key) {
	r := &p.route
	r.dst, r.local = *dst, nil
	if owner := w.srv.workerOf(dst); owner != w {
		r.kind, r.entry, r.worker = routeRemote, elsewhere, int32(owner.id)
		return
	}
	e, dup := w.table.lookup(dst)
	r.entry = e
	switch {
	case e.active != nil:
		r.kind, r.local = routeLocal, e.active
		w.noteHeard(e.active, p.key)
	case dup:
		r.kind = routeDup
	default:
		r.kind = routeUnknown
	}
}

// route takes a run of p's packets, already rewritten, to p.route.
func (w *worker) route(p *peer, frames []byte, packets int) {
	if packets == 0 {
		return
	}
	data := len(frames) - packets*derp.PacketOverhead
	w.c.receivedPackets += uint64(packets)
	w.c.receivedBytes += uint64(data)
	r := &p.route
	switch r.kind {
	case routeLocal:
		w.addRun(r.local, frames, packets, p.ref)
	case routeRemote:
		w.handOver(p, frames, packets)
	case routeDup:
		w.c.drop(DropDupClient, packets, data)
	case routeUnknown:
		w.c.drop(DropUnknownDest, packets, data)
		if hasDisco(frames) {
			w.sendPeerGone(p, &r.dst, derp.PeerNotHere)
		}
	}
}

// hasDisco reports whether one of the packets is a disco message: only those are
// answered when their destination is unknown.
func hasDisco(frames []byte) bool {
	for len(frames) > 0 {
		_, n, _ := derp.ParseHeader(frames)
		if derp.IsDisco(frames[derp.PacketOverhead : derp.HeaderLen+n]) {
			return true
		}
		frames = frames[derp.HeaderLen+n:]
	}
	return false
}

// control handles the frame at the start of b that is no SendPacket, and returns
// its length, or 0 if it has not wholly arrived.
func (w *worker) control(p *peer, b []byte) (int, error) {
	t, n, _ := derp.ParseHeader(b)
	whole := derp.HeaderLen + n
	switch t {
	case derp.FramePing:
		if n < derp.PingLen || n > derp.MaxPingPayload {
			return 0, errPing
		}
		if len(b) < whole {
			return 0, nil
		}
		w.c.pings++
		// The pong is the ping's first bytes with another header: send it from
		// where it lies.
		derp.PutHeader(b, derp.FramePong, derp.PingLen)
		w.addRun(p, b[:derp.HeaderLen+derp.PingLen], 0, p.ref)
		return whole, nil
	case derp.FrameNotePreferred:
		if n != 1 {
			return 0, errPreferred
		}
		if len(b) < whole {
			return 0, nil
		}
		p.preferred = b[derp.HeaderLen] != 0
		return whole, nil
	case derp.FrameForwardPacket, derp.FrameWatchConns, derp.FrameClosePeer:
		return 0, errMesh
	default:
		// For the future, or of no interest: take it whole or skip what is to come.
		w.c.unknownFrames++
		if len(b) >= whole {
			return whole, nil
		}
		p.skip = whole - len(b)
		return len(b), nil
	}
}

// handOver gives a run to the worker that owns its destination.
func (w *worker) handOver(p *peer, frames []byte, packets int) {
	to := p.route.worker
	rec := record{dst: p.route.dst, src: p.ref, frames: frames, n: packets}
	sp := &w.spills[to]
	w.toWake[to] = true
	w.c.handedOver += uint64(packets)
	if g := w.farGate(&p.route.dst); g != nil && g.closed > 0 {
		w.join(g, p)
	}
	if sp.empty() && w.out[to].put(rec) {
		return
	}
	// Under every policy: what is in a ring has many destinations, and those that
	// are not full must not pay for one that is.
	if sp.empty() {
		sp.gate.shut()
		w.spilled++
		if !sp.behind {
			sp.behind = true
			w.behind++
			w.out[to].behind.Store(true)
		}
	}
	sp.add(rec)
	w.join(&sp.gate, p)
}

// moveSpills retries what did not fit into the rings.
func (w *worker) moveSpills() {
	for i := 0; w.spilled > 0 && i < len(w.spills); i++ {
		sp := &w.spills[i]
		if sp.empty() {
			continue
		}
		sp.moveTo(w.out[i])
		w.toWake[i] = true
		if sp.empty() {
			w.spilled--
			w.open(&sp.gate)
		}
	}
}

// catchUp notes which rings nobody waits for any more. The other end gives the
// sources here their share while they have more; so those who were let in last
// are to be read first.
func (w *worker) catchUp() {
	for i := 0; w.behind > 0 && i < len(w.spills); i++ {
		sp := &w.spills[i]
		switch {
		case !sp.behind:
		case sp.gate.busy():
			sp.free = false
		case !sp.free:
			sp.free = true
		default:
			sp.free, sp.behind = false, false
			w.behind--
			w.out[i].behind.Store(false)
		}
	}
}

// deliver routes one record to a peer of this worker.
func (w *worker) deliver(rec record) {
	w.c.takenOver += uint64(rec.n)
	e, dup := w.table.lookup(&rec.dst)
	p := e.active
	if p == nil {
		reason := DropUnknownDest
		if dup {
			reason = DropDupClient
		}
		w.c.drop(reason, rec.n, len(rec.frames)-rec.n*derp.PacketOverhead)
		if !dup && hasDisco(rec.frames) {
			w.tell(rec.src, message{kind: msgNotHere, key: rec.dst, source: rec.src})
		}
		return
	}
	if src := (*derp.Key)(rec.frames[derp.HeaderLen:]); *src != p.lastHeard {
		p.lastHeard = *src
		w.noteHeard(p, *src)
	}
	w.addRun(p, rec.frames, rec.n, rec.src)
}

// tell leaves a message with the worker of a source.
func (w *worker) tell(src sourceRef, m message) {
	to := w.srv.workers[src.worker]
	if to.mail.leave(m) {
		w.toWake[src.worker] = true
	}
}

// notHereEvery and notHereBurst bound the PeerGone answers to one peer, as
// derper does.
const (
	notHereEvery = 1 // a second
	notHereBurst = 3
)

// sendPeerGone tells p that key is gone.
func (w *worker) sendPeerGone(p *peer, key *derp.Key, why derp.PeerGoneReason) {
	if why == derp.PeerNotHere {
		if p.notHere == nil {
			p.notHere = rate.NewLimiter(notHereEvery, notHereBurst)
		}
		if !p.notHere.Allow() {
			return
		}
	}
	w.c.peerGones++
	frame := make([]byte, derp.HeaderLen+derp.KeyLen+1)
	derp.PutHeader(frame, derp.FramePeerGone, derp.KeyLen+1)
	copy(frame[derp.HeaderLen:], key[:])
	frame[len(frame)-1] = byte(why)
	w.sendControl(p, frame)
}
