package loadgen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/derp"
	"hdbench/internal/measure"
	"hdbench/internal/transport"
	"hdbench/internal/units"
)

// small is a load that any machine can send.
func small(addr string) Config {
	return Config{
		Relay: addr, Pairs: 4, Payload: 200, Rate: 8 * units.Mbps, // 5000 packets a second
		Warmup: 100 * time.Millisecond, Measure: 300 * time.Millisecond, Drain: patience, Register: patience,
		Run: 42, Seed: 1,
	}
}

// patience is how long a test waits for what takes a moment on an idle machine.
const patience = 5 * time.Minute

// unmeasured is what run panics with when the machine left no CPU to a thread for
// as long as the window was open, or to the test until the start time had passed:
// the load has refused, as it should, and there is nothing to judge.
type unmeasured struct{ why string }

// attempts runs a test until it has measured something, from its beginning each
// time: with relays and counts of its own.
func attempts(t *testing.T, test func(t *testing.T, attempt int)) {
	t.Helper()
	var last unmeasured
	for attempt := range 30 {
		measured := func() (ok bool) {
			defer func() {
				switch why := recover().(type) {
				case nil:
				case unmeasured:
					last, ok = why, false
				default:
					panic(why)
				}
			}()
			test(t, attempt)
			return true
		}()
		if measured || t.Failed() {
			return
		}
	}
	t.Fatalf("nothing could be measured here: %s", last.why)
}

// once is a test whose attempts are all the same.
func once(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		attempts(t, func(t *testing.T, _ int) { test(t) })
	}
}

func run(t *testing.T, cfg Config) *measure.Load {
	t.Helper()
	return runUntil(t, cfg, func(*Session) {})
}

// runUntil runs a load; over is called when the last thread's window is over.
func runUntil(t *testing.T, cfg Config, over func(*Session)) *measure.Load {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	s, err := Prepare(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.stopped:
		case <-s.broken:
		case <-ctx.Done():
		}
		over(s)
	}()
	r, err := s.Run(ctx, s.Start())
	if err != nil {
		cancel() // a start that was refused closes nothing
	}
	<-watched
	if err != nil {
		s.Close()
		refused(t, err)
	}
	return r
}

// refused ends an attempt or the test.
func refused(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrStarved) || strings.Contains(err.Error(), "the start time has passed") {
		panic(unmeasured{err.Error()})
	}
	t.Fatal(err)
}

// accounted holds the relay's counts against the load's. Data has arrived when a
// load is over. Of fins, which are repeated, one may be under way if the machine
// stopped the relay's goroutine for longer than the load waits for quiet: then this
// attempt says nothing.
func accounted(t *testing.T, relay *fakeRelay, r *measure.Load) {
	t.Helper()
	relay.mu.Lock()
	defer relay.mu.Unlock()
	if relay.dataIn != r.TotalSent || relay.dataOut != r.TotalDelivered || relay.recv > r.FramesSent || relay.sent < r.FramesReceived {
		t.Errorf("the relay counts %d in (data: %d), %d out (data: %d); the load %d (%d), %d (%d)", relay.recv, relay.dataIn, relay.sent, relay.dataOut,
			r.FramesSent, r.TotalSent, r.FramesReceived, r.TotalDelivered)
	} else if relay.recv != r.FramesSent || relay.sent != r.FramesReceived {
		panic(unmeasured{"frames were still under way in the relay when the load was over, every time"})
	}
}

// inTime holds every packet that reached the relay against the schedule: the
// machine may be slow, the schedule is not.
func inTime(t *testing.T, cfg Config, relay *fakeRelay, r *measure.Load) {
	t.Helper()
	cfg, err := cfg.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	relay.mu.Lock()
	defer relay.mu.Unlock()
	for flow, intended := range relay.intended {
		due := newSchedule(r.StartMonoNS, cfg.Tick, cfg.pps(), int(flow), cfg.Pairs, cfg.scheduleBurst())
		for seq, at := range intended {
			if at != due.next() || at >= r.WindowEndMonoNS {
				t.Fatalf("packet %d of flow %d was meant for %v after the start, want %v", seq, flow, time.Duration(at-r.StartMonoNS), time.Duration(due.next()-r.StartMonoNS))
			}
			due.take()
		}
	}
	// 5000 a second for 0.3 s: what was due in the window was sent, or counts as unsent.
	if r.SentPackets+r.UnsentPackets < 1500 {
		t.Errorf("in the window %d packets sent, %d unsent, of 1500", r.SentPackets, r.UnsentPackets)
	}
}

// clean fails the test for anything but packets that all arrived once, in order.
func clean(t *testing.T, r *measure.Load) {
	t.Helper()
	if r.SentPackets == 0 || r.DeliveredPackets != r.SentPackets || r.TotalDelivered != r.TotalSent ||
		r.Duplicate+r.Reordered+r.Corrupt+r.Foreign+r.Skewed != 0 || r.Undrained != 0 {
		t.Errorf("not clean: %+v", r)
	}
}

// kinds runs a test over the transports of any machine.
func kinds(t *testing.T, test func(*testing.T, transport.Kind)) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) {
			attempts(t, func(t *testing.T, _ int) { test(t, k) })
		})
	}
}

func TestEverythingArrives(t *testing.T) { kinds(t, testEverythingArrives) }

func testEverythingArrives(t *testing.T, k transport.Kind) {
	for _, p := range Patterns() {
		for _, b := range []Burst{BurstTick, {Frames: 1}, {Frames: 7}, {Bytes: 2000}} {
			t.Run(string(p)+"/"+b.String(), once(func(t *testing.T) {
				relay := newFakeRelayOver(t, k, nil)
				cfg := small(relay.addr())
				cfg.Transport, cfg.Pattern, cfg.Burst = k, p, b
				r := run(t, cfg)
				clean(t, r)
				accounted(t, relay, r)
				inTime(t, cfg, relay, r)
				if r.Latency.Count == 0 || r.Latency.P50NS <= 0 || r.Latency.P999NS < r.Latency.P50NS {
					t.Errorf("latency %+v", r.Latency)
				}
				if len(r.IntervalSentBps) != 3 || len(r.IntervalDeliveredBps) != 3 {
					t.Errorf("%d intervals in 300 ms", len(r.IntervalSentBps))
				}
				if (r.TLS != nil) != k.Encrypted() {
					t.Errorf("TLS of %s: %+v", k, r.TLS)
				}
			}))
		}
	}
}

// By default a record carries one frame, as a real client's does; more if asked.
func TestFramesPerRecord(t *testing.T) { once(testFramesPerRecord)(t) }

func testFramesPerRecord(t *testing.T) {
	for _, n := range []int{1, 3} {
		relay := newFakeRelayOver(t, transport.TLS, nil)
		cfg := small(relay.addr())
		cfg.Transport, cfg.Burst, cfg.FramesPerRecord = transport.TLS, Burst{Frames: 6}, n
		r := run(t, cfg)
		clean(t, r)
		// Probes and fins go alone: as many as it takes.
		records := r.TLS.RecordsSent - (r.FramesSent - r.TotalSent)
		if per := float64(r.TotalSent) / float64(records); per > float64(n) || per < 0.8*float64(n) {
			t.Errorf("%d frames a record: %d frames in %d records", n, r.TotalSent, records)
		}
		if r.TLS.BytesSent != r.FramesSent*uint64(cfg.frameSize()) {
			t.Errorf("%d bytes in records, of %d frames of %d bytes", r.TLS.BytesSent, r.FramesSent, cfg.frameSize())
		}
		if r.TLS.Suite != "TLS_AES_128_GCM_SHA256" && r.TLS.Suite != "TLS_CHACHA20_POLY1305_SHA256" || r.TLS.FramesPerRecord != n {
			t.Errorf("%+v", r.TLS)
		}
	}
}

// What the relay does to packets must be found out exactly.
func TestFaultsAreCountedExactly(t *testing.T) { once(testFaultsAreCountedExactly)(t) }

func testFaultsAreCountedExactly(t *testing.T) {
	dropTenth := func(h header, f []byte) [][]byte {
		if h.seq%10 == 9 {
			return nil
		}
		return [][]byte{f}
	}
	relay := newFakeRelay(t, dropTenth)
	r := run(t, small(relay.addr()))
	lost := r.TotalSent - r.TotalDelivered
	if lost == 0 || r.Corrupt+r.Foreign+r.Duplicate+r.Reordered != 0 {
		t.Fatalf("%+v", r)
	}
	// Of consecutive numbers every tenth is missing, in each of four flows.
	if want := r.TotalSent / 10; lost > want+4 || lost+4 < want {
		t.Errorf("lost %d of %d, want every tenth", lost, r.TotalSent)
	}
	if l, ok := r.Loss(); !ok || math.Abs(l*float64(r.SentPackets)-float64(r.SentPackets)/10) > 4 {
		t.Errorf("loss in the window %.4f of %d packets, want 0.1", l, r.SentPackets)
	}

	double := newFakeRelay(t, func(_ header, f []byte) [][]byte { return [][]byte{f, f} })
	if r := run(t, small(double.addr())); r.Duplicate != r.TotalSent || r.TotalDelivered != r.TotalSent || r.DeliveredPackets != r.SentPackets {
		t.Errorf("every packet twice: duplicate %d, delivered %d of %d", r.Duplicate, r.TotalDelivered, r.TotalSent)
	}

	corrupted := uint64(0)
	corrupt := newFakeRelay(t, func(h header, f []byte) [][]byte {
		if h.seq%5 == 0 {
			corrupted++ // serialised by the relay's lock
			f[derp.PacketOverhead+headerLen+3] ^= 0x10
		}
		return [][]byte{f}
	})
	r = run(t, small(corrupt.addr()))
	corrupt.mu.Lock()
	defer corrupt.mu.Unlock()
	if r.Corrupt != corrupted || r.TotalSent-r.TotalDelivered != corrupted {
		t.Errorf("corrupted %d: counted %d, missing %d", corrupted, r.Corrupt, r.TotalSent-r.TotalDelivered)
	}

	held := map[uint32][]byte{}
	swapped := uint64(0)
	swap := newFakeRelay(t, func(h header, f []byte) [][]byte { // every packet of a flow after its successor
		if prev := held[h.flow]; prev != nil {
			delete(held, h.flow)
			swapped++
			return [][]byte{f, prev}
		}
		held[h.flow] = bytes.Clone(f)
		return nil
	})
	r = run(t, small(swap.addr()))
	swap.mu.Lock()
	defer swap.mu.Unlock()
	if r.Reordered != swapped || r.TotalDelivered+uint64(len(held)) != r.TotalSent {
		t.Errorf("swapped %d: reordered %d; delivered %d, held %d, sent %d", swapped, r.Reordered, r.TotalDelivered, len(held), r.TotalSent)
	}

	misrouted := newFakeRelay(t, func(h header, f []byte) [][]byte { // a wrong source key
		if h.flow == 0 {
			f[derp.HeaderLen] ^= 1
		}
		return [][]byte{f}
	})
	if r := run(t, small(misrouted.addr())); r.Foreign == 0 || r.TotalSent-r.TotalDelivered != r.Foreign {
		t.Errorf("one flow with a wrong source: foreign %d, missing %d", r.Foreign, r.TotalSent-r.TotalDelivered)
	}
}

func TestRTT(t *testing.T) { once(testRTT)(t) }

func testRTT(t *testing.T) {
	relay := newFakeRelay(t, nil)
	cfg := small(relay.addr())
	cfg.RTT = true
	r := run(t, cfg)
	clean(t, r)
	if r.EchoesReturned != r.TotalSent || r.RTT.Count == 0 || r.RTT.P50NS < r.Latency.P50NS {
		t.Errorf("echoes %d of %d, round trip %+v, one way %+v", r.EchoesReturned, r.TotalSent, r.RTT, r.Latency)
	}
}

func TestDirect(t *testing.T) { kinds(t, testDirect) }

func testDirect(t *testing.T, k transport.Kind) {
	for _, p := range Patterns() {
		cfg := small("")
		cfg.Direct, cfg.Pattern, cfg.Transport = true, p, k
		clean(t, run(t, cfg))
	}
}

func TestMaxRate(t *testing.T) { kinds(t, testMaxRate) }

func testMaxRate(t *testing.T, k transport.Kind) {
	cfg := small("")
	cfg.Direct, cfg.Rate, cfg.Transport = true, units.Max, k
	r := run(t, cfg)
	clean(t, r)
	if r.UnsentPackets != 0 || r.DeliveredBps <= 0 {
		t.Errorf("%+v", r)
	}
}

// A relay that stops reading holds the sender back: that is shortfall, and what
// was sent is not lost.
func TestBackPressureIsShortfall(t *testing.T) { kinds(t, testBackPressureIsShortfall) }

func testBackPressureIsShortfall(t *testing.T, k transport.Kind) {
	over := make(chan struct{})
	late := false // serialised by the relay's lock
	relay := newFakeRelayOver(t, k, func(h header, f []byte) [][]byte {
		if h.seq == 50 && h.flow == 0 {
			select {
			case <-over:
				late = true
			default:
				<-over // with the relay's lock held: nothing moves
			}
		}
		return [][]byte{f}
	})
	cfg := small(relay.addr())
	cfg.Payload, cfg.Rate, cfg.Transport = 60_000, 800*units.Mbps, k
	r := runUntil(t, cfg, func(*Session) { close(over) })
	relay.mu.Lock()
	defer relay.mu.Unlock()
	if late {
		panic(unmeasured{"packets came to the relay after the window, every time"})
	}
	if r.UnsentPackets == 0 || r.Lateness.Count == 0 || r.TotalDelivered != r.TotalSent || r.Undrained != 0 {
		t.Errorf("unsent %d, delivered %d of %d, undrained %d", r.UnsentPackets, r.TotalDelivered, r.TotalSent, r.Undrained)
	}
}

func TestUndrainedFlowsAreReported(t *testing.T) { once(testUndrainedFlowsAreReported)(t) }

func testUndrainedFlowsAreReported(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	relay := newFakeRelay(t, func(h header, f []byte) [][]byte {
		if h.seq == 100 {
			<-over
		}
		return [][]byte{f}
	})
	cfg := small(relay.addr())
	cfg.Drain = time.Millisecond
	if r := run(t, cfg); r.Undrained == 0 {
		t.Errorf("a drain of 1 ms was enough: %+v", r)
	}
}

func TestLostConnectionFailsTheRun(t *testing.T) { once(testLostConnectionFailsTheRun)(t) }

func testLostConnectionFailsTheRun(t *testing.T) {
	var relay *fakeRelay
	relay = newFakeRelay(t, func(h header, f []byte) [][]byte {
		if h.seq == 5 {
			go relay.disconnectAll()
		}
		return [][]byte{f}
	})
	s, err := Prepare(context.Background(), small(relay.addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.Run(context.Background(), s.Start()); !errors.Is(err, ErrConnectionLost) {
		s.Close()
		if err != nil {
			refused(t, err)
		}
		t.Errorf("got %+v; want ErrConnectionLost", r)
	}
}

func TestCancelledRun(t *testing.T) { once(testCancelledRun)(t) }

func testCancelledRun(t *testing.T) {
	relay := newFakeRelay(t, nil)
	cfg := small(relay.addr())
	cfg.Measure = time.Hour
	s, err := Prepare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = s.Run(ctx, s.Start())
	s.Close()
	if !errors.Is(err, context.Canceled) {
		if err != nil {
			refused(t, err)
		}
		t.Error("cancelled, and it went on")
	}
	s.Close() // again is harmless
}

func TestStartInThePast(t *testing.T) {
	relay := newFakeRelay(t, nil)
	s, err := Prepare(context.Background(), small(relay.addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Run(context.Background(), 1); err == nil {
		t.Error("a start time long ago is accepted")
	}
}

func TestNoDERPServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.WriteString(c, "220 mail.example ESMTP\r\n")
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
	_, err = Prepare(context.Background(), small(ln.Addr().String()))
	if !errors.Is(err, ErrNotDERP) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("a mail server: %v", err)
	}
	ln.Close()
	if _, err := Prepare(context.Background(), small(ln.Addr().String())); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestReceiverThatCannotBeReached(t *testing.T) {
	relay := newFakeRelay(t, nil)
	relay.mu.Lock()
	relay.deaf = true
	relay.mu.Unlock()
	cfg := small(relay.addr())
	cfg.Register = 250 * time.Millisecond
	_, err := Prepare(context.Background(), cfg)
	if !errors.Is(err, ErrNotReached) || !strings.Contains(err.Error(), "4 of 4") {
		t.Errorf("a relay that forwards nothing: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"relay":      func(c *Config) { c.Relay = "" },
		"transport":  func(c *Config) { c.Transport = "x" },
		"pattern":    func(c *Config) { c.Pattern = "x" },
		"pairs":      func(c *Config) { c.Pairs = 0 },
		"payload":    func(c *Config) { c.Payload = 39 },
		"rate":       func(c *Config) { c.Rate = 0 },
		"tick":       func(c *Config) { c.Tick = time.Nanosecond },
		"warmup":     func(c *Config) { c.Warmup = -1 },
		"measure":    func(c *Config) { c.Measure = time.Millisecond },
		"drain":      func(c *Config) { c.Drain = -1 },
		"rtt":        func(c *Config) { c.RTT, c.Direct = true, true },
		"burst":      func(c *Config) { c.Burst = Burst{Frames: 100_000} },
		"congestion": func(c *Config) { c.Congestion = "nope" },
	} {
		c := small("127.0.0.1:1")
		change(&c)
		if _, err := Prepare(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestParseBurstAndPattern(t *testing.T) {
	for in, want := range map[string]Burst{"tick": BurstTick, "1": {Frames: 1}, "64KiB": {Bytes: 64 << 10}} {
		got, err := ParseBurst(in)
		if err != nil || got != want || got.String() != in {
			t.Errorf("ParseBurst(%q) = %+v (%v), %v", in, got, got, err)
		}
	}
	for _, bad := range []string{"", "0", "-1", "64K", "99MiB", "lots"} {
		if _, err := ParseBurst(bad); err == nil {
			t.Errorf("ParseBurst(%q) succeeds", bad)
		}
	}
	if _, err := ParsePattern("star"); err == nil {
		t.Error("ParsePattern(star) succeeds")
	}
	if n := (Burst{Bytes: 10}).frames(1437); n != 1 {
		t.Errorf("a burst smaller than a frame is %d frames", n)
	}
	if n := BurstTick.frames(1437); n != 45 {
		t.Errorf("64 KiB hold %d frames of 1437 bytes", n)
	}
}

// Threads with two CPUs or more have one role; peers are spread over them.
func FuzzParseBurst(f *testing.F) {
	for _, s := range []string{"tick", "1", "64", "64KiB", "0", "-1", "1.5MiB", "99999999999999999999", "4MiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBurst(s)
		if err != nil {
			return
		}
		if b.Frames < 0 || b.Bytes < 0 || b.frames(1) > maxBurst {
			t.Fatalf("%q: %+v", s, b)
		}
		if again, err := ParseBurst(b.String()); err != nil || again != b {
			t.Fatalf("%q: %+v, again %+v, %v", s, b, again, err)
		}
	})
}

func TestPlan(t *testing.T) {
	cfg := small("x")
	cfg.Pairs = 7
	all := cpu.Of(0, 1, 2, 3, 4)
	cfg.CPUs = all
	s := &Session{cfg: cfg}
	if err := s.plan(); err != nil {
		t.Fatal(err)
	}
	defer s.closePeers()
	var roles []string
	for _, th := range s.threads {
		roles = append(roles, th.role())
	}
	if got := strings.Join(roles, " "); got != "send send receive receive receive" {
		t.Errorf("roles: %s", got)
	}
	if a, b := len(s.threads[0].peers), len(s.threads[1].peers); a+b != 7 || a-b > 1 {
		t.Errorf("senders: %d and %d", a, b)
	}
	again := &Session{cfg: cfg}
	if err := again.plan(); err != nil {
		t.Fatal(err)
	}
	defer again.closePeers()
	if s.flows[3].from.key != again.flows[3].from.key || s.flows[3].from.key == s.flows[4].from.key {
		t.Error("the same seed makes other peers, or two peers are the same")
	}
}

// Sending and checking a packet allocates nothing.
func TestPacketsDoNotAllocate(t *testing.T) { kinds(t, testPacketsDoNotAllocate) }

func testPacketsDoNotAllocate(t *testing.T, k transport.Kind) {
	cfg := small("")
	cfg.Direct, cfg.CPUs, cfg.Transport = true, cpu.Of(mustCPU(t)), k
	s, err := Prepare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.phase.Store(int32(phaseStop)) // the thread ends; the test drives it by hand
	s.wake()
	s.wg.Wait()
	th := s.threads[0]
	now := th.clock.Now()
	s.times.Store(&timeline{start: now, begin: now, end: now + int64(time.Hour), drainedBy: now + int64(time.Hour)})
	th.begin()
	round := func() {
		now += int64(time.Millisecond)
		if err := th.turn(now); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.flows {
			for f.recv.arrived.unique < f.send.accepted {
				if err := th.readable(f.to); err != nil {
					t.Fatal(err)
				}
				runtime.Gosched()
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for 5 packets", n)
	}
}

func mustCPU(t *testing.T) int {
	t.Helper()
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	return set.List()[0]
}
