package relay

import "hdbench/internal/derp"

// table is a worker's peers by key. Nearly every key has one connection. When a
// key has several (a client that reconnects before its old connection is seen
// dead, or a cloned key), all are marked duplicates and packets go to the one
// that spoke last, as with derper.
//
// Cached routes point to the entry of their key. So a route is looked up again
// when the connection that gets this key's packets changes, and not when others
// do.
type table struct {
	byKey map[derp.Key]*entry
	// none stands for every key that nobody has. A key that comes may be one of
	// them, so it is replaced then.
	none *entry
}

type entry struct {
	active *peer // nil when none of several is known to be alive

	// All connections of the key, in the order they last spoke.
	first, last *peer
}

var (
	// outdated is the active connection of an entry that holds no more.
	outdated = new(peer)
	// unresolved is the entry of a route that has not been looked up.
	unresolved = &entry{active: outdated}
	// elsewhere is the entry of a route to another worker, which always holds.
	elsewhere = new(entry)
)

func newTable() table { return table{byKey: make(map[derp.Key]*entry), none: new(entry)} }

// add registers p; it becomes the active connection of its key.
func (t *table) add(p *peer) {
	e := t.byKey[p.key]
	if e == nil {
		t.byKey[p.key] = &entry{active: p, first: p, last: p}
		t.none.active = outdated
		t.none = new(entry)
		return
	}
	p.dup, e.last.dup = true, true
	e.append(p)
	e.active = p
}

// remove takes p out and reports whether its key has left with it.
func (t *table) remove(p *peer) (gone bool) {
	e := t.byKey[p.key]
	e.unlink(p)
	switch {
	case e.first == nil:
		e.active = outdated
		delete(t.byKey, p.key)
		return true
	case e.first == e.last:
		e.first.dup = false
		e.active = e.first
	case e.active == p:
		e.active = e.last
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
	e.active = p
	e.unlink(p)
	e.append(p)
}

// lookup finds the connection that gets a key's packets, which is the active one
// of the entry. It is nil if nobody has the key, or, as dup says, there are
// several and none is active.
func (t *table) lookup(k *derp.Key) (e *entry, dup bool) {
	e = t.byKey[*k]
	if e == nil {
		return t.none, false
	}
	return e, e.active == nil
}

func (e *entry) append(p *peer) {
	p.spokeBefore, p.spokeAfter = e.last, nil
	if e.last != nil {
		e.last.spokeAfter = p
	} else {
		e.first = p
	}
	e.last = p
}

func (e *entry) unlink(p *peer) {
	if p.spokeBefore != nil {
		p.spokeBefore.spokeAfter = p.spokeAfter
	} else {
		e.first = p.spokeAfter
	}
	if p.spokeAfter != nil {
		p.spokeAfter.spokeBefore = p.spokeBefore
	} else {
		e.last = p.spokeBefore
	}
	p.spokeBefore, p.spokeAfter = nil, nil
}
