package relay

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

func frame(t derp.FrameType, payload int, fill byte) []byte {
	return derp.AppendFrame(nil, t, bytes.Repeat([]byte{fill}, payload))
}

// flatten is what a queue would send.
func flatten(q *queue) []byte {
	var v [3]transport.IOV
	var out []byte
	out = append(out, q.rest...)
	a, b := q.segments()
	out = append(append(out, a...), b...)
	n := 0
	for i := range q.iov(&v) {
		n += int(v[i].Len)
	}
	if n != len(out) {
		panic("iov and segments disagree")
	}
	return out
}

// A queue must agree with a plain list of frames, whatever is done to it.
func TestQueueAgainstAList(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q queue
		var pool bufPool
		var model [][]byte // whole frames, the first perhaps part-sent
		part := 0          // bytes gone of model[0]
		for range 400 {
			switch op := rng.IntN(10); {
			case op < 5:
				ft := derp.FrameRecvPacket
				if rng.IntN(5) == 0 {
					ft = derp.FramePong
				}
				f := frame(ft, derp.KeyLen+rng.IntN(3000), byte(rng.Uint32()))
				q.push(f, &pool)
				model = append(model, f)
			case op < 8:
				total := -part
				for _, f := range model {
					total += len(f)
				}
				n := rng.IntN(total + 1)
				packets, data := q.sent(n)
				wantP, wantD := 0, 0
				n += part
				for len(model) > 0 && n >= len(model[0]) {
					if d := dataLen(model[0]); d >= 0 {
						wantP, wantD = wantP+1, wantD+d
					}
					n -= len(model[0])
					model = model[1:]
				}
				part = n
				if packets != wantP || data != wantD {
					t.Fatalf("seed %d: sent %d packets with %d bytes, want %d with %d", seed, packets, data, wantP, wantD)
				}
			default:
				first := 0
				if part > 0 {
					first = 1
				}
				want, at := -1, -1
				for i := first; i < len(model); i++ {
					if d := dataLen(model[i]); d >= 0 {
						want, at = d, i
						break
					}
				}
				if got := q.dropOldest(); got != want {
					t.Fatalf("seed %d: dropped %d bytes, want %d", seed, got, want)
				}
				if at >= 0 { // control frames before it have gone to the end
					moved := append([][]byte{}, model[first:at]...)
					model = append(append(append([][]byte{}, model[:first]...), model[at+1:]...), moved...)
				}
			}
			var want []byte
			packets := 0
			for i, f := range model {
				if dataLen(f) >= 0 {
					packets++
				}
				if i == 0 {
					f = f[part:]
				}
				want = append(want, f...)
			}
			if got := flatten(&q); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: queue holds %d bytes, want %d", seed, len(got), len(want))
			}
			if q.packets() != packets || q.empty() != (len(want) == 0) || q.bytes() != len(want) {
				t.Fatalf("seed %d: %d packets, %d bytes, empty %v; want %d, %d", seed, q.packets(), q.bytes(), q.empty(), packets, len(want))
			}
			if q.empty() && rng.IntN(2) == 0 {
				q.release(&pool)
			}
		}
	}
}

func TestBufPoolReuses(t *testing.T) {
	var p bufPool
	a := p.get(20_000)
	if len(a) != 32<<10 {
		t.Fatalf("asked for 20000 bytes, got %d", len(a))
	}
	p.put(a)
	if b := p.get(17_000); &b[0] != &a[0] {
		t.Error("a buffer of the right class was not used again")
	}
	p.put(nil)
	for range 10 * sparePerClass {
		p.put(make([]byte, 1<<20))
	}
	if n := len(p.free[20]); n > sparePerClass || n<<20 > spareBytes {
		t.Errorf("%d spare buffers of 1 MiB", n)
	}
}
