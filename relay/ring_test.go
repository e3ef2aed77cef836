package relay

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"hdbench/internal/derp"
)

func testRecord(rng *rand.Rand, i int) record {
	rec := record{src: sourceRef{slot: int32(i), gen: int32(i % 7)}, n: i}
	binary.LittleEndian.PutUint64(rec.dst[:], uint64(i))
	rec.frames = bytes.Repeat([]byte{byte(i)}, rng.IntN(9000))
	return rec
}

// Records of all sizes cross between two threads, in order and whole, round and
// round the ring, with the spill taking what does not fit.
func TestRingCarriesEverythingInOrder(t *testing.T) {
	const records = 20_000
	r := newRing(64 << 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		var sp spill
		for i := range records {
			rec := testRecord(rng, i)
			if !sp.empty() || !r.put(rec) {
				sp.add(rec)
			}
			sp.moveTo(r)
		}
		for !sp.empty() {
			sp.moveTo(r)
		}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	pos := uint64(0)
	for i := 0; i < records; {
		rec, after, ok := r.next(pos, 5)
		if !ok {
			continue
		}
		want := testRecord(rng, i)
		if rec.dst != want.dst || rec.n != want.n || rec.src.slot != want.src.slot || rec.src.gen != want.src.gen ||
			rec.src.worker != 5 || !bytes.Equal(rec.frames, want.frames) {
			t.Fatalf("record %d arrived as %d, %d bytes", i, rec.n, len(rec.frames))
		}
		pos = after
		r.release(pos)
		i++
	}
	wg.Wait()
	if !r.empty() {
		t.Fatal("something is left in the ring")
	}
}

func TestFullRingAsksToBeWoken(t *testing.T) {
	r := newRing(16 << 10)
	var sp spill
	rec := record{frames: make([]byte, 5000), src: sourceRef{slot: 3}}
	for r.put(rec) {
	}
	sp.add(rec)
	sp.add(rec)
	sp.moveTo(r)
	if sp.empty() {
		t.Fatal("a full ring took more")
	}
	_, pos, ok := r.next(0, 0)
	if !ok || !r.release(pos) {
		t.Fatal("the consumer was not asked to wake the producer")
	}
	sp.moveTo(r)
	if r.release(pos) {
		// One record's room was used up at once, so it is starved again.
		t.Log("starved again")
	} else if !sp.empty() {
		t.Fatal("the spill neither emptied nor asked again")
	}
}

func TestRingMemoryIsBounded(t *testing.T) {
	for n := 1; n <= MaxWorkers; n *= 2 {
		size := ringBytes(n)
		if size < 2*recordSize(maxRun) || size&(size-1) != 0 {
			t.Errorf("%d workers: ring of %d bytes", n, size)
		}
		if n <= 16 && size*n*(n-1) > 64<<20 {
			t.Errorf("%d workers: %d MiB of rings", n, size*n*(n-1)>>20)
		}
	}
}

func BenchmarkRing(b *testing.B) {
	r := newRing(1 << 20)
	rec := record{frames: make([]byte, derp.PacketOverhead+1400), n: 1}
	b.SetBytes(1400)
	b.ReportAllocs()
	pos := uint64(0)
	for b.Loop() {
		r.put(rec)
		_, pos, _ = r.next(pos, 0)
		r.release(pos)
	}
}
