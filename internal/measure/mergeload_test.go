package measure

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hdbench/internal/units"
)

// packet is one packet of a simulated load.
type packet struct {
	flow                     int
	sent                     bool // inside the window
	arrived                  bool
	interval                 int // in which it arrived
	latency, late, roundTrip time.Duration
}

// counted is what a load generator makes of some packets: those whose sender is
// among some flows, and those whose receiver is.
func counted(t *testing.T, packets []packet, flows int, sends, receives func(flow int) bool) *Load {
	t.Helper()
	l := &Load{
		WindowBeginMonoNS: 0, WindowEndMonoNS: 1e9, PayloadBytes: 100, Offered: units.Rate(8 * 100 * 5000), IntervalNS: 1e8,
		IntervalSentBps: make([]float64, 10), IntervalDeliveredBps: make([]float64, 10), TLS: &TLS{Transport: "tls", FramesPerRecord: 1},
	}
	l.Strain = new(Strain)
	hs := make([]*hdrhistogram.Histogram, 6)
	for i := range hs {
		hs[i] = hdrhistogram.New(1000, int64(100*time.Second), 3)
	}
	for f := range flows {
		if sends(f) {
			l.Flows++
			l.Undrained += int64(f % 2)
			l.Strain.Blocked += float64(f%4) / 4
			l.Strain.BusyNS += int64(f) * 30
			l.Strain.RwndLimitedNS += int64(f) * 20
			l.Strain.SndbufLimitedNS += int64(f) * 10
		}
	}
	if l.Flows > 0 {
		l.Strain.Blocked /= float64(l.Flows)
	}
	for _, p := range packets {
		if sends(p.flow) {
			l.TotalSent, l.FramesSent = l.TotalSent+1, l.FramesSent+1
			l.TLS.RecordsSent, l.TLS.BytesSent = l.TLS.RecordsSent+1, l.TLS.BytesSent+137
			l.TLS.Suite = "X"
			if p.sent {
				l.SentPackets++
				l.SentBps += 800
				l.IntervalSentBps[p.interval] += 8000
			}
			hs[1].RecordValue(int64(p.roundTrip))
			hs[2].RecordValue(int64(p.late))
			hs[3].RecordValue(int64(p.late / 2))
			hs[4].RecordValue(int64(p.late / 3))
			if !p.sent {
				l.Strain.DueUnsent++
			}
		}
		if receives(p.flow) && p.arrived {
			l.TotalDelivered, l.FramesReceived = l.TotalDelivered+1, l.FramesReceived+1
			l.TLS.RecordsReceived, l.TLS.BytesReceived = l.TLS.RecordsReceived+1, l.TLS.BytesReceived+137
			l.DeliveredBps += 800
			l.IntervalDeliveredBps[p.interval] += 8000
			hs[0].RecordValue(int64(p.latency))
			hs[5].RecordValue(int64(p.latency / 2))
			l.Strain.Reads++
			l.Strain.QueueLooks++
			if p.interval == 7 {
				l.Strain.FullReads++
				l.Strain.QueueWaiting++
				l.Strain.QueueMean += 100_000
			}
			switch p.interval {
			case 1:
				l.Duplicate++
			case 2:
				l.Reordered++
			case 3:
				l.Corrupt++
			case 4:
				l.Foreign++
			case 5:
				l.Skewed++
			}
			if p.sent {
				l.DeliveredPackets++
			}
		}
	}
	for i, to := range []*Histogram{&l.Latency, &l.RTT, &l.Lateness, &l.Pacing, &l.Strain.SendLag, &l.Strain.ReceiveLag} {
		var err error
		if *to, err = FromHDR(hs[i]); err != nil {
			t.Fatal(err)
		}
	}
	l.Strain.QueueMean /= float64(max(l.Strain.QueueLooks, 1))
	l.CountUnsent(flows)
	return l
}

// However a load is cut into parts, their merge is what one process would have
// measured.
func TestMergedPartsAreTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		const flows = 12
		var packets []packet
		for range rng.IntN(3000) {
			packets = append(packets, packet{
				flow: rng.IntN(flows), sent: rng.IntN(10) > 0, arrived: rng.IntN(7) > 0, interval: rng.IntN(10),
				latency: time.Duration(rng.ExpFloat64() * 1e6), late: time.Duration(rng.ExpFloat64() * 1e5), roundTrip: time.Duration(rng.ExpFloat64() * 3e6),
			})
		}
		every := func(int) bool { return true }
		whole := counted(t, packets, flows, every, every)
		n := 1 + rng.IntN(9)
		var parts []LoadPart
		for i := range n {
			l := counted(t, packets, flows, func(f int) bool { return f%n == i }, func(f int) bool { return (f+1)%n == i })
			l.Threads = []Thread{{CPU: "0", Busy: float64(i) / 10}}
			parts = append(parts, LoadPart{ClientHost{Agent: string(rune('a' + i))}, l})
		}
		got, err := MergeLoads(parts)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Hosts) != n || len(got.Threads) != n || got.Threads[n-1].Host != got.Hosts[n-1].Agent || got.Hosts[n-1].Busiest != float64(n-1)/10 || got.Hosts[n-1].Strain != parts[n-1].Load.Strain {
			t.Fatalf("hosts %+v, threads %+v", got.Hosts, got.Threads)
		}
		got.Hosts, got.Threads = nil, nil
		if len(packets) == 0 {
			got.TLS.Suite = whole.TLS.Suite
		}
		// Two histograms with the same values may be encoded differently.
		for _, h := range []*Histogram{&got.Latency, &got.RTT, &got.Lateness, &got.Pacing, &whole.Latency, &whole.RTT, &whole.Lateness, &whole.Pacing,
			&got.Strain.SendLag, &got.Strain.ReceiveLag, &whole.Strain.SendLag, &whole.Strain.ReceiveLag} {
			h.Encoded = canonical(t, *h)
		}
		for _, m := range []struct{ got, want *float64 }{{&got.Strain.Blocked, &whole.Strain.Blocked}, {&got.Strain.QueueMean, &whole.Strain.QueueMean}} {
			if math.Abs(*m.got-*m.want) <= 1e-9*(1+*m.want) { // means of means round otherwise
				*m.got = *m.want
			}
		}
		if !reflect.DeepEqual(got.Strain, whole.Strain) {
			t.Fatalf("%d parts: strain %+v, of the whole %+v", n, got.Strain, whole.Strain)
		}
		if !reflect.DeepEqual(got, whole) {
			t.Fatalf("%d parts:\n%+v\n%+v\nthe whole:\n%+v\n%+v", n, got, got.TLS, whole, whole.TLS)
		}
	}
}

// canonical is a histogram's values and counts as text.
func canonical(t *testing.T, h Histogram) string {
	t.Helper()
	hdr, err := h.HDR()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if hdr != nil {
		for _, bar := range hdr.Distribution() {
			if bar.Count > 0 {
				b.WriteString(bar.String())
			}
		}
	}
	return b.String()
}

func TestPartsOfDifferentLoadsDoNotMerge(t *testing.T) {
	part := func() LoadPart {
		return LoadPart{ClientHost{Agent: "c9"}, &Load{PayloadBytes: 1, IntervalNS: 1, WindowEndMonoNS: 10, IntervalSentBps: []float64{1}, IntervalDeliveredBps: []float64{1}, ServerKey: "k"}}
	}
	for name, change := range map[string]func(*Load){
		"payload":      func(l *Load) { l.PayloadBytes = 2 },
		"window":       func(l *Load) { l.WindowEndMonoNS = 11 },
		"intervals":    func(l *Load) { l.IntervalDeliveredBps = nil },
		"another key":  func(l *Load) { l.ServerKey = "other" },
		"no histogram": func(l *Load) { l.Pacing = Histogram{Count: 1, Encoded: "rubbish"} },
	} {
		other := part()
		change(other.Load)
		if l, err := MergeLoads([]LoadPart{part(), other}); err == nil {
			t.Errorf("%s: merged to %+v", name, l)
		}
	}
	if _, err := MergeLoads(nil); err == nil {
		t.Error("nothing merges")
	}
	// Parts of before strain was kept have none, nor has their merge.
	kept := part()
	kept.Load.Strain = new(Strain)
	if l, err := MergeLoads([]LoadPart{kept, part()}); err != nil || l.Strain != nil {
		t.Errorf("strain %+v of a load of which a part has none, %v", l.Strain, err)
	}
	// A part that met no relay says nothing of its key.
	silent := part()
	silent.Load.ServerKey = ""
	if l, err := MergeLoads([]LoadPart{silent, part()}); err != nil || l.ServerKey != "k" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestSteppedClocks(t *testing.T) {
	for _, c := range []struct {
		drift, elapsed time.Duration
		want           bool
	}{
		{0, time.Second, false},
		{150 * time.Microsecond, 0, false},                 // the bounds explain it
		{-201 * time.Microsecond, 0, true},                 // they do not
		{time.Millisecond, 10 * time.Second, false},        // nor would they, but clocks drift
		{1300 * time.Microsecond, 10 * time.Second, true},  // by no more than this
		{-1300 * time.Microsecond, 10 * time.Second, true}, // either way
		{3 * time.Second, time.Hour, true},
	} {
		k := ClockCheck{BoundNS: 120e3, EndBoundNS: 80e3, DriftNS: int64(c.drift), ElapsedNS: int64(c.elapsed)}
		if got := k.Stepped(); got != c.want {
			t.Errorf("%v in %v: stepped is %v", c.drift, c.elapsed, got)
		}
	}
}

func TestLineOfAllClients(t *testing.T) {
	l := &Line{Runs: []LineRun{
		{Client: "a", ToRelay: true, Streams: 1, Bps: 8}, {Client: "a", ToRelay: true, Streams: 8, Bps: 9}, {Client: "b", ToRelay: true, Streams: 1, Bps: 7},
		{Client: "a", Streams: 1, Bps: 5},
	}}
	if l.Of("a", true) != 9 || l.Of("b", false) != 0 || l.Together(true) != 9 || l.Together(false) != 5 {
		t.Errorf("alone: %v %v %v %v", l.Of("a", true), l.Of("b", false), l.Together(true), l.Together(false))
	}
	l.Runs = append(l.Runs, LineRun{Client: "a", ToRelay: true, Together: true, Bps: 6}, LineRun{Client: "b", ToRelay: true, Together: true, Bps: 6})
	if got := l.Together(true); math.Abs(got-12) > 0 {
		t.Errorf("together %v", got)
	}
}
