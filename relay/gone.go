package relay

import (
	"slices"

	"hdbench/internal/derp"
)

// A peer that got packets from a key is told when the key leaves, so that it
// forgets the way back. Each worker notes, for its own peers, whom they heard
// from; a key that leaves is announced to all workers.

// noteHeard remembers that p gets packets from src.
func (w *worker) noteHeard(p *peer, src derp.Key) {
	if _, ok := p.heardFrom[src]; ok {
		return
	}
	if p.heardFrom == nil {
		p.heardFrom = make(map[derp.Key]struct{})
	}
	p.heardFrom[src] = struct{}{}
	peers := w.heard[src]
	if peers == nil {
		peers = make(map[*peer]struct{})
		w.heard[src] = peers
	}
	peers[p] = struct{}{}
}

// forget undoes noteHeard on w's side, when p leaves.
func (w *worker) forget(src derp.Key, p *peer) {
	delete(w.heard[src], p)
	if len(w.heard[src]) == 0 {
		delete(w.heard, src)
	}
}

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
		for p := range w.heard[keys[i]] {
			delete(p.heardFrom, keys[i])
			if p.lastHeard == keys[i] {
				p.lastHeard = derp.Key{}
			}
			w.sendPeerGone(p, &keys[i], derp.PeerDisconnected)
		}
		delete(w.heard, keys[i])
	}
}
