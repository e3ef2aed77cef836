package loadgen

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hdbench/internal/derp"
)

// recvHalf is a flow's state at its receiver.
type recvHalf struct {
	flow    *flow
	arrived tracker

	windowFirst, windowEnd uint64 // what its sender sent inside the window; set when a part is settled
}

// ErrConnectionLost means that the relay ended a peer's connection, or lost it.
var ErrConnectionLost = errors.New("connection lost")

// ErrCorruptStream means that what follows on a connection cannot be frames: the
// relay has sent part of one, or of two.
var ErrCorruptStream = errors.New("the relay corrupted its stream")

// maxEchoQueue bounds what a receiver keeps to return while its socket is full.
const maxEchoQueue = 4 << 20

// readable takes one read's worth from p and checks it.
func (t *thread) readable(p *peer) error {
	t.slowRead()
	carried := p.carry.Load(t.buf)
	n, err := p.sock.Recv(t.io, t.buf[carried:])
	if n > 0 {
		t.now = t.clock.Now()
		t.noteRead(p, n)
		if err := t.received(p, t.buf[:carried+n]); err != nil {
			return err
		}
	}
	if err != nil {
		return t.lost(p, err)
	}
	return nil
}

// received checks every whole frame in b and keeps the rest.
func (t *thread) received(p *peer, b []byte) error {
	for len(b) >= derp.HeaderLen {
		n := int(binary.BigEndian.Uint32(b[1:]))
		whole := derp.HeaderLen + n
		if n > derp.KeyLen+derp.MaxPacket {
			return t.lost(p, fmt.Errorf("%w: frame 0x%02x of %d bytes", ErrCorruptStream, b[0], n))
		}
		if len(b) < whole {
			break
		}
		switch derp.FrameType(b[0]) {
		case derp.FrameRecvPacket, derp.FrameSendPacket: // the latter without a relay
			if n < derp.KeyLen {
				return t.lost(p, fmt.Errorf("%w: packet of %d bytes", ErrCorruptStream, n))
			}
			t.rec.framesRecv++
			t.packet(p, b[:whole])
		}
		b = b[whole:]
	}
	p.carry.Save(b)
	if len(p.echoes) > 0 && !p.blocked {
		return t.sendEchoes(p)
	}
	return nil
}

// packet checks one packet and counts it.
func (t *thread) packet(p *peer, frame []byte) {
	payload := frame[derp.PacketOverhead:]
	h, v := openPayload(payload, t.s.cfg.Run)
	if v != payloadOK || int(h.flow) >= len(t.s.flows) || h.seq >= maxSeq {
		t.reject(v)
		return
	}
	f := t.s.flows[h.flow]
	from, to := f.from, f.to
	if h.kind >= kindEcho {
		from, to = to, from
	}
	// The key in the frame is the sender's, or without a relay the receiver's own.
	want := &from.key
	if t.s.cfg.Direct {
		want = &to.key
	}
	if to != p || *(*derp.Key)(frame[derp.HeaderLen:]) != *want {
		t.rec.foreign++
		return
	}
	switch h.kind {
	case kindData:
		t.data(p, f, h, frame)
	case kindProbe:
		if t.s.cfg.Part.split() {
			t.echo(p, frame, kindProbeEcho)
		} else {
			t.s.noteReached(f)
		}
	case kindProbeEcho:
		t.s.noteReached(f)
	case kindFin:
		if t.s.cfg.RTT || t.s.cfg.Part.split() {
			t.echo(p, frame, kindFinEcho)
		} else {
			t.s.noteDrained(f)
		}
	case kindEcho:
		if f.send.echoes.mark(h.seq) && t.measured(h) {
			t.time(t.rec.rtt, h)
		}
	case kindFinEcho:
		t.s.noteDrained(f)
	}
}

func (t *thread) data(p *peer, f *flow, h header, frame []byte) {
	if f.recv.arrived.mark(h.seq) {
		t.rec.deliveredBytes += uint64(len(frame) - derp.PacketOverhead)
		if t.s.oneClock && t.measured(h) {
			t.time(t.rec.latency, h)
		}
	}
	if t.s.cfg.RTT {
		t.echo(p, frame, kindEcho)
	}
}

// measured reports whether a packet was meant to leave inside the window.
func (t *thread) measured(h header) bool {
	return t.tl != nil && h.intended >= t.tl.begin && h.intended < t.tl.end
}

// time records how long after its intended time a packet has come.
func (t *thread) time(hist *hdrhistogram.Histogram, h header) {
	d := t.now - h.intended
	if d < 0 {
		t.rec.skewed++
		d = 0
	}
	_ = hist.RecordValue(min(d, histMax)) // in range
}

func (t *thread) reject(v verdict) {
	if v == payloadCorrupt {
		t.rec.corrupt++
	} else {
		t.rec.foreign++
	}
}

// echo returns a packet to where it came from.
func (t *thread) echo(p *peer, frame []byte, k kind) {
	if len(p.echoes)+len(frame) > maxEchoQueue {
		t.rec.echoesLost++
		return
	}
	at := len(p.echoes)
	p.echoes = append(p.echoes, frame...)
	e := p.echoes[at:]
	e[0] = byte(derp.FrameSendPacket) // the key in the frame is already the sender's
	payload := e[derp.PacketOverhead:]
	binary.LittleEndian.PutUint32(payload[20:], uint32(k))
	seal(payload)
}

// sendEchoes writes what p has to return.
func (t *thread) sendEchoes(p *peer) error {
	if len(p.echoes) == 0 {
		return nil
	}
	err := t.write(p, p.echoes, nil)
	p.echoes = p.echoes[:0]
	return err
}
