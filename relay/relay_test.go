package relay

import (
	"bytes"
	"crypto/rand"
	"io"
	"math"
	"strings"
	"sync"
	"testing"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

func TestForwardsWithinAndAcrossWorkers(t *testing.T) {
	overEach(t, testForwardsWithinAndAcrossWorkers)
}

func testForwardsWithinAndAcrossWorkers(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 2, 4} {
		s := start(t, Config{Transport: k, Workers: workers})
		a := dialAs(t, s, keyOn(t, 0, workers))
		for w := range workers {
			b := dialAs(t, s, keyOn(t, w, workers))
			for _, n := range []int{0, 1, 1400, derp.MaxPacket} {
				data := bytes.Repeat([]byte{byte(n), byte(w)}, n/2+1)[:n]
				a.send(b.key, data)
				b.expect(a.key, data)
				b.send(a.key, data)
				a.expect(b.key, data)
			}
		}
		tot := checkBalance(t, s)
		if want := uint64(8 * workers); tot.ReceivedPackets != want || tot.ForwardedPackets != want {
			t.Errorf("%d workers: received %d, forwarded %d, want %d", workers, tot.ReceivedPackets, tot.ForwardedPackets, want)
		}
	}
}

// Packets keep their order and their bytes however the stream is cut, from one
// source to several destinations, with other frames between.
func TestStreamCutAnywhere(t *testing.T) { overEach(t, testStreamCutAnywhere) }

func testStreamCutAnywhere(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 3} {
		s := start(t, Config{Transport: k, Workers: workers})
		src := dial(t, s)
		dsts := []*client{dial(t, s), dial(t, s), dial(t, s)}
		var stream []byte
		want := make([][][]byte, len(dsts))
		for i := range 300 {
			d := i * 7 % len(dsts)
			data := bytes.Repeat([]byte{byte(i)}, i*37%3000)
			stream = derp.AppendFrame(stream, derp.FrameSendPacket, append(dsts[d].key[:], data...))
			want[d] = append(want[d], data)
			switch i % 10 {
			case 3:
				stream = derp.AppendFrame(stream, derp.FrameType(0x77), bytes.Repeat([]byte{1}, i*13))
			case 6:
				stream = derp.AppendFrame(stream, derp.FrameNotePreferred, []byte{1})
			case 9:
				stream = derp.AppendFrame(stream, derp.FrameKeepAlive, nil)
			}
		}
		go func() {
			for n := 1; len(stream) > 0; n = n*5%1999 + 1 {
				k := min(n, len(stream))
				if _, err := src.conn.Write(stream[:k]); err != nil {
					t.Error(err)
					return
				}
				stream = stream[k:]
			}
		}()
		for d, c := range dsts {
			for _, data := range want[d] {
				c.expect(src.key, data)
			}
		}
		checkBalance(t, s)
		if n := snapshot(t, s).PerWorker; len(n) != workers {
			t.Fatalf("%d workers in the snapshot", len(n))
		}
	}
}

func TestPing(t *testing.T) { overEach(t, testPing) }

func testPing(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k})
	c := dial(t, s)
	c.write(derp.AppendFrame(nil, derp.FramePing, []byte("12345678")))
	if got := c.next(derp.FramePong); string(got) != "12345678" {
		t.Fatalf("pong carries %q", got)
	}
	c.write(derp.AppendFrame(nil, derp.FramePing, []byte("abcdefgh and an extension")))
	if got := c.next(derp.FramePong); string(got) != "abcdefgh" {
		t.Fatalf("pong carries %q, want the first eight bytes", got)
	}
}

func TestUnknownDestination(t *testing.T) { overEach(t, testUnknownDestination) }

func testUnknownDestination(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 2} {
		s := start(t, Config{Transport: k, Workers: workers})
		c := dialAs(t, s, keyOn(t, 0, workers))
		nobody := keyOn(t, workers-1, workers).Public()
		c.send(nobody, []byte("ordinary data gets no answer"))
		c.send(nobody, []byte("TS\xf0\x9f\x92\xac"+strings.Repeat("x", 100)))
		got := c.next(derp.FramePeerGone)
		if derp.Key(got[:32]) != nobody || derp.PeerGoneReason(got[32]) != derp.PeerNotHere {
			t.Fatalf("peer gone: % x", got)
		}
		if tot := checkBalance(t, s); tot.Dropped["unknown_dest"] != 2 {
			t.Errorf("dropped %v, want 2 for unknown_dest", tot.Dropped)
		}
	}
}

func TestPeerGoneGoesToThoseWhoHeard(t *testing.T) { overEach(t, testPeerGoneGoesToThoseWhoHeard) }

func testPeerGoneGoesToThoseWhoHeard(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 2} {
		s := start(t, Config{Transport: k, Workers: workers})
		leaver := dialAs(t, s, keyOn(t, 0, workers))
		heard := dialAs(t, s, keyOn(t, workers-1, workers))
		stranger := dialAs(t, s, keyOn(t, workers-1, workers))
		leaver.send(heard.key, []byte("hello"))
		heard.expect(leaver.key, []byte("hello"))
		leaver.conn.Close()
		got := heard.next(derp.FramePeerGone)
		if derp.Key(got[:32]) != leaver.key || derp.PeerGoneReason(got[32]) != derp.PeerDisconnected {
			t.Fatalf("peer gone: % x", got)
		}
		// What the stranger reads next is its pong, not a PeerGone.
		stranger.write(derp.AppendFrame(nil, derp.FramePing, make([]byte, 8)))
		if ft, _, err := derp.ReadFrame(stranger.br, nil, 1000); err != nil || ft != derp.FramePong {
			t.Fatalf("the stranger got frame 0x%02x, %v", byte(ft), err)
		}
	}
}

func TestDuplicateKeys(t *testing.T) { overEach(t, testDuplicateKeys) }

func testDuplicateKeys(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k})
	src := dial(t, s)
	old := dial(t, s)
	src.send(old.key, []byte("1"))
	old.expect(src.key, []byte("1"))

	fresh := dialAs(t, s, old.priv) // the newest connection gets the packets
	src.send(old.key, []byte("2"))
	fresh.expect(src.key, []byte("2"))

	old.send(src.key, []byte("I speak")) // until another speaks
	src.expect(old.key, []byte("I speak"))
	src.send(old.key, []byte("3"))
	old.expect(src.key, []byte("3"))

	old.conn.Close() // and the one that is left gets them
	eventually(t, "the closed connection leaves", func() bool { return snapshot(t, s).PerWorker[0].Left == 1 })
	src.send(fresh.key, []byte("4"))
	fresh.expect(src.key, []byte("4"))
	if tot := checkBalance(t, s); len(tot.Dropped) == 0 || tot.ForwardedPackets != tot.ReceivedPackets {
		t.Errorf("something was dropped: %+v", tot)
	}
}

func TestDuplicatesNoneOfWhichIsAlive(t *testing.T) {
	tab := newTable()
	k := derp.Key{1}
	a, b, c := &peer{key: k}, &peer{key: k}, &peer{key: k}
	tab.add(a)
	tab.add(b)
	tab.add(c)
	tab.remove(c)
	if e, _ := tab.lookup(&k); e.active != b {
		t.Error("after the newest has left, the one before it is active")
	}
	tab.byKey[k].active = nil
	if e, dup := tab.lookup(&k); e.active != nil || !dup {
		t.Error("several connections, none active: want dup")
	}
	if tab.remove(a) {
		t.Error("the key has not left yet")
	}
	if e, _ := tab.lookup(&k); e.active != b || b.dup {
		t.Error("one left: it is active and no duplicate")
	}
	if !tab.remove(b) {
		t.Error("the key has left")
	}
}

func TestProtocolErrorsEndTheConnection(t *testing.T) {
	overEach(t, testProtocolErrorsEndTheConnection)
}

func testProtocolErrorsEndTheConnection(t *testing.T, k transport.Kind) {
	key := make([]byte, derp.KeyLen)
	for name, b := range map[string][]byte{
		"send packet without key": derp.AppendFrame(nil, derp.FrameSendPacket, key[:31]),
		"packet too long":         {byte(derp.FrameSendPacket), 0, 1, 0, 33},
		"short ping":              derp.AppendFrame(nil, derp.FramePing, key[:7]),
		"long ping":               derp.AppendFrame(nil, derp.FramePing, make([]byte, 1001)),
		"long note preferred":     derp.AppendFrame(nil, derp.FrameNotePreferred, key[:2]),
		"watch conns":             derp.AppendFrame(nil, derp.FrameWatchConns, nil),
		"close peer":              derp.AppendFrame(nil, derp.FrameClosePeer, key),
		"forward packet":          derp.AppendFrame(nil, derp.FrameForwardPacket, make([]byte, 100)),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{Transport: k})
			a, b2 := dial(t, s), dial(t, s)
			bad := dial(t, s)
			bad.send(a.key, []byte("before"))
			bad.write(b)
			bad.closed()
			a.expect(bad.key, []byte("before")) // what came before it counts
			a.send(b2.key, []byte("others go on"))
			b2.expect(a.key, []byte("others go on"))
			if n := snapshot(t, s).PerWorker[0].ProtocolErrors; n != 1 {
				t.Errorf("%d protocol errors counted", n)
			}
		})
	}
}

func TestManyPeersComeAndGo(t *testing.T) { overEach(t, testManyPeersComeAndGo) }

func testManyPeersComeAndGo(t *testing.T, k transport.Kind) {
	s, stop := startStoppable(t, Config{Transport: k, Workers: 3})
	hub := dial(t, s)
	go io.Copy(io.Discard, hub.br)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				c := dial(t, s)
				for range i {
					c.send(hub.key, []byte("x"))
				}
				c.conn.Close()
			}
		})
	}
	wg.Wait()
	eventually(t, "all have left but one", func() bool { return s.peers.Load() == 1 })
	checkBalance(t, s)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.workers {
		if n := len(w.heard.by); n > 0 {
			t.Errorf("worker %d remembers %d peers that have left", w.id, n)
		}
	}
}

func TestSharding(t *testing.T) {
	const keys, workers = 4000, 4
	var n [workers]int
	for range keys {
		var k derp.Key
		rand.Read(k[:])
		n[shard(&k, workers)]++
	}
	for i, c := range n {
		if math.Abs(float64(c)-keys/workers) > 200 { // 7 standard deviations
			t.Errorf("worker %d gets %d of %d peers", i, c, keys)
		}
	}
}
