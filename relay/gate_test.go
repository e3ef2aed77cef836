package relay

import (
	"fmt"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// turnAt is turn at another time.
func (b *bench) turnAt(now int64) {
	for _, w := range b.s.workers {
		events, err := w.poll.Poll()
		if err != nil {
			b.t.Fatal(err)
		}
		w.now = now
		w.round(events)
	}
}

// settle runs rounds until nothing moves any more.
func (b *bench) settle(now int64) {
	last, still := uint64(0), 0
	for still < 20 {
		b.arrive()
		b.turnAt(now)
		moved := uint64(0)
		for _, w := range b.s.workers {
			moved += w.c.receivedPackets + w.c.takenOver + w.c.sends
		}
		if still++; moved != last {
			last, still = moved, 0
		}
	}
}

func (b *bench) totals() Totals {
	var s Snapshot
	for _, w := range b.s.workers {
		s.PerWorker = append(s.PerWorker, w.snapshot())
	}
	return s.Totals()
}

// dropped is how many packets were dropped for a reason.
func (b *bench) dropped(r DropReason) uint64 { return b.totals().Dropped[r.String()] }

func (b *bench) checkBalance() {
	b.t.Helper()
	if tot := b.totals(); !tot.Balanced() {
		b.t.Errorf("not every packet is accounted for: %+v", tot)
	}
}

// However many send to a receiver that does not read, what is queued for it stays
// near the queue's limit, and so does what waits between the workers.
func TestWhatIsHeldForAFullReceiverDoesNotGrowWithItsSources(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, sources := range []int{10, 400} {
			t.Run(fmt.Sprint(workers, "/", sources), func(t *testing.T) {
				b := newBench(t, transport.TCP, workers, Pause)
				b.buffers = DefaultSocketBuffer
				dst := keyFor(0, workers, 5000)
				b.adopt(b.s.workers[0], dst)
				c := b.newClass(workers-1, sources, &dst)
				receiver := b.s.workers[0].table.byKey[dst].active
				for range 10 {
					for _, s := range c.sources {
						b.fill(s)
					}
					b.settle(1)
				}
				b.checkBalance()
				// A read; from another worker what its ring and its last reads hold;
				// from each source the packet that told where it sends.
				w := b.s.workers[0]
				held := receiver.q.bytes()
				for _, from := range b.s.workers {
					for i := range from.spills {
						held += len(from.spills[i].recs)
					}
				}
				most := w.cfg.QueueBytes + arenaBytes + (workers-1)*(1<<20+4*arenaBytes) + sources*(firstRead+2*1437)
				if held > most {
					t.Errorf("%d KiB are held for it, want %d at most", held>>10, most>>10)
				}
				if n := receiver.q.bytes(); n < w.cfg.QueueBytes*9/10 {
					t.Errorf("%d bytes are queued: the receiver is not full", n)
				}
			})
		}
	}
}

// Sources that share a receiver share its room: none is always the first that
// finds some.
func TestNoSourceOfAFullReceiverIsAlwaysFirst(t *testing.T) {
	for _, onFull := range OnFullPolicies() {
		for _, n := range [][2]int{{20, 20}} {
			t.Run(fmt.Sprint(onFull, n), func(t *testing.T) {
				b := newBench(t, transport.TCP, 2, onFull)
				b.buffers, b.inMemory = DefaultSocketBuffer, true
				dst := keyFor(0, 2, 5000)
				sink := b.adopt(b.s.workers[0], dst)
				classes := []*class{b.newClass(0, n[0], &dst), b.newClass(1, n[1], &dst)}
				got := make(map[derp.Key]int)
				var rest []byte
				for range 1600 {
					b.runClasses(classes, 1)
					m, err := sink.Recv(b.io, b.buf)
					if err != nil {
						t.Fatal(err)
					}
					rest = append(rest, b.buf[:m]...)
					for len(rest) >= derp.PacketOverhead+1400 {
						if rest[0] == byte(derp.FrameRecvPacket) {
							got[derp.Key(rest[derp.HeaderLen:])]++
						}
						_, size, _ := derp.ParseHeader(rest)
						rest = rest[derp.HeaderLen+size:]
					}
				}
				for worker, n := range n {
					sum, least, most := 0, 1<<60, 0
					for i := range n {
						g := got[keyFor(worker, 2, i)]
						sum, least, most = sum+g, min(least, g), max(most, g)
					}
					t.Logf("worker %d: mean %d, %d to %d", worker, sum/n, least, most)
					// Sources that wait have turns. Where they do not, chance has a part in
					// who finds room: few packets are forwarded and most are dropped, so
					// that only nobody must be kept out.
					if onFull == Pause && most > 3*least || least == 0 {
						t.Errorf("of %d sources on worker %d one gets %d packets through and another %d", n, worker, least, most)
					}
				}
			})
		}
	}
}

// A receiver that trickles is waited for until PauseLimit, and then loses packets
// instead of stopping those who send to it. Once it empties its queue in time it
// is waited for again.
func TestPauseEndsForAReceiverThatTrickles(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			b := newBench(t, transport.TCP, workers, Pause)
			b.buffers = DefaultSocketBuffer
			limit := int64(b.s.cfg.PauseLimit)
			far := b.s.workers[workers-1]
			dst := keyFor(0, workers, 5000)
			sink := b.adopt(b.s.workers[0], dst)
			src := b.newClass(workers-1, 1, &dst).sources[0]
			source := far.peers[len(far.peers)-1]
			receiver := b.s.workers[0].table.byKey[dst].active
			now := int64(time.Hour)
			full := func() {
				t.Helper()
				for range 10 {
					b.fill(src)
					b.settle(now)
				}
			}
			chores := func() {
				for _, w := range b.s.workers {
					w.mail.leave(message{kind: msgChores})
				}
				b.settle(now)
			}

			full()
			if source.pauses == 0 || b.dropped(DropPauseLimit) != 0 {
				t.Fatalf("a full receiver: its source waits at %d gates, %d packets were dropped", source.pauses, b.dropped(DropPauseLimit))
			}
			now += limit - 1
			chores()
			if source.pauses == 0 {
				t.Fatal("the source goes on before the limit")
			}
			now++
			chores()
			full()
			lost := b.dropped(DropPauseLimit)
			if source.pauses != 0 || lost == 0 {
				t.Fatalf("after the limit the source waits at %d gates, %d packets were dropped", source.pauses, lost)
			}
			b.checkBalance()

			// It empties half of its queue, late: it is slow still.
			drain := func() {
				for b.empty(&sink) > 0 || receiver.backedUp() {
					b.settle(now)
				}
			}
			drain()
			full()
			if source.pauses != 0 || b.dropped(DropPauseLimit) == lost {
				t.Error("a receiver is waited for again that was slow the last time")
			}
			// And now in time.
			now += limit / 2
			drain()
			lost = b.dropped(DropPauseLimit)
			full()
			if source.pauses == 0 || b.dropped(DropPauseLimit) != lost {
				t.Errorf("a receiver that is slow no more: its source waits at %d gates, %d packets were dropped", source.pauses, b.dropped(DropPauseLimit)-lost)
			}
			drain()
			b.checkBalance()
		})
	}
}

// A sender with many destinations, one of which does not read, still reaches the
// others, over the whole relay.
func TestReceiverThatDoesNotReadStopsNoOtherForGood(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			s := start(t, Config{Workers: workers, QueuePackets: 64, PauseLimit: 50 * time.Millisecond})
			src := dialAs(t, s, keyOn(t, 0, workers))
			stuck := dialAs(t, s, keyOn(t, workers-1, workers))
			good := dialAs(t, s, keyOn(t, workers-1, workers))
			const rounds = 3000
			data := make([]byte, 1400)
			go func() {
				both := append(packetsTo(stuck.key, 1, 1400), packetsTo(good.key, 1, 1400)...)
				for range rounds {
					if _, err := src.conn.Write(both); err != nil {
						return
					}
				}
			}()
			for range rounds {
				good.expect(src.key, data)
			}
			eventually(t, "every packet is received and accounted for", func() bool {
				tot := snapshot(t, s).Totals()
				return tot.ReceivedPackets == 2*rounds && tot.Balanced()
			})
			tot := snapshot(t, s).Totals()
			if tot.Dropped["pause_limit"] == 0 || tot.ForwardedPackets < rounds {
				t.Errorf("dropped %v, forwarded %d", tot.Dropped, tot.ForwardedPackets)
			}
			for r, n := range tot.Dropped {
				if r != "pause_limit" && n > 0 {
					t.Errorf("%d packets dropped as %s", n, r)
				}
			}
		})
	}
}

// BenchmarkWaiting is what a packet costs that finds its destination full, with so
// many sources waiting already.
func BenchmarkWaiting(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) {
			h := newBench(b, transport.TCP, 1, Pause)
			w := h.s.workers[0]
			p, src := w.peers[1], w.peers[0]
			f := frame(derp.FrameRecvPacket, derp.KeyLen+1400, 1)
			w.enqueue(p, f, 1400, p.ref)
			others := make([]peer, n)
			p.gate.shut()
			for i := range others { // not watched: they have no sockets
				w.join(&p.gate, &others[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				w.hold(p, src.ref)
			}
		})
	}
}

// A source that leaves while it waits is forgotten, and those behind it are let in
// in their order.
func TestSourceThatLeavesWhileItWaits(t *testing.T) {
	b := newBench(t, transport.TCP, 1, Pause)
	w := b.s.workers[0]
	receiver := w.peers[1]
	var sources []*peer
	for i := range 4 {
		b.adopt(w, keyFor(0, 1, i))
		sources = append(sources, w.peers[len(w.peers)-1])
	}
	for _, s := range sources {
		w.hold(receiver, s.ref)
		w.hold(receiver, s.ref) // for its next packet
	}
	w.close(sources[1], "test", false)
	w.close(sources[3], "test", false)
	var waiting []*peer
	for n := receiver.gate.first; n != nil; n = n.after {
		waiting = append(waiting, n.src)
	}
	if len(waiting) != 2 || waiting[0] != sources[0] || waiting[1] != sources[2] {
		t.Errorf("%d sources wait, want the two that have not left", len(waiting))
	}
	w.unhold(receiver)
	w.letIn()
	if receiver.gate.busy() || len(w.opening) > 0 || sources[0].pauses+sources[2].pauses != 0 {
		t.Error("an open gate with room keeps somebody out")
	}
	if sources[0].watched == 0 {
		t.Error("a source that was let in is not read")
	}
	nodes := 0
	for n := w.spareWaiting; n != nil; n = n.next {
		nodes++
	}
	if nodes != len(sources) {
		t.Errorf("%d nodes are spare after %d sources have waited", nodes, len(sources))
	}
}
