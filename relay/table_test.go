package relay

import (
	"fmt"
	"testing"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// The packets of a key follow its connections as they come, speak and leave,
// whichever route was cached before; routes to other keys stay.
func TestOnlyTheRoutesOfAKeyThatChangesAreLookedUpAgain(t *testing.T) {
	b := newBench(t, transport.TCP, 1, Pause)
	w := b.s.workers[0]
	src, other := w.peers[0], w.peers[1]
	to := func(dst derp.Key) *route {
		t.Helper()
		if _, err := w.forward(src, packetsTo(dst, 1, 100)); err != nil {
			t.Fatal(err)
		}
		w.flush()
		return &src.route
	}
	check := func(what string, holds bool) {
		t.Helper()
		if src.route.holds() != holds {
			t.Errorf("%s: the route holds: %v, want %v", what, !holds, holds)
		}
	}
	twice := derp.Key{31: 7}

	to(other.key)
	check("just looked up", true)
	b.adopt(w, twice)
	check("another key has come", true)
	one := w.peers[2]
	b.adopt(w, twice)
	two := w.peers[3]
	check("another key has come twice", true)
	w.table.spoke(one)
	check("a duplicate of another key spoke", true)
	w.close(two, "test", false)
	check("a duplicate of another key has left", true)

	if r := to(twice); r.local != one {
		t.Error("the only connection does not get the packets")
	}
	b.adopt(w, twice)
	two = w.peers[3]
	check("a duplicate of it has come", false)
	if r := to(twice); r.local != two {
		t.Error("the newest connection does not get the packets")
	}
	w.table.spoke(one)
	check("the older one spoke", false)
	if r := to(twice); r.local != one {
		t.Error("the connection that spoke last does not get the packets")
	}
	w.close(two, "test", false)
	check("the idle one has left", true)
	w.close(one, "test", false)
	check("all have left", false)
	if r := to(twice); r.kind != routeUnknown {
		t.Errorf("nobody has the key, and the route is of kind %d", r.kind)
	}
	check("nobody has it", true)
	b.adopt(w, twice)
	check("it has come back", false)
	if r := to(twice); r.local != w.peers[2] && r.local != w.peers[3] {
		t.Error("a key that has come back does not get the packets")
	}
}

// BenchmarkDuplicates is what a connection more with the same key costs, and a
// change of the one that speaks: the same however many there are.
func BenchmarkDuplicates(b *testing.B) {
	for _, n := range []int{2, 100, 10_000} {
		b.Run(fmt.Sprintf("op=speak/connections=%d", n), func(b *testing.B) {
			tab := newTable()
			peers := make([]peer, n)
			for i := range peers {
				tab.add(&peers[i])
			}
			i := 0
			for b.Loop() {
				tab.spoke(&peers[i])
				i = (i + 1) % n
			}
		})
		b.Run(fmt.Sprintf("op=add/connections=%d", n), func(b *testing.B) {
			tab := newTable()
			peers := make([]peer, n)
			for i := range peers {
				tab.add(&peers[i])
			}
			p := &peer{}
			for b.Loop() {
				tab.add(p)
				tab.remove(p)
			}
		})
	}
}
