// Package interop holds our relay against stock Tailscale clients and our load
// generator against Tailscale's server. It is a module of its own because
// importing tailscale.com pulls in some two hundred packages.
package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go4.org/mem"
	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/derp/derpserver"
	"tailscale.com/net/netmon"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"

	"hdbench/internal/cert"
	"hdbench/internal/transport"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
	"hdbench/results/stat"
)

const patience = 5 * time.Minute

// startRelay runs our relay until the test ends, or until stop.
func startRelay(t *testing.T, cfg relay.Config) (s *relay.Server, stop func()) {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error("relay:", err)
			}
		})
	}
	t.Cleanup(stop)
	return s, stop
}

// overEach runs a test over every transport there is here.
func overEach(t *testing.T, test func(*testing.T, transport.Kind)) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// over is a configuration over a transport, with the certificate that it needs.
func over(t *testing.T, k transport.Kind, cfg relay.Config) relay.Config {
	t.Helper()
	cfg.Transport = k
	if k.Encrypted() {
		own, err := cert.SelfSigned("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificate = &own.Certificate
	}
	return cfg
}

// stock is a Tailscale client as magicsock uses it.
type stock struct {
	*derphttp.Client
	t   *testing.T
	key key.NodePublic
}

func dial(t *testing.T, s *relay.Server) *stock {
	t.Helper()
	return dialAs(t, s, key.NewNode())
}

func dialAs(t *testing.T, relay *relay.Server, priv key.NodePrivate) *stock {
	t.Helper()
	cfg := relay.Config()
	scheme := "http"
	if cfg.Transport.Encrypted() {
		scheme = "https"
	}
	c, err := derphttp.NewClient(priv, scheme+"://"+relay.Addr().String()+"/derp", logger.Discard, netmon.NewStatic())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Certificate != nil { // a stock client verifies what it connects to
		shown, err := x509.ParseCertificate(cfg.Certificate.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(shown)
		c.TLSConfig = &tls.Config{RootCAs: roots}
	}
	t.Cleanup(func() { c.Close() })
	c.SetCanAckPings(true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	s := &stock{c, t, priv.Public()}
	// The server info is sent once the client is registered; before, packets to it
	// would be for nobody.
	next[derp.ServerInfoMessage](s)
	return s
}

// next is the next message of a type, skipping others.
func next[M derp.ReceivedMessage](c *stock) M {
	c.t.Helper()
	got := make(chan M, 1)
	fail := make(chan error, 1)
	go func() {
		for {
			m, err := c.Recv()
			if err != nil {
				fail <- err
				return
			}
			if m, ok := m.(M); ok {
				if p, ok := any(m).(derp.ReceivedPacket); ok {
					p.Data = bytes.Clone(p.Data)
					m = any(p).(M)
				}
				got <- m
				return
			}
		}
	}()
	select {
	case m := <-got:
		return m
	case err := <-fail:
		c.t.Fatal(err)
	case <-time.After(patience):
		c.t.Fatalf("no %T came", *new(M))
	}
	panic("unreachable")
}

func (c *stock) expect(from key.NodePublic, data []byte) {
	c.t.Helper()
	if p := next[derp.ReceivedPacket](c); p.Source != from || !bytes.Equal(p.Data, data) {
		c.t.Fatalf("got %d bytes from %v, want %d from %v", len(p.Data), p.Source, len(data), from)
	}
}

func TestStockClientsThroughOurRelay(t *testing.T) { overEach(t, testStockClientsThroughOurRelay) }

func testStockClientsThroughOurRelay(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 3} {
		s, stop := startRelay(t, over(t, k, relay.Config{Workers: workers}))
		a, b := dial(t, s), dial(t, s)
		if ours := s.Key(); a.ServerPublicKey() != key.NodePublicFromRaw32(mem.B(ours[:])) {
			t.Errorf("the client sees server key %v, the relay's is %v", a.ServerPublicKey(), ours)
		}
		for _, n := range []int{0, 1, 1400, derp.MaxPacketSize} {
			data := bytes.Repeat([]byte("x"), n)
			if err := a.Send(b.key, data); err != nil {
				t.Fatal(err)
			}
			b.expect(a.key, data)
			if err := b.Send(a.key, data); err != nil {
				t.Fatal(err)
			}
			a.expect(b.key, data)
		}

		// Pings, in both of the client's ways.
		go func() {
			for {
				if _, err := a.Recv(); err != nil {
					return
				}
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := a.Ping(ctx); err != nil {
			t.Error("ping:", err)
		}
		cancel()
		a.NotePreferred(true)

		// Who heard from a is told that it has gone.
		a.Close()
		if m := next[derp.PeerGoneMessage](b); m.Peer != a.key || m.Reason != derp.PeerGoneReasonDisconnected {
			t.Errorf("%+v", m)
		}
		// A disco message to nobody is answered, as magicsock relies on.
		nobody := key.NewNode().Public()
		if err := b.Send(nobody, []byte("TS💬"+strings.Repeat("x", 100))); err != nil {
			t.Fatal(err)
		}
		if m := next[derp.PeerGoneMessage](b); m.Peer != nobody || m.Reason != derp.PeerGoneReasonNotHere {
			t.Errorf("%+v", m)
		}
		go stop()
		if m := next[derp.ServerRestartingMessage](b); m.ReconnectIn <= 0 || m.TryFor <= 0 {
			t.Errorf("%+v", m)
		}
	}
}

func TestStockClientsWithOneKey(t *testing.T) { overEach(t, testStockClientsWithOneKey) }

func testStockClientsWithOneKey(t *testing.T, k transport.Kind) {
	s, _ := startRelay(t, over(t, k, relay.Config{Workers: 2}))
	priv := key.NewNode()
	src, old := dial(t, s), dialAs(t, s, priv)
	fresh := dialAs(t, s, priv)
	if err := src.Send(priv.Public(), []byte("to the newest")); err != nil {
		t.Fatal(err)
	}
	fresh.expect(src.key, []byte("to the newest"))
	if err := old.Send(src.key, []byte("I am alive")); err != nil {
		t.Fatal(err)
	}
	src.expect(priv.Public(), []byte("I am alive"))
	if err := src.Send(priv.Public(), []byte("to the last writer")); err != nil {
		t.Fatal(err)
	}
	old.expect(src.key, []byte("to the last writer"))
}

func TestCaptivePortalAndProbe(t *testing.T) {
	s, _ := startRelay(t, relay.Config{Workers: 1})
	for path, want := range map[string]int{"/derp/probe": 200, "/derp/latency-check": 200, "/generate_204": 204, "/derp": 426} {
		resp, err := http.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
}

// tries is how often a test tries again where a busy machine left no CPU.
const tries = 20

// load is one run of our load generator that had CPU to measure with.
func load(t *testing.T, addr string, change func(*loadgen.Config)) *loadResult {
	t.Helper()
	for range tries {
		if r := loadOnce(t, addr, change); r != nil {
			return r
		}
	}
	t.Fatal("there was never CPU for a load")
	return nil
}

// loadOnce is one run of our load generator; nil if it refused for want of CPU.
func loadOnce(t *testing.T, addr string, change func(*loadgen.Config)) *loadResult {
	t.Helper()
	cfg := loadgen.Config{
		Relay: addr, Pairs: 4, Payload: 1400, Rate: 50 * units.Mbps,
		Warmup: 100 * time.Millisecond, Measure: 500 * time.Millisecond, Drain: 20 * time.Second, Seed: 1,
	}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	s, err := loadgen.Prepare(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Run(ctx, s.Start())
	if errors.Is(err, loadgen.ErrStarved) || err != nil && strings.Contains(err.Error(), "the start time has passed") {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &loadResult{sent: m.SentPackets, delivered: m.DeliveredPackets, mbps: m.DeliveredBps / 1e6,
		faults: m.Corrupt + m.Duplicate + m.Reordered + m.Foreign, undrained: m.Undrained, framesSent: m.FramesSent, framesReceived: m.FramesReceived}
}

type loadResult struct {
	sent, delivered            uint64
	mbps                       float64
	faults                     uint64
	undrained                  int64
	framesSent, framesReceived uint64
}

// Tailscale's own server: what it says it dropped must be what our load misses.
func TestOurLoadThroughTailscalesServer(t *testing.T) {
	overEach(t, testOurLoadThroughTailscalesServer)
}

func testOurLoadThroughTailscalesServer(t *testing.T, k transport.Kind) {
	srv := derpserver.New(key.NewNode(), logger.Discard)
	defer srv.Close()
	web := httptest.NewUnstartedServer(derpserver.Handler(srv))
	if k.Encrypted() {
		web.StartTLS()
	} else {
		web.Start()
	}
	defer web.Close()
	addr := web.Listener.Addr().String()
	for name, change := range map[string]func(*loadgen.Config){
		"pairs":      nil,
		"fan-in":     func(c *loadgen.Config) { c.Pattern = loadgen.FanIn },
		"fan-out":    func(c *loadgen.Config) { c.Pattern = loadgen.FanOut },
		"round trip": func(c *loadgen.Config) { c.RTT = true },
		"bursts":     func(c *loadgen.Config) { c.Burst = loadgen.Burst{Bytes: 64 << 10}; c.Rate = 200 * units.Mbps },
	} {
		t.Run(name, func(t *testing.T) {
			r := load(t, addr, func(c *loadgen.Config) {
				c.Transport = k
				if change != nil {
					change(c)
				}
			})
			if r.sent == 0 || r.faults != 0 || r.undrained != 0 || r.framesReceived > r.framesSent {
				t.Errorf("%+v", r)
			}
			if name == "pairs" && r.delivered == 0 {
				t.Error("nothing came through")
			}
		})
	}
}

func TestOurLoadThroughOurRelay(t *testing.T) { overEach(t, testOurLoadThroughOurRelay) }

func testOurLoadThroughOurRelay(t *testing.T, k transport.Kind) {
	for _, workers := range []int{1, 2, 4} {
		for _, onFull := range relay.OnFullPolicies() {
			// Fins are sent again until they are acknowledged. On a busy machine one may
			// be under way when the load is over: then the counts are held against each
			// other anew.
			for try := 1; ; try++ {
				s, stop := startRelay(t, over(t, k, relay.Config{Workers: workers, OnFull: onFull, QueuePackets: 64}))
				// More than there is room for in a queue, at once: each burst of a flow is
				// 120 packets.
				r := loadOnce(t, s.Addr().String(), func(c *loadgen.Config) {
					c.Transport, c.Burst, c.Rate = k, loadgen.Burst{Frames: 120}, 200*units.Mbps
				})
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				snap, err := s.Snapshot(ctx)
				cancel()
				stop()
				if err != nil {
					t.Fatal(err)
				}
				tot := snap.Totals()
				agree := r != nil && tot.QueuedPackets == 0 && tot.ReceivedPackets == r.framesSent && tot.ForwardedPackets == r.framesReceived
				if !agree && try < tries {
					continue
				}
				if !agree || !tot.Balanced() {
					t.Errorf("%s, %d workers: the relay counts %+v, the load %+v", onFull, workers, tot, r)
				} else if r.faults != 0 || r.undrained != 0 || onFull == relay.Pause && r.delivered != r.sent {
					t.Errorf("%s, %d workers: %+v", onFull, workers, r)
				}
				break
			}
		}
	}
}

// flood sends to a receiver that has stopped reading as much as each of the load's
// flows has, until it is stopped.
func flood(t *testing.T, s *relay.Server) (stop func()) {
	t.Helper()
	src, dst := dial(t, s), dial(t, s)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		data := bytes.Repeat([]byte("x"), 1400)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for range 11 { // 12.3 Mbps
				if err := src.Send(dst.key, data); err != nil {
					return // a relay that pauses its source: the client gives up in the end
				}
			}
		}
	})
	return func() {
		close(done)
		src.Close()
		dst.Close()
		wg.Wait()
	}
}

// One receiver that stops reading, and a source that floods it: the others lose
// nothing, and their delivered rate stays where it was. The rates are printed with
// their intervals (go test -v); that nothing is lost is checked.
func TestStalledReceiverLeavesTheOthersAlone(t *testing.T) {
	overEach(t, testStalledReceiverLeavesTheOthersAlone)
}

func testStalledReceiverLeavesTheOthersAlone(t *testing.T, k transport.Kind) {
	for _, onFull := range relay.OnFullPolicies() {
		s, stop := startRelay(t, over(t, k, relay.Config{Workers: 2, OnFull: onFull, QueuePackets: 64}))
		addr := s.Addr().String()
		rates := func() (mbps []float64) {
			for range 4 {
				// A busy machine may stop the load or the relay for so long that queues
				// overflow: what the stalled receiver did would happen every time.
				var r *loadResult
				for range tries {
					if r = load(t, addr, func(c *loadgen.Config) { c.Transport = k }); r.delivered == r.sent && r.undrained == 0 {
						break
					}
				}
				if r.delivered != r.sent || r.faults != 0 || r.undrained != 0 {
					t.Errorf("%s: the others lose packets: %+v", onFull, r)
				}
				mbps = append(mbps, r.mbps)
			}
			return mbps
		}
		without := stat.Summarize(rates())
		end := flood(t, s)
		eventually(t, "the stalled receiver's queue is full", func() bool {
			snap, err := s.Snapshot(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			tot, pauses := snap.Totals(), uint64(0)
			for _, w := range snap.PerWorker {
				pauses += w.Pauses
			}
			return pauses > 0 || tot.Dropped["queue_head"]+tot.Dropped["queue_tail"] > 0
		})
		with := stat.Summarize(rates())
		end()
		t.Logf("on-full %s: the other pairs get %.3f ±%.3f Mbps without and %.3f ±%.3f Mbps with a stalled receiver",
			onFull, without.Mean, without.Half, with.Mean, with.Half)
		if math.IsNaN(with.Mean) {
			t.Error("no rate")
		}
		stop()
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func TestKeysPrintAlike(t *testing.T) {
	s, _ := startRelay(t, relay.Config{Workers: 1})
	ours := s.Key()
	text, err := key.NodePublicFromRaw32(mem.B(ours[:])).MarshalText()
	if err != nil || string(text) != "nodekey:"+ours.String() {
		t.Errorf("Tailscale prints %s, we %s, %v", text, ours, err)
	}
}
