package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/measure"
	"hdbench/internal/transport"
	"hdbench/internal/units"
)

// together runs all parts of a load as several hosts would, and merges them.
func together(t *testing.T, cfg Config, n int) (*measure.Load, []*measure.Load) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	parts := make([]*Session, n)
	var g errgroup.Group
	for i := range parts {
		g.Go(func() (err error) {
			c := cfg
			c.Part.Index, c.Part.Of = i, n
			parts[i], err = Prepare(ctx, c)
			return err
		})
	}
	err := g.Wait()
	for _, s := range parts {
		if s != nil {
			defer s.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	start := parts[0].Start() + int64(200*time.Millisecond) // every part hears of it in time, on a busy machine too
	var mu sync.Mutex
	var windows []measure.FlowWindow
	for _, s := range parts {
		g.Go(func() error {
			w, err := s.Drain(ctx, start)
			mu.Lock()
			defer mu.Unlock()
			windows = append(windows, w...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		refused(t, err)
	}
	loads := make([]*measure.Load, n)
	for i, s := range parts {
		g.Go(func() (err error) {
			loads[i], err = s.Settle(ctx, windows)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		refused(t, err)
	}
	var merge []measure.LoadPart
	for i, l := range loads {
		merge = append(merge, measure.LoadPart{Host: measure.ClientHost{Agent: fmt.Sprint("c", i+1)}, Load: l})
	}
	sum, err := measure.MergeLoads(merge)
	if err != nil {
		t.Fatal(err)
	}
	return sum, loads
}

func TestPartsAreOneLoad(t *testing.T) {
	for _, n := range []int{2, 3, 8} { // eight: more than there are flows
		for _, p := range Patterns() {
			t.Run(fmt.Sprint(n, " ", p), once(func(t *testing.T) {
				relay := newFakeRelay(t, nil)
				cfg := small(relay.addr())
				cfg.Pattern, cfg.Part.OneClock = p, true
				sum, _ := together(t, cfg, n)
				clean(t, sum)
				accounted(t, relay, sum)
				inTime(t, cfg, relay, sum)
				if sum.TotalSent > 2004 || sum.Flows != 4 {
					t.Errorf("%d packets of %d flows sent; want at most 2000 of 4", sum.TotalSent, sum.Flows)
				}
				if sum.Latency.Count == 0 || sum.NoLatency != "" || len(sum.Hosts) != n || len(sum.IntervalDeliveredBps) != 3 {
					t.Errorf("latency %+v (%s), %d hosts, intervals %v", sum.Latency, sum.NoLatency, len(sum.Hosts), sum.IntervalDeliveredBps)
				}
			}))
		}
	}
}

func TestPartsOverTLS(t *testing.T) { kinds(t, testPartsOver) }

func testPartsOver(t *testing.T, k transport.Kind) {
	relay := newFakeRelayOver(t, k, nil)
	cfg := small(relay.addr())
	cfg.Transport = k
	sum, _ := together(t, cfg, 2)
	clean(t, sum)
	if (sum.TLS != nil) != k.Encrypted() {
		t.Errorf("TLS of %s: %+v", k, sum.TLS)
	}
}

// What a relay drops must be found to the packet, though no part knows both how
// many were sent and how many arrived.
func TestPartsCountLossExactly(t *testing.T) { once(testPartsCountLossExactly)(t) }

func testPartsCountLossExactly(t *testing.T) {
	var mu sync.Mutex
	total := uint64(0)
	relay := newFakeRelay(t, func(h header, f []byte) [][]byte {
		if (h.seq+uint64(h.flow))%7 != 3 {
			return [][]byte{f}
		}
		mu.Lock()
		defer mu.Unlock()
		total++
		return nil
	})
	cfg := small(relay.addr())
	sum, loads := together(t, cfg, 3)
	mu.Lock()
	defer mu.Unlock()
	if sum.TotalSent-sum.TotalDelivered != total || total == 0 {
		t.Errorf("%d sent, %d delivered: %d lost; the relay dropped %d", sum.TotalSent, sum.TotalDelivered, sum.TotalSent-sum.TotalDelivered, total)
	}
	// Inside the window: the packets of every window that were not dropped.
	if lost := sum.SentPackets - sum.DeliveredPackets; lost > total || lost < sum.SentPackets/7-4 || lost > sum.SentPackets/7+4 {
		t.Errorf("%d of %d lost in the window, want every seventh", lost, sum.SentPackets)
	}
	for _, l := range loads {
		if l.Latency.Count != 0 || l.NoLatency == "" {
			t.Error("one-way latency is measured though the parts' clocks are not one")
		}
	}
}

// A flow whose end never comes through is undrained, and its loss still what the
// receiver has really not seen: the windows do not travel through the relay.
func TestLostFinsNeverMakeLossZero(t *testing.T) { attempts(t, testLostFins) }

func testLostFins(t *testing.T, attempt int) {
	relay := newFakeRelay(t, nil)
	// Of flow 2 the first hundred packets arrive, then nothing any more.
	dropped := uint64(0) // serialised by the relay's lock
	relay.drop = func(h header) bool {
		if h.flow != 2 || h.kind == kindData && h.seq < 100 || h.kind != kindData && h.kind != kindFin {
			return false
		}
		if h.kind == kindData {
			dropped++
		}
		return true
	}
	cfg := small(relay.addr())
	cfg.Drain = min(200*time.Millisecond<<attempt, patience)
	sum, _ := together(t, cfg, 2)
	if sum.Undrained > 1 { // the machine was too slow for the other flows
		panic(unmeasured{fmt.Sprintf("%d flows undrained after %v", sum.Undrained, cfg.Drain)})
	}
	relay.mu.Lock()
	defer relay.mu.Unlock()
	if dropped == 0 {
		panic(unmeasured{"not a hundred packets of a flow were sent"})
	}
	if sum.Undrained != 1 {
		t.Errorf("%d flows undrained, want 1", sum.Undrained)
	}
	if lost := sum.TotalSent - sum.TotalDelivered; lost != dropped {
		t.Errorf("lost %d, want %d: all but a hundred of one flow of four", lost, dropped)
	}
	if loss, _ := sum.Loss(); loss <= 0 {
		t.Errorf("loss in the window %v, want about a quarter", loss)
	}
}

// Echoes and probes travel the same way in parts.
func TestPartsTimeRoundTrips(t *testing.T) { once(testPartsTimeRoundTrips)(t) }

func testPartsTimeRoundTrips(t *testing.T) {
	relay := newFakeRelay(t, nil)
	cfg := small(relay.addr())
	cfg.RTT = true
	sum, _ := together(t, cfg, 2)
	clean(t, sum)
	if sum.RTT.Count == 0 || sum.EchoesReturned != sum.TotalSent || sum.Latency.Count != 0 {
		t.Errorf("%d echoes of %d, %d timed, %d one way", sum.EchoesReturned, sum.TotalSent, sum.RTT.Count, sum.Latency.Count)
	}
}

// A part is not ready before the receivers on the other parts are there.
func TestPartWaitsForTheOthers(t *testing.T) {
	relay := newFakeRelay(t, nil)
	cfg := small(relay.addr())
	cfg.Part, cfg.Register = Part{Index: 0, Of: 2}, 300*time.Millisecond
	s, err := Prepare(t.Context(), cfg)
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "2 of 2 within") {
		t.Errorf("prepared alone: %v", err)
	}
}

func TestSettleWantsEveryWindowOnce(t *testing.T) {
	for name, ws := range map[string][]measure.FlowWindow{
		"none": nil, "of the other flow": {{Flow: 1}}, "of no flow": {{Flow: 0}, {Flow: 2}},
		"twice": {{Flow: 0}, {Flow: 0}}, "backwards": {{Flow: 0, First: 2, End: 1}}, "endless": {{Flow: 0, End: 1 << 60}},
	} {
		s := &Session{flows: []*flow{{id: 0, recv: new(recvHalf)}, {id: 1, send: new(sendHalf)}}}
		if _, err := s.Settle(t.Context(), ws); err == nil {
			t.Errorf("%s: settled", name)
		}
	}
}

// Whatever another part says its windows are, it is refused or can be counted.
func FuzzWindows(f *testing.F) {
	f.Add([]byte(`[{"flow":0,"first":1,"end":9}]`))
	f.Add([]byte(`[{"flow":1,"first":1,"end":9},{"flow":0,"first":17592186044415,"end":17592186044416}]`))
	f.Add([]byte(`[{"flow":4294967295}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ws []measure.FlowWindow
		if json.Unmarshal(b, &ws) != nil {
			return
		}
		r := new(recvHalf)
		r.arrived.mark(1)
		s := &Session{flows: []*flow{{id: 0, recv: r}, {id: 1, send: new(sendHalf)}}}
		if s.takeWindows(ws) != nil {
			return
		}
		if r.windowEnd < r.windowFirst || r.windowEnd > maxSeq {
			t.Fatalf("%s: window %d to %d", b, r.windowFirst, r.windowEnd)
		}
	})
}

func FuzzParsePart(f *testing.F) {
	for _, s := range []string{"1/1", "2/3", "256/256", "0/1", "1/2x", "-1/-1", "1 /2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePart(s)
		if err != nil {
			return
		}
		if p.Index < 0 || p.Index >= p.Of || p.Of > MaxParts {
			t.Fatalf("%q: %+v", s, p)
		}
		if p.Of == 1 {
			return // which is the whole, and has no name
		}
		if again, err := ParsePart(p.String()); err != nil || again != p {
			t.Fatalf("%q: %+v, again %+v, %v", s, p, again, err)
		}
	})
}

func TestPartsPlaceEveryPeerOnce(t *testing.T) {
	for _, pattern := range Patterns() {
		for of := range 9 {
			sends, receives := 0, 0
			for i := range max(of, 1) {
				from, to := Part{Index: i, Of: of}.Flows(pattern, 20)
				sends, receives = sends+from, receives+to
			}
			if sends != 20 || receives != 20 {
				t.Errorf("%s in %d parts: %d senders, %d receivers", pattern, of, sends, receives)
			}
			for f := range 20 {
				if from, to := (Part{Of: of}).places(pattern, f); of > 1 && from == to {
					t.Errorf("%s in %d parts: flow %d is within part %d", pattern, of, f, from)
				}
			}
		}
	}
}

func TestParsePart(t *testing.T) {
	for _, s := range []string{"", "1", "0/2", "3/2", "1/0", "1/257", "1/2x", "-1/2", "a/b"} {
		if p, err := ParsePart(s); err == nil {
			t.Errorf("%q: %v", s, p)
		}
	}
	if p, err := ParsePart("2/3"); err != nil || p != (Part{Index: 1, Of: 3}) || p.String() != "2/3" {
		t.Errorf("%v, %v", p, err)
	}
	for name, c := range map[string]Config{
		"no run":   {Relay: "x:1", Part: Part{Of: 2}},
		"direct":   {Direct: true, Run: 1, Part: Part{Of: 2}},
		"too many": {Relay: "x:1", Run: 1, Part: Part{Of: MaxParts + 1}},
		"beyond":   {Relay: "x:1", Run: 1, Part: Part{Index: 2, Of: 2}},
	} {
		c.Pairs, c.Payload, c.Rate, c.Measure = 1, 100, units.Mbps, time.Second
		if _, err := c.WithDefaults(); err == nil || !strings.Contains(err.Error(), "part") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
