package loadgen

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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
	newPeer := func(t *thread) *peer {
		p := &peer{thread: t, private: peerKey(c.Seed, index)}
		p.key = p.private.Public()
		index++
		t.peers = append(t.peers, p)
		return p
	}
	var hub *peer
	switch c.Pattern {
	case FanIn:
		hub = newPeer(receivers[0])
	case FanOut:
		hub = newPeer(senders[0])
	}
	for i := range c.Pairs {
		from, to := hub, hub
		if c.Pattern != FanOut {
			from = newPeer(senders[i%len(senders)])
		}
		if c.Pattern != FanIn {
			to = newPeer(receivers[i%len(receivers)])
		}
		f := &flow{id: uint32(i), from: from, to: to}
		f.send, f.recv = newSendHalf(f), &recvHalf{flow: f}
		from.sends = append(from.sends, f.send)
		from.thread.sending, to.thread.receiving = true, true
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
