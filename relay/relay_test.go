package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// patience bounds every wait in these tests; none waits that long when it passes.
const patience = 20 * time.Second

// start runs a relay until the test ends.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, stop := startStoppable(t, cfg)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error("serve:", err)
		}
	})
	return s
}

// startStoppable runs a relay and returns what drains it.
func startStoppable(t *testing.T, cfg Config) (*Server, func() error) {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Workers == 0 {
		cfg.Workers = 1
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	return s, func() (err error) {
		once.Do(func() {
			cancel()
			select {
			case err = <-done:
			case <-time.After(patience):
				err = errors.New("did not stop")
			}
		})
		return err
	}
}

// overEach runs a test over every transport there is here.
func overEach(t *testing.T, test func(*testing.T, transport.Kind)) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// client is a DERP client made of blocking calls.
type client struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
	priv derp.PrivateKey
	key  derp.Key
}

func dial(t *testing.T, s *Server) *client {
	t.Helper()
	priv, err := derp.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return dialAs(t, s, priv)
}

// connect opens a connection; over TLS, crypto/tls is the other side.
func connect(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if s.Config().Transport.Encrypted() {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return conn
}

func dialAs(t *testing.T, s *Server, priv derp.PrivateKey) *client {
	t.Helper()
	conn := connect(t, s)
	c := &client{t: t, conn: conn, br: bufio.NewReaderSize(conn, 128<<10), priv: priv, key: priv.Public()}
	if err := derp.WriteUpgradeRequest(conn, "relay", false); err != nil {
		t.Fatal(err)
	}
	if err := derp.ReadUpgradeResponse(c.br); err != nil {
		t.Fatal(err)
	}
	key, _, err := derp.ClientLogin(c.br, conn, priv, derp.ClientInfo{Version: derp.Version})
	if err != nil {
		t.Fatal(err)
	}
	if key != s.Key() {
		t.Fatalf("relay's key is %v, want %v", key, s.Key())
	}
	return c
}

func (c *client) send(to derp.Key, data []byte) {
	c.t.Helper()
	c.write(derp.AppendFrame(nil, derp.FrameSendPacket, append(to[:], data...)))
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next frame of a type, skipping what else comes.
func (c *client) next(want derp.FrameType) []byte {
	c.t.Helper()
	for {
		ft, payload, err := derp.ReadFrame(c.br, nil, 1<<20)
		if err != nil {
			c.t.Fatalf("waiting for frame 0x%02x: %v", byte(want), err)
		}
		if ft == want {
			return payload
		}
		if ft == derp.FrameRecvPacket {
			c.t.Fatalf("got a packet, want frame 0x%02x", byte(want))
		}
	}
}

// expect reads a packet and checks it.
func (c *client) expect(from derp.Key, data []byte) {
	c.t.Helper()
	p := c.next(derp.FrameRecvPacket)
	if derp.Key(p[:derp.KeyLen]) != from {
		c.t.Fatalf("packet from %x, want %v", p[:derp.KeyLen], from)
	}
	if !bytes.Equal(p[derp.KeyLen:], data) {
		c.t.Fatalf("packet of %d bytes differs from the %d sent", len(p)-derp.KeyLen, len(data))
	}
}

// closed waits for the relay to end the connection.
func (c *client) closed() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.br); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the relay did not end the connection")
	}
}

func snapshot(t *testing.T, s *Server) Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	snap, err := s.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// eventually polls until ok; the conditions are steps other threads take.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func checkBalance(t *testing.T, s *Server) Totals {
	t.Helper()
	var tot Totals
	eventually(t, "received = forwarded + dropped, nothing queued", func() bool {
		tot = snapshot(t, s).Totals()
		return tot.Balanced() && tot.QueuedPackets == 0
	})
	return tot
}

// keyOn makes a key that hashes to worker i of n.
func keyOn(t *testing.T, i, n int) derp.PrivateKey {
	t.Helper()
	for {
		priv, err := derp.GeneratePrivateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pub := priv.Public()
		if shard(&pub, n) == i {
			return priv
		}
	}
}

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
	if p, _ := tab.lookup(&k); p != b {
		t.Error("after the newest has left, the one before it is active")
	}
	tab.byKey[k].active, tab.byKey[k].spoke = nil, nil
	if p, dup := tab.lookup(&k); p != nil || !dup {
		t.Error("several connections, none active: want dup")
	}
	if tab.remove(a) {
		t.Error("the key has not left yet")
	}
	if p, _ := tab.lookup(&k); p != b || b.dup {
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

func TestLoginDeadline(t *testing.T) { overEach(t, testLoginDeadline) }

func testLoginDeadline(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, LoginTimeout: 50 * time.Millisecond})
	for _, said := range []string{"", "GET /derp HTTP/1.1\r\n", "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\n\r\n"} {
		conn := connect(t, s)
		if said != "" { // which over TLS would be a handshake
			io.WriteString(conn, said)
		}
		if c, ok := conn.(*tls.Conn); ok && said == "" {
			conn = c.NetConn()
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %q the relay waits for ever", said)
		}
	}
	eventually(t, "three logins time out", func() bool { return snapshot(t, s).Logins.TimedOut == 3 })
}

func TestLoginCap(t *testing.T) {
	s := start(t, Config{MaxLogins: 1})
	held, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	eventually(t, "the first login is under way", func() bool { return snapshot(t, s).Logins.Accepted == 1 })
	refused, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	refused.SetDeadline(time.Now().Add(patience))
	if n, err := refused.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the second login was not refused: %d, %v", n, err)
	}
	held.Close()
	eventually(t, "room again", func() bool { return snapshot(t, s).Logins.Failed == 1 })
	dial(t, s)
}

func TestMaxPeers(t *testing.T) { overEach(t, testMaxPeers) }

func testMaxPeers(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, MaxPeers: 1})
	first := dial(t, s)
	conn := connect(t, s)
	if err := derp.WriteUpgradeRequest(conn, "x", false); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the second peer got %v, %v", resp, err)
	}
	first.conn.Close()
	eventually(t, "the first peer leaves", func() bool { return s.peers.Load() == 0 })
	dial(t, s)
}

func TestFastStartAndEagerClient(t *testing.T) { overEach(t, testFastStartAndEagerClient) }

func testFastStartAndEagerClient(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k})
	dst := dial(t, s)
	priv, _ := derp.GeneratePrivateKey(rand.Reader)
	conn := connect(t, s)
	// A client that knows the relay's key says everything at once: request,
	// ClientInfo and a packet.
	var b bytes.Buffer
	if err := derp.WriteUpgradeRequest(&b, "x", true); err != nil {
		t.Fatal(err)
	}
	ci, err := derp.SealClientInfo(priv, s.Key(), derp.ClientInfo{Version: derp.Version})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(derp.AppendFrame(nil, derp.FrameClientInfo, ci))
	b.Write(derp.AppendFrame(nil, derp.FrameSendPacket, append(dst.key[:], "early"...)))
	conn.Write(b.Bytes())
	dst.expect(priv.Public(), []byte("early"))
}

func TestKeepAlive(t *testing.T) { overEach(t, testKeepAlive) }

func testKeepAlive(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, KeepAlive: time.Millisecond})
	dial(t, s).next(derp.FrameKeepAlive)
}

func TestDrainTellsThePeersAndSendsWhatIsQueued(t *testing.T) {
	overEach(t, testDrainTellsThePeersAndSendsWhatIsQueued)
}

func testDrainTellsThePeersAndSendsWhatIsQueued(t *testing.T, k transport.Kind) {
	s, stop := startStoppable(t, Config{Transport: k, Workers: 2})
	a, b := dialAs(t, s, keyOn(t, 0, 2)), dialAs(t, s, keyOn(t, 1, 2))
	// Fill b's socket until something is queued for it.
	data := bytes.Repeat([]byte("q"), 60_000)
	sent := 0
	for snapshot(t, s).Totals().QueuedPackets == 0 {
		a.send(b.key, data)
		sent++
	}
	eventually(t, "all is received", func() bool { return snapshot(t, s).Totals().ReceivedPackets == uint64(sent) })
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for range sent {
		b.expect(a.key, data)
	}
	p := b.next(derp.FrameRestarting)
	if in := binary.BigEndian.Uint32(p); in != reconnectIn || binary.BigEndian.Uint32(p[4:]) != tryFor {
		t.Errorf("restarting: % x", p)
	}
	a.next(derp.FrameRestarting)
	a.closed()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(context.Background()); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped relay's counters: %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("a stopped relay accepts connections")
	}
}

func TestDrainEndsLogins(t *testing.T) {
	_, stop := func() (*Server, func() error) {
		s, stop := startStoppable(t, Config{LoginTimeout: time.Hour})
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		eventually(t, "login under way", func() bool { return snapshot(t, s).Logins.Accepted == 1 })
		return s, stop
	}()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A receiver that stops reading: its own packets pile up and are dropped or held
// back as the policy says, everybody else's all arrive, and in the end every
// packet is accounted for.
func TestSlowReceiverLosesOnlyItsOwnPackets(t *testing.T) {
	overEach(t, testSlowReceiverLosesOnlyItsOwnPackets)
}

func testSlowReceiverLosesOnlyItsOwnPackets(t *testing.T, k transport.Kind) {
	for _, onFull := range OnFullPolicies() {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprint(onFull, "/", workers), func(t *testing.T) {
				s := start(t, Config{Transport: k, Workers: workers, OnFull: onFull, QueuePackets: 64})
				src := dialAs(t, s, keyOn(t, 0, workers))
				stuck := dialAs(t, s, keyOn(t, workers-1, workers))
				src2 := dialAs(t, s, keyOn(t, 0, workers))
				good := dialAs(t, s, keyOn(t, workers-1, workers))

				data := bytes.Repeat([]byte("s"), 1400)
				flooded := make(chan struct{})
				go func() { // until the relay stops reading, or for a while
					defer close(flooded)
					src.conn.SetWriteDeadline(time.Now().Add(patience))
					for range 20_000 {
						if _, err := src.conn.Write(derp.AppendFrame(nil, derp.FrameSendPacket, append(stuck.key[:], data...))); err != nil {
							return
						}
					}
				}()
				for i := range 2000 {
					msg := binary.BigEndian.AppendUint32(nil, uint32(i))
					src2.send(good.key, msg)
					good.expect(src2.key, msg)
				}
				switch onFull {
				case Pause:
					eventually(t, "the source is paused", func() bool {
						n := uint64(0)
						for _, w := range snapshot(t, s).PerWorker {
							n += w.Pauses
						}
						return n > 0
					})
				default:
					<-flooded
				}
				// It reads on, and everything that was kept arrives. With pause that
				// is everything.
				got := 0
				if onFull == Pause {
					for ; got < 20_000; got++ {
						stuck.expect(src.key, data)
					}
				} else {
					go io.Copy(io.Discard, stuck.br)
				}
				tot := checkBalance(t, s)
				if tot.ReceivedPackets != 22_000 {
					t.Errorf("received %d packets, sent 22000", tot.ReceivedPackets)
				}
				reason := map[OnFull]string{DropHead: "queue_head", DropTail: "queue_tail"}[onFull]
				for r, n := range tot.Dropped {
					if r != reason && n > 0 {
						t.Errorf("%d packets dropped as %s", n, r)
					}
				}
				if onFull != Pause && tot.Dropped[reason] == 0 {
					t.Errorf("nothing dropped as %s: %v", reason, tot.Dropped)
				}
			})
		}
	}
}

func TestReceiverThatLeavesWithAFullQueue(t *testing.T) {
	overEach(t, testReceiverThatLeavesWithAFullQueue)
}

func testReceiverThatLeavesWithAFullQueue(t *testing.T, k transport.Kind) {
	for _, onFull := range OnFullPolicies() {
		for _, workers := range []int{1, 2} {
			s := start(t, Config{Transport: k, Workers: workers, OnFull: onFull})
			src := dialAs(t, s, keyOn(t, 0, workers))
			dst := dialAs(t, s, keyOn(t, workers-1, workers))
			other := dialAs(t, s, keyOn(t, workers-1, workers))
			data := bytes.Repeat([]byte("s"), 30_000)
			for snapshot(t, s).Totals().QueuedPackets < 10 {
				src.send(dst.key, data)
			}
			dst.conn.Close()
			// The source goes on, to somebody else.
			src.send(other.key, []byte("on"))
			other.expect(src.key, []byte("on"))
			tot := checkBalance(t, s)
			if tot.Dropped["gone_disconnected"]+tot.Dropped["write_error"] == 0 {
				t.Errorf("%s, %d workers: dropped %v", onFull, workers, tot.Dropped)
			}
		}
	}
}

func TestPingFloodWithoutReading(t *testing.T) { overEach(t, testPingFloodWithoutReading) }

func testPingFloodWithoutReading(t *testing.T, k transport.Kind) {
	s, stop := startStoppable(t, Config{Transport: k, DrainTimeout: time.Millisecond})
	c := dial(t, s)
	flood := bytes.Repeat(derp.AppendFrame(nil, derp.FramePing, make([]byte, 8)), 10_000)
	for snapshot(t, s).PerWorker[0].PongsLost == 0 {
		c.write(flood)
	}
	eventually(t, "the pings are read", func() bool {
		return snapshot(t, s).PerWorker[0].Pings%10_000 == 0
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := s.workers[0].peers[0].q.control; n > maxControl+1 { // and the Restarting frame
		t.Errorf("%d frames wait for a peer that does not read", n)
	}
}

func TestHTTPSurface(t *testing.T) {
	s := start(t, Config{})
	base := "http://" + s.Addr().String()
	for _, c := range []struct {
		method, path string
		status       int
		header, want string
	}{
		{"GET", "/derp/probe", 200, "Access-Control-Allow-Origin", "*"},
		{"HEAD", "/derp/latency-check", 200, "Access-Control-Allow-Origin", "*"},
		{"POST", "/derp/probe", 405, "", ""},
		{"GET", "/generate_204", 204, "X-Tailscale-Response", "response abc-1"},
		{"GET", "/derp", 426, "", ""},
		{"GET", "/", 200, "", ""},
		{"GET", "/nothing", 404, "", ""},
	} {
		req, err := http.NewRequest(c.method, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Tailscale-Challenge", "abc-1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || c.header != "" && resp.Header.Get(c.header) != c.want {
			t.Errorf("%s %s: %s, %v", c.method, c.path, resp.Status, resp.Header)
		}
	}
	eventually(t, "they are counted", func() bool { return snapshot(t, s).Logins.Other == 7 })
}

func TestMetrics(t *testing.T) {
	s := start(t, Config{Workers: 2})
	a, b := dial(t, s), dial(t, s)
	a.send(b.key, []byte("x"))
	b.expect(a.key, []byte("x"))
	checkBalance(t, s)
	web := httptest.NewServer(s.MetricsHandler())
	defer web.Close()
	get := func(path string) string {
		resp, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		return string(text)
	}
	text := get("/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`hdbench_relay_info{on_full="pause",transport="tcp",workers="2"} 1`,
		`hdbench_relay_connections_total{result="accepted"} 2`,
		`hdbench_relay_dropped_packets_total{reason="queue_head",worker="0"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if snap := get("/snapshot"); !strings.Contains(snap, `"received_packets":1`) {
		t.Errorf("snapshot: %s", snap)
	}
}

func TestBadConfig(t *testing.T) {
	good := Config{Listen: "127.0.0.1:0", Workers: 1}
	for want, change := range map[string]func(*Config){
		"workers":       func(c *Config) { c.Workers = 0 },
		"transport":     func(c *Config) { c.Transport = "pigeon" },
		"on-full":       func(c *Config) { c.OnFull = "explode" },
		"queue-packets": func(c *Config) { c.QueuePackets = -1 },
		"queue-bytes":   func(c *Config) { c.QueueBytes = 1000 },
		"socket-buffer": func(c *Config) { c.SocketBuffer = 7 },
		"moderation":    func(c *Config) { c.Moderation = time.Minute },
		"max-peers":     func(c *Config) { c.MaxPeers = -1 },
		"congestion":    func(c *Config) { c.Congestion = "nope" },
		"listen":        func(c *Config) { c.Listen = "256.0.0.1:1" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	s, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	defer s.ln.Close()
	taken := good
	taken.Listen = s.Addr().String()
	if _, err := New(taken); err == nil {
		t.Error("a port in use is not refused")
	}
	s.closeWorkers()
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
		if len(w.heard) > 0 {
			t.Errorf("worker %d remembers %d peers that have left", w.id, len(w.heard))
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
