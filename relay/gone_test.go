package relay

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"hdbench/internal/derp"
)

func testKey(i int) (k derp.Key) {
	binary.LittleEndian.PutUint64(k[:], uint64(i+1))
	return k
}

// mesh has every one of n peers hear every other.
func mesh(h *hearing, n int) []*peer {
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = &peer{key: testKey(i)}
	}
	for _, src := range peers {
		for _, p := range peers {
			if p != src {
				h.note(p, src.key)
			}
		}
	}
	return peers
}

// heldBy is how many bytes of the heap what make returns holds.
func heldBy(make func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func noteOfMesh(n int) any {
	h := newHearing()
	mesh(&h, n)
	return &h
}

func TestWhoHeardWhomIsFewBytesAPair(t *testing.T) {
	const n, most = 1000, 16
	perPair := float64(heldBy(func() any { return noteOfMesh(n) })) / (n * (n - 1))
	t.Logf("%.1f bytes a pair", perPair)
	if perPair > most {
		t.Errorf("%.1f bytes a pair of a mesh of %d peers, want %d at most", perPair, n, most)
	}
}

func BenchmarkWhoHeardWhom(b *testing.B) {
	const n = 1000
	h := newHearing()
	peers := mesh(&h, n)
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			h.note(peers[i%n], peers[(i+1)%n].key)
		}
	})
	b.Run("mesh", func(b *testing.B) {
		var bytes int64
		for range b.N {
			bytes += heldBy(func() any { return noteOfMesh(n) })
		}
		b.ReportMetric(float64(bytes)/float64(b.N)/(n*(n-1)), "B/pair")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*(n-1)), "ns/pair")
	})
}

// A source that stays while its hearers come and go is noted with those there are:
// what is kept of it does not grow with all that ever were.
func TestHearersThatHaveLeftAreForgotten(t *testing.T) {
	h := newHearing()
	src := testKey(0)
	var there []*peer
	for i := range 20_000 {
		p := &peer{key: testKey(i + 1)}
		h.note(p, src)
		there = append(there, p)
		if len(there) > 50 {
			h.leave(there[i%50])
			there = slices.Delete(there, i%50, i%50+1)
		}
	}
	if n := len(h.by[src].table); n > 256 {
		t.Errorf("%d places for %d hearers", n, len(there))
	}
	told := slices.Collect(h.take(src))
	if len(told) != len(there) {
		t.Errorf("%d hearers are told, want %d", len(told), len(there))
	}
	for _, p := range there {
		if !slices.Contains(told, p) {
			t.Fatalf("hearer %v is not told", p.key)
		}
	}
	if again := slices.Collect(h.take(src)); len(again) > 0 {
		t.Errorf("%d are told twice", len(again))
	}
}

// A peer that has taken the place of a hearer did not hear anybody.
func TestANumberIsNotGivenAgain(t *testing.T) {
	h := newHearing()
	old, next := &peer{}, &peer{}
	h.note(old, testKey(1))
	h.leave(old)
	h.note(next, testKey(2))
	if told := slices.Collect(h.take(testKey(1))); len(told) > 0 {
		t.Errorf("%d hearers of a source whose only one has left", len(told))
	}
	h.last = 1<<32 - 1 // the numbers wrap around
	h.peers[1] = next
	wrapped := &peer{}
	h.note(wrapped, testKey(2))
	if wrapped.hearer == 0 || h.peers[wrapped.hearer] != wrapped || wrapped.hearer == 1 {
		t.Errorf("number %d is given again", wrapped.hearer)
	}
}
