package loadgen

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/derp"
)

// startDelay is how far ahead a start time should lie for every thread to hear
// of it.
const startDelay = 20 * time.Millisecond

func ns(n int64) time.Duration { return time.Duration(n) }

// plan makes the peers, the flows between them and the threads, and places the
// peers. With two CPUs or more, senders and receivers have threads of their own,
// so that a long read never delays a send; an odd CPU out goes to the receivers,
// who have more to do.
func (s *Session) plan() error {
	c := &s.cfg
	if c.Run == 0 {
		var b [8]byte
		rand.Read(b[:]) // crypto/rand does not fail
		c.Run = binary.LittleEndian.Uint64(b[:])
	}
	cpus := c.CPUs.List()
	for _, n := range cpus {
		t, err := newThread(s, cpu.Of(n), len(s.threads))
		if err != nil {
			s.closePeers()
			return fmt.Errorf("thread for CPU %d: %w", n, err)
		}
		s.threads = append(s.threads, t)
	}
	senders, receivers := s.threads, s.threads
	if n := len(s.threads); n > 1 {
		senders, receivers = s.threads[:n/2], s.threads[n/2:]
	}

	var index uint64
	placed := map[*thread]int{}
	// newPeer is the next peer, on the least used of some threads, or elsewhere.
	newPeer := func(part int, threads []*thread) *peer {
		p := &peer{private: peerKey(c.Seed, index)}
		p.key = p.private.Public()
		index++
		if part != c.Part.Index {
			return p
		}
		p.thread = slices.MinFunc(threads, func(a, b *thread) int { return placed[a] - placed[b] })
		placed[p.thread]++
		p.thread.peers = append(p.thread.peers, p)
		return p
	}
	var hub *peer
	sendAt, recvAt := c.Part.places(c.Pattern, 0)
	switch c.Pattern {
	case FanIn:
		hub = newPeer(recvAt, receivers[:1])
	case FanOut:
		hub = newPeer(sendAt, senders[:1])
	}
	clear(placed)
	for i := range c.Pairs {
		sendAt, recvAt := c.Part.places(c.Pattern, i)
		from, to := hub, hub
		if c.Pattern != FanOut {
			from = newPeer(sendAt, senders)
		}
		if c.Pattern != FanIn {
			to = newPeer(recvAt, receivers)
		}
		f := &flow{id: uint32(i), from: from, to: to}
		if from.thread != nil {
			f.send = newSendHalf(f)
			from.sends = append(from.sends, f.send)
			from.thread.sending = true
		}
		if to.thread != nil {
			f.recv = &recvHalf{flow: f}
			to.thread.receiving = true
		}
		s.flows = append(s.flows, f)
	}
	return nil
}

// peerKey is the i-th peer's key. It is derived, so that the same seed makes the
// same peers: which of a relay's workers a peer hashes to is then the same in
// every run of a sweep.
func peerKey(seed, i uint64) derp.PrivateKey {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], seed)
	binary.LittleEndian.PutUint64(b[8:], i)
	return derp.ClampKey(sha256.Sum256(append([]byte("hdbench peer "), b[:]...)))
}
