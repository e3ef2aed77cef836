package results

import (
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// starved is a trial of which a quarter is missing, without a sign of why: the relay
// has CPU time left, and the client's record is clean.
func starved(run int) *Trial {
	t := trial(hd(2), 4*units.Gbps, run, 3000, 0.1)
	t.Relay.Threads = []measure.ThreadTime{{Name: "worker", CPU: 0.4, RunDelay: new(float64)}}
	t.Relay.CPUSeconds = 0.8 * t.Relay.WindowSeconds
	return t
}

// unsent makes what is missing a shortfall, and nothing lost.
func unsent(t *Trial) {
	l := t.Load
	l.UnsentPackets = l.SentPackets - l.DeliveredPackets
	l.SentPackets = l.DeliveredPackets
	l.SentBps = l.DeliveredBps
	t.Relay.Counters.Dropped = nil
	t.Relay.Counters.Received, l.FramesSent = t.Relay.Counters.Forward, l.FramesReceived
}

// planted is evidence put into a record, and what it must be taken for.
var planted = []struct {
	name   string
	plant  func(*Trial)
	want   Cause
	reason string // in the evidence
}{
	{"all arrived, with a client at its end", func(t *Trial) {
		*t = *trial(hd(2), 4*units.Gbps, t.Run, 3999, 0.1)
		t.Load.Threads[0].Busy, t.Load.Strain.QueueWaiting = 0.99, 90
	}, Carried, ""},
	{"the relay's CPUs are used up", func(t *Trial) { t.Relay.CPUSeconds = 1.9 * t.Relay.WindowSeconds }, RelayCPU, "relay CPU 95.0 %"},
	{"one worker is at its end", func(t *Trial) { t.Relay.Threads[0].CPU = 0.96 }, RelayCPU, "busiest thread"},
	{"a worker is kept waiting for its CPU", func(t *Trial) { *t.Relay.Threads[0].RunDelay = 0.58 }, RelayCPU, "busiest thread"},
	{"a quota holds the relay", func(t *Trial) { t.Relay.Throttle = &measure.Throttle{Seconds: 0.3, Periods: 9} }, RelayCPU, "quota"},
	{"queues drop with CPU time left", func(*Trial) {}, SendQueue, "queue_head"},
	{"senders are held back with CPU time left", func(t *Trial) { unsent(t); t.Load.Strain.Blocked = 0.4 }, BackPressure, "senders blocked 40.0 %"},
	{"the client sent late", func(t *Trial) { unsent(t); t.Load.Strain.DueUnsent = t.Load.UnsentPackets * 9 / 10 }, ByClient, "client's to send"},
	{"data waits at the receivers", func(t *Trial) { t.Load.Strain.QueueWaiting = 80 }, ByClient, "waiting at receivers in 80.0 %"},
	{"reads fill their buffers", func(t *Trial) { t.Load.Strain.FullReads = 600 }, ByClient, ""},
	{"the relay waits for the receivers' windows", func(t *Trial) {
		t.Relay.Sockets = &measure.SocketTimes{Connections: 20, BusyNS: 100, RwndLimitedNS: 60}
	}, ByClient, "windows 60.0 %"},
	{"one host of two reads late", func(t *Trial) {
		t.Load.Hosts = []measure.ClientHost{{Agent: "c1", Strain: &measure.Strain{QueueLooks: 100}}, {Agent: "c2", Strain: &measure.Strain{QueueLooks: 100, QueueWaiting: 70}}}
	}, ByClient, "70.0 %"},
	{"the line is full", func(t *Trial) { t.LineFromRelayBps, t.RelayHost = 3.05e9, "other" }, ByLine, ""},
	{"both sides are at their end", func(t *Trial) { t.Relay.Threads[0].CPU, t.Load.Strain.QueueWaiting = 0.96, 80 }, Unclear, ""},
	{"the relay is neither idle nor full", func(t *Trial) { t.Relay.Threads[0].CPU = 0.90 }, Unclear, ""},
	{"a record of before strain was kept", func(t *Trial) { t.Load.Strain = nil }, Unclear, ""},
	{"as much as goes, and the senders never waited", func(t *Trial) { unsent(t); t.Point.Offered, t.Load.Offered = units.Max, units.Max }, ByClient, ""},
	{"as much as goes, and the relay is at its end", func(t *Trial) {
		t.Point.Offered, t.Load.Offered, t.Load.Strain.Blocked, t.Relay.Threads[0].CPU = units.Max, units.Max, 0.6, 0.97
	}, RelayCPU, ""},
}

func TestCauseFromPlantedEvidence(t *testing.T) {
	for _, c := range planted {
		t.Run(c.name, func(t *testing.T) {
			tr := starved(1)
			c.plant(tr)
			g := groundsOf(tr)
			if got := CauseOf(tr); got != c.want {
				t.Errorf("%s, want %s: %s", got, c.want, g.String())
			}
			if !strings.Contains(g.String(), c.reason) {
				t.Errorf("evidence %q has no %q", g.String(), c.reason)
			}
		})
	}
}

// The limit of a configuration is what its trials above the highest rate carried say.
func TestLimitFromPlantedEvidence(t *testing.T) {
	for _, c := range planted {
		t.Run(c.name, func(t *testing.T) {
			var ts []*Trial
			for run := 1; run <= 3; run++ {
				ts = append(ts, trial(hd(2), 2*units.Gbps, run, 2000, 0.1))
				tr := starved(run)
				c.plant(tr)
				tr.Validity = Judge(tr)
				ts = append(ts, tr)
			}
			points, err := Points(ts)
			if err != nil {
				t.Fatal(err)
			}
			ceilings := Ceilings(points)
			want := c.want
			if want == Carried {
				want = NotReached
			}
			l := ceilings[0].Limit
			if l.What != want || l.Remedy == "" || want != NotReached && l.Evidence == "" {
				t.Errorf("limit %+v, want %s", l, want)
			}
			relays := map[Cause]bool{RelayCPU: true, SendQueue: true, BackPressure: true}
			if ceilings[0].AtLeast == relays[want] {
				t.Errorf("limit %s, and a lower bound: %v", l.What, ceilings[0].AtLeast)
			}
		})
	}
}

// Trials that do not agree have no limit, and say what they say.
func TestALimitWithoutAgreementIsUnclear(t *testing.T) {
	var ts []*Trial
	for run := 1; run <= 4; run++ {
		tr := starved(run)
		if run%2 == 0 {
			tr.Relay.Threads[0].CPU = 0.97
		}
		tr.Validity = Judge(tr)
		ts = append(ts, tr)
	}
	points, err := Points(ts)
	if err != nil {
		t.Fatal(err)
	}
	l := Ceilings(points)[0].Limit
	if l.What != Unclear || !strings.Contains(l.Evidence, "2 say relay-cpu") || !strings.Contains(l.Evidence, "2 say send-queue") {
		t.Errorf("%+v", l)
	}
}
