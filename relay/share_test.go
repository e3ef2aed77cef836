package relay

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// keyFor is the i-th key of a worker, of n.
func keyFor(worker, n, i int) derp.Key {
	var k derp.Key
	binary.LittleEndian.PutUint64(k[:], uint64(worker+n*(i+1)))
	return k
}

// stream is a source that always has more to send.
type stream struct {
	sock   transport.Socket
	frames []byte
	sent   int
}

// fill writes what the socket takes.
func (b *bench) fill(s *stream) {
	for {
		at := s.sent % len(s.frames)
		n, err := s.sock.Send(b.io, s.frames[at:])
		if err != nil {
			b.t.Fatal(err)
		}
		s.sent += n
		if n < len(s.frames)-at {
			return
		}
	}
}

// empty reads what has arrived.
func (b *bench) empty(s *transport.Socket) (n int) {
	for {
		m, err := s.Recv(b.io, b.buf)
		if err != nil {
			b.t.Fatal(err)
		}
		if m == 0 {
			return n
		}
		n += m
	}
}

// packetsTo are frames for one destination.
func packetsTo(dst derp.Key, n, data int) []byte {
	var b []byte
	for range n {
		b = derp.AppendFrame(b, derp.FrameSendPacket, append(dst[:], make([]byte, data)...))
	}
	return b
}

// class is some pairs whose sources are on one worker and whose receivers are on
// worker 0.
type class struct {
	sources []*stream
	sinks   []transport.Socket
	got     int
}

// newClass adds pairs whose sources are on a worker. With one receiver for all it
// is given.
func (b *bench) newClass(worker, pairs int, to *derp.Key) *class {
	c := &class{}
	workers := len(b.s.workers)
	for i := range pairs {
		dst := keyFor(0, workers, 1000+1000*worker+i)
		if to != nil {
			dst = *to
		} else {
			c.sinks = append(c.sinks, b.adopt(b.s.workers[0], dst))
		}
		src := b.adopt(b.s.workers[worker], keyFor(worker, workers, i))
		c.sources = append(c.sources, &stream{sock: src, frames: packetsTo(dst, 50, 1400)})
	}
	return c
}

func (b *bench) runClasses(classes []*class, turns int) {
	for range turns {
		for _, c := range classes {
			for _, s := range c.sources {
				b.fill(s)
			}
		}
		b.arrive()
		b.turn()
		b.arrive()
		for _, c := range classes {
			for i := range c.sinks {
				c.got += b.empty(&c.sinks[i])
			}
		}
	}
}

// The sources behind a ring are counted by the turns they take in it.
func TestSourcesBehindARingAreCounted(t *testing.T) {
	var in inlet
	turns := func(sources, cycles int) {
		for range cycles {
			for slot := range int32(sources) {
				for range 3 { // a read is several records
					in.count(slot, 60<<10)
				}
			}
		}
	}
	if n := in.behind(); n != 1 {
		t.Errorf("an unused ring has %d sources, want 1", n)
	}
	for _, n := range []int{10, 3, 1, 400, 1, 2} {
		turns(n, 6)
		if got := in.behind(); got != n {
			t.Errorf("%d sources are counted, want %d", got, n)
		}
	}
	// Those that bring next to nothing have no share for a busy one to use.
	for cycle := range int32(6) {
		in.count(0, 60<<10)
		in.count(0, 60<<10)
		for slot := int32(1); slot < 20; slot++ {
			in.count(slot+cycle%2*20, 1437)
		}
	}
	if got := in.behind(); got != 1 {
		t.Errorf("a busy source among idle ones counts as %d, want 1", got)
	}
}

// What a pair gets of a worker does not depend on which worker its source is on,
// nor on how many others there are. All sources have more than is forwarded, and
// all receivers take what they get. Workers are run round by round.
func TestPairsShareAWorkerWhereverTheirSourcesAre(t *testing.T) {
	for _, onFull := range OnFullPolicies() {
		for _, c := range []struct{ pairs []int }{
			{[]int{5, 5}}, {[]int{20, 20}}, {[]int{60, 60}}, {[]int{2, 30}}, {[]int{30, 2}}, {[]int{4, 2, 20}},
		} {
			t.Run(fmt.Sprint(onFull, c.pairs), func(t *testing.T) {
				b := newBench(t, transport.TCP, len(c.pairs), onFull)
				b.buffers, b.inMemory = DefaultSocketBuffer, true
				var classes []*class
				for worker, n := range c.pairs {
					classes = append(classes, b.newClass(worker, n, nil))
				}
				b.runClasses(classes, 30)
				// The median of some parts: turns are long, and a part may end in the middle
				// of one.
				ratios := make([][]float64, len(classes))
				turns := 0
				for range 5 {
					for _, cl := range classes {
						cl.got = 0
					}
					for ; classes[0].got < 1<<20*len(classes[0].sources); turns += 10 {
						if turns > 20_000 {
							t.Fatalf("sources of the same worker get %d bytes in %d rounds", classes[0].got, turns)
						}
						b.runClasses(classes, 10)
					}
					local := float64(classes[0].got) / float64(c.pairs[0])
					for worker, cl := range classes {
						ratios[worker] = append(ratios[worker], local/(float64(cl.got)/float64(len(cl.sources))))
					}
				}
				for worker, r := range ratios[1:] {
					slices.Sort(r)
					t.Logf("worker %d: %.3f", worker+1, r)
					if m := r[len(r)/2]; m > 1.3 || m < 1/1.3 {
						t.Errorf("a pair on one worker gets %.2f times as much as one from worker %d, in parts %.2f", m, worker+1, r)
					}
				}
			})
		}
	}
}
