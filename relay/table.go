package relay

import (
	"slices"

	"hdbench/internal/derp"
)

// table is a worker's peers by key. Nearly every key has one connection. When a
// key has several (a client that reconnects before its old connection is seen
// dead, or a cloned key), all are marked duplicates and packets go to the one
// that spoke last, as with derper.
type table struct {
	byKey map[derp.Key]*entry
	// gen changes with every change of where a key's packets go, so that cached
	// routes know when to be looked up again. It starts at 1.
	gen uint64
}

type entry struct {
	active *peer   // nil when none of several is known to be alive
	conns  []*peer // all of them
	spoke  []*peer // in the order they last spoke, only while there are several
}

func newTable() table { return table{byKey: make(map[derp.Key]*entry), gen: 1} }

// add registers p; it becomes the active connection of its key.
func (t *table) add(p *peer) {
	t.gen++
	e := t.byKey[p.key]
	if e == nil {
		t.byKey[p.key] = &entry{active: p, conns: []*peer{p}}
		return
	}
	if len(e.conns) == 1 {
		e.spoke = []*peer{e.conns[0]}
	}
	e.conns = append(e.conns, p)
	e.spoke = append(e.spoke, p)
	for _, c := range e.conns {
		c.dup = true
	}
	e.active = p
}

// remove takes p out and reports whether its key has left with it.
func (t *table) remove(p *peer) (gone bool) {
	t.gen++
	e := t.byKey[p.key]
	is := func(c *peer) bool { return c == p }
	e.conns = slices.DeleteFunc(e.conns, is)
	e.spoke = slices.DeleteFunc(e.spoke, is)
	switch len(e.conns) {
	case 0:
		delete(t.byKey, p.key)
		return true
	case 1:
		last := e.conns[0]
		last.dup = false
		e.active, e.spoke = last, nil
	default:
		if e.active == p {
			e.active = nil
			if n := len(e.spoke); n > 0 {
				e.active = e.spoke[n-1]
			}
		}
	}
	return false
}

// spoke notes that p, one of several, has sent something: it is the active one
// from now on.
func (t *table) spoke(p *peer) {
	e := t.byKey[p.key]
	if e.active == p {
		return
	}
	t.gen++
	e.active = p
	e.spoke = append(slices.DeleteFunc(e.spoke, func(c *peer) bool { return c == p }), p)
}

// lookup finds the connection that gets a key's packets; dup says that there are
// several and none does.
func (t *table) lookup(k *derp.Key) (p *peer, dup bool) {
	e := t.byKey[*k]
	if e == nil {
		return nil, false
	}
	return e.active, e.active == nil
}
