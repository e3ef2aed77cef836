package loadgen

import (
	"math/rand/v2"
	"testing"
)

// The tracker must agree with a map, for arrivals with loss, duplicates and
// reordering over many chunks.
func TestTrackerAgainstAMap(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var tr tracker
		seen := map[uint64]bool{}
		var dup, reordered, next uint64
		const n = 5 * chunkBits
		lossless := seed%2 == 0
		for i := uint64(0); i < n; i++ {
			seq := i
			if !lossless && rng.IntN(100) == 0 {
				continue
			}
			if rng.IntN(50) == 0 && i > 100 {
				seq = i - uint64(rng.IntN(100)) // again, or late
			}
			for range 2 {
				first := tr.mark(seq)
				if first == seen[seq] {
					t.Fatalf("seed %d: mark(%d) = %v, seen before: %v", seed, seq, first, seen[seq])
				}
				if !first {
					dup++
				} else if seq < next {
					reordered++
				} else {
					next = seq + 1
				}
				seen[seq] = true
				if seq == i {
					break
				}
				seq = i
			}
		}
		if tr.unique != uint64(len(seen)) || tr.duplicate != dup || tr.reordered != reordered {
			t.Errorf("seed %d: unique %d, duplicate %d, reordered %d; want %d, %d, %d", seed, tr.unique, tr.duplicate, tr.reordered, len(seen), dup, reordered)
		}
		for range 200 {
			a, b := rng.Uint64N(n+1000), rng.Uint64N(n+1000)
			if a > b {
				a, b = b, a
			}
			want := uint64(0)
			for s := a; s < b; s++ {
				if seen[s] {
					want++
				}
			}
			if got := tr.count(a, b); got != want {
				t.Fatalf("seed %d: count(%d, %d) = %d, want %d", seed, a, b, got, want)
			}
		}
		if lossless {
			full := 0
			for _, c := range tr.chunks {
				if c == complete {
					full++
				}
			}
			if full < 4 {
				t.Errorf("seed %d: %d of %d chunks are complete", seed, full, len(tr.chunks))
			}
		}
	}
	if complete.n != chunkBits || complete.words != [chunkBits / 64]uint64{} {
		t.Error("the chunk that stands for all complete ones has been written to")
	}
}

func TestTrackerStaysSmallWithoutLoss(t *testing.T) {
	var tr tracker
	tr.mark(0)
	tr.mark(10 * chunkBits) // so that the slice of chunks is there
	seq := uint64(1)
	if n := testing.AllocsPerRun(3*chunkBits, func() {
		tr.mark(seq)
		seq++
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkMark(b *testing.B) {
	var tr tracker
	b.ReportAllocs()
	var seq uint64
	for b.Loop() {
		tr.mark(seq)
		seq++
	}
}
