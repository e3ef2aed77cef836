package relay

import (
	"iter"
	"slices"

	"hdbench/internal/derp"
)

// A peer that got packets from a key is told when the key leaves, so that it
// forgets the way back. Each worker notes, for its own peers, whom they heard
// from; a key that leaves is announced to all workers.

// hearing is who heard whom among a worker's peers. In a mesh of n peers there are
// n² pairs, so a pair costs a few bytes: each source has a set of numbers of peers.
// A peer that leaves is not looked for in the sets: its number is not given again (for
// 2³² peers), says nobody, and goes when its set grows or its source leaves.
type hearing struct {
	by    map[derp.Key]*hearers // by source
	peers map[uint32]*peer      // by number
	last  uint32                // number given
}

func newHearing() hearing {
	return hearing{by: make(map[derp.Key]*hearers), peers: make(map[uint32]*peer)}
}

// note remembers that p gets packets from src.
func (h *hearing) note(p *peer, src derp.Key) {
	if p.hearer == 0 {
		for h.last++; h.last == 0 || h.peers[h.last] != nil; h.last++ { // it may have wrapped around
		}
		p.hearer = h.last
		h.peers[p.hearer] = p
	}
	s := h.by[src]
	if s == nil {
		s = new(hearers)
		h.by[src] = s
	}
	s.add(p.hearer, h.peers)
}

// leave forgets p as a hearer.
func (h *hearing) leave(p *peer) { delete(h.peers, p.hearer) }

// take ends the note of who heard src, and yields those of them that are there.
func (h *hearing) take(src derp.Key) iter.Seq[*peer] {
	s := h.by[src]
	delete(h.by, src)
	return func(yield func(*peer) bool) {
		if s == nil {
			return
		}
		for _, n := range s.table {
			if p := h.peers[n]; p != nil && !yield(p) { // nobody is number 0
				return
			}
		}
	}
}

// hearers is a set of numbers: a hash table with open addressing, in which 0 is a
// free place. It has no pointers for the garbage collector to follow.
type hearers struct {
	table []uint32 // its length is a power of two
	used  int
}

// add puts n into the set. A set that is three quarters full is made anew, half
// full at most, without the numbers that are not in present. So it stays in
// proportion to the peers there are, and a number costs O(1) over time.
func (s *hearers) add(n uint32, present map[uint32]*peer) {
	if len(s.table) > 0 {
		i := s.place(n)
		if s.table[i] == n {
			return
		}
		if 4*(s.used+1) <= 3*len(s.table) {
			s.table[i] = n
			s.used++
			return
		}
	}
	live := []uint32{n}
	for _, m := range s.table {
		if m != 0 && present[m] != nil {
			live = append(live, m)
		}
	}
	size := 4
	for size < 2*len(live) {
		size *= 2
	}
	s.table, s.used = make([]uint32, size), len(live)
	for _, m := range live {
		s.table[s.place(m)] = m
	}
}

// place is where n is, or else the free place where it would be.
func (s *hearers) place(n uint32) uint32 {
	mask := uint32(len(s.table) - 1)
	i := n * 0x9E3779B1 // Knuth's multiplicative hash: the high bits are the good ones
	for i = (i ^ i>>16) & mask; s.table[i] != 0 && s.table[i] != n; i = (i + 1) & mask {
	}
	return i
}

// noteHeard remembers that p gets packets from src.
func (w *worker) noteHeard(p *peer, src derp.Key) { w.heard.note(p, src) }

// announceGone notes that key has left the relay. The workers are told at the end
// of the round: a peer may be found gone in the midst of a flush.
func (w *worker) announceGone(key derp.Key) {
	w.goneKeys = append(w.goneKeys, key)
	for i := range w.srv.workers {
		if i != w.id {
			w.farewells = append(w.farewells, farewell{key, i})
		}
	}
}

// farewell is a key that has left and a worker still to be told.
type farewell struct {
	key    derp.Key
	worker int
}

// sayFarewells tells the other workers of keys that have left, each once all the
// key's packets for that worker have gone over.
func (w *worker) sayFarewells() {
	w.farewells = slices.DeleteFunc(w.farewells, func(f farewell) bool {
		if !w.spills[f.worker].empty() {
			return false
		}
		m := message{kind: msgGone, key: f.key, source: sourceRef{worker: int32(w.id)}}
		if w.srv.workers[f.worker].mail.leave(m) {
			w.toWake[f.worker] = true
		}
		return true
	})
}

// goneElsewhere notes that a key has left another worker. Its last packets may
// still be in that worker's ring: they come first, or their receivers would be
// noted as having heard from a key that has gone.
func (w *worker) goneElsewhere(key derp.Key, from int32) {
	w.takeAll(&w.in[from])
	w.flush()
	w.goneKeys = append(w.goneKeys, key)
}

// tellGone tells w's peers that heard from the keys in goneKeys.
func (w *worker) tellGone() {
	keys := w.goneKeys
	w.goneKeys = nil
	for i := range keys {
		for p := range w.heard.take(keys[i]) {
			if p.lastHeard == keys[i] {
				p.lastHeard = derp.Key{}
			}
			w.sendPeerGone(p, &keys[i], derp.PeerDisconnected)
		}
	}
}
