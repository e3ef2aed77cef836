package results

import (
	"bytes"
	"encoding/csv"
	"math"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// noPMU is what a virtual machine says.
const noPMU = "no PMU: the kernel shows none of this CPU's (only software, tracepoint), as in a virtual machine that is not given one"

// perfOf are made-up counters of a trial, so many of each a packet.
func perfOf(t *Trial, cyclesPerPacket, llcMiss float64) *measure.PerfCounters {
	const seconds = 2
	packets := t.Load.DeliveredBps / 8 / float64(t.Load.PayloadBytes) * seconds
	full := 1.0
	hw := func(v float64) measure.Count {
		c := measure.CountOf(v, "perf")
		c.Running = &full
		return c
	}
	return &measure.PerfCounters{
		Seconds: seconds, Threads: 6,
		Cycles: hw(cyclesPerPacket * packets), Instructions: hw(1.5 * cyclesPerPacket * packets),
		LLCLoads: hw(10 * packets), LLCMisses: hw(10 * llcMiss * packets), L1Misses: hw(60 * packets),
		Branches: hw(200 * packets), BranchMisses: hw(2 * packets),
		ContextSwitches: hw(0.02 * packets), Migrations: hw(1), PageFaults: hw(40),
		UserSeconds: measure.CountOf(0.5, "/proc/PID/stat"), SystemSeconds: measure.CountOf(1.5, "/proc/PID/stat"),
		SoftIRQShare: measure.CountOf(0.21, "/proc/stat"), NetSoftIRQs: measure.CountOf(0.1*packets, "/proc/softirqs"),
	}
}

// withoutPMU takes away what a virtual machine does not count.
func withoutPMU(p *measure.PerfCounters) *measure.PerfCounters {
	for _, c := range []*measure.Count{&p.Cycles, &p.Instructions, &p.LLCLoads, &p.LLCMisses, &p.L1Misses, &p.Branches, &p.BranchMisses} {
		*c = measure.NoCount(noPMU)
	}
	return p
}

// countedSet is a sweep of a machine with a PMU: hd over ktls has a cliff, over
// tcp none, and derper's counters had to take turns.
func countedSet() *Set {
	s := &Set{Dir: "/somewhere/counted-1", Environment: environment()}
	ktls := hd(2)
	ktls.Transport = "ktls"
	for run, e := range []float64{-1, 0, 1, 0.5} {
		for _, r := range []struct {
			c             Config
			offered       units.Rate
			mbps, perGbit float64
			cycles, miss  float64
		}{
			{hd(2), 1 * units.Gbps, 1000, 0.20, 4000, 0.014}, {hd(2), 2 * units.Gbps, 2000, 0.18, 3800, 0.0145},
			{hd(2), 3 * units.Gbps, 3000, 0.17, 3700, 0.0145}, {hd(2), 5 * units.Gbps, 5000, 0.17, 3650, 0.015},
			{ktls, 1 * units.Gbps, 1000, 0.40, 9000, 0.025}, {ktls, 2 * units.Gbps, 2000, 0.38, 8800, 0.026},
			{ktls, 3 * units.Gbps, 3000, 0.38, 8900, 0.026}, {ktls, 5 * units.Gbps, 4000, 0.50, 13000, 0.40},
			{derper(), 1 * units.Gbps, 998, 0.80, 21000, 0.03}, {derper(), 5 * units.Gbps, 3100, 0.70, 19000, 0.05},
		} {
			t := trial(r.c, r.offered, run+1, r.mbps+5*e, r.perGbit*(1+0.01*e))
			t.Relay.Perf = perfOf(t, r.cycles*(1+0.01*e), r.miss*(1+0.03*e))
			if r.c.Relay == RelayDerper {
				for _, c := range []*measure.Count{&t.Relay.Perf.LLCLoads, &t.Relay.Perf.LLCMisses} {
					*c = measure.NoCount("multiplexed: it ran 20 % of the time, and less than 25 % is not extrapolated")
				}
				share := 0.6
				t.Relay.Perf.Cycles.Running = &share
			}
			s.Trials = append(s.Trials, t)
		}
	}
	return s
}

// uncountedSet is the same on a machine without a PMU; of derper perf counts
// nothing at all.
func uncountedSet() *Set {
	s := countedSet()
	for _, t := range s.Trials {
		p := withoutPMU(t.Relay.Perf)
		if t.Point.Relay == RelayDerper {
			p.ContextSwitches.Source, p.Migrations.Source, p.PageFaults.Source = "/proc/PID/task/TID/status", "/proc/PID/task/TID/sched", "/proc/PID/stat"
		}
	}
	return s
}

func TestCounterGoldens(t *testing.T) {
	for name, set := range map[string]*Set{"counted": countedSet(), "uncounted": uncountedSet()} {
		r, err := NewReport(set, 0)
		if err != nil {
			t.Fatal(err)
		}
		for f, ending := range map[Format]string{Terminal: ".txt", Markdown: ".md", HTML: ".html"} {
			var b bytes.Buffer
			if err := r.Write(&b, f); err != nil {
				t.Fatal(err)
			}
			golden(t, name+ending, b.Bytes())
			if f == Terminal {
				fitsTerminal(t, b.String())
			}
		}
		goldenPlots(t, r, "plots-"+name)
		golden(t, name+".json", export(t, "json", set))
	}
}

func reportWords(t *testing.T, s *Set) string {
	t.Helper()
	r, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// What all lack is said once, and no column is full of n/a.
func TestWithoutAPMUTheReasonIsSaidOnce(t *testing.T) {
	points, err := Points(uncountedSet().Trials)
	if err != nil {
		t.Fatal(err)
	}
	out := text(t, CounterTables(points)...)
	if n := strings.Count(strings.Join(strings.Fields(out), " "), noPMU); n != 1 {
		t.Errorf("the reason stands %d times:\n%s", n, out)
	}
	if strings.Contains(out, "IPC\n") || strings.Contains(out, na+" ") && strings.Contains(out, "cycles\n") {
		t.Errorf("columns without a number:\n%s", out)
	}
	for _, want := range []string{"switches", "softirq", "/proc/PID/task/TID/status"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q:\n%s", want, out)
		}
	}
	if out := reportWords(t, uncountedSet()); !strings.Contains(out, "LLC miss rate: n/a ("+noPMU+").") || !strings.Contains(out, "no measurement of a cache") {
		t.Errorf("the section on the cliff does not say why, or what it shows instead:\n%s", out)
	}
}

// A cliff of the LLC miss rate is a finding; a rise of the software's evidence is
// none.
func TestTheCliffIsAFinding(t *testing.T) {
	const want = "hd ktls 2 workers: the LLC miss rate leaves its flat part (2.58 %) between"
	if out := reportWords(t, countedSet()); strings.Count(out, "leaves its flat part (") != 1 || !strings.Contains(out, want) {
		t.Errorf("want %q once:\n%s", want, out)
	}
	if out := reportWords(t, uncountedSet()); strings.Contains(out, "leaves its flat part (") {
		t.Errorf("software evidence is a finding:\n%s", out)
	}
}

func TestCounterFigures(t *testing.T) {
	tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	tr.Relay.Perf = perfOf(tr, 4000, 0.1)
	want := map[string]float64{
		"cycles_per_packet": 4000, "instructions_per_packet": 6000, "instructions_per_cycle": 1.5, "llc_miss_share": 0.1,
		"llc_misses_per_packet": 1, "llc_misses": 178571.42857142858, "l1d_misses_per_packet": 60, "l1d_misses": 10714285.714285715,
		"branch_miss_share": 0.01, "context_switches_per_kpacket": 20, "migrations_per_second": 0.5,
		"page_faults_per_second": 20, "net_softirqs_per_kpacket": 100, "softirq_share": 0.21, "user_share": 0.25,
	}
	for i, v := range tr.counterValues() {
		if w := want[counterMetrics[i].key]; math.Abs(v.value-w) > 1e-9*w || v.na != "" {
			t.Errorf("%s = %v (%s), want %v", counterMetrics[i].key, v.value, v.na, w)
		}
	}
	if len(want) != len(counterMetrics) {
		t.Errorf("%d metrics, want %d", len(counterMetrics), len(want))
	}
	// Without a count there is no figure, and never a zero.
	tr.Relay.Perf = &measure.PerfCounters{Seconds: 1}
	for i, v := range tr.counterValues() {
		if !math.IsNaN(v.value) || v.na == "" {
			t.Errorf("%s of nothing is %v (%q)", counterMetrics[i].key, v.value, v.na)
		}
	}
}

// What was not counted is an empty cell, never 0.
func TestCountersInCSV(t *testing.T) {
	tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	tr.Relay.Perf = withoutPMU(perfOf(tr, 4000, 0.1))
	rows, err := csv.NewReader(bytes.NewReader(export(t, "csv", &Set{Environment: environment(), Trials: []*Trial{tr}}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"relay.perf.cycles.value": "", "relay.perf.cycles.na": noPMU,
		"relay.perf.migrations.value": "1", "relay.perf.migrations.source": "perf", "relay.perf.migrations.running_share": "1",
	} {
		i := slices.Index(rows[0], name)
		if i < 0 || rows[1][i] != want {
			t.Errorf("%s: column %d, want %q in it", name, i, want)
		}
	}
}
