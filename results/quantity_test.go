package results

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// One quantity that is spoiled does not throw away the others.
func TestValidityIsPerQuantity(t *testing.T) {
	carried := func() *Trial { return trial(hd(1), units.Gbps, 1, 1000, 0.3) }
	for name, c := range map[string]struct {
		make   func() *Trial
		change func(*Trial)
		want   Quantity
	}{
		"nothing":                       {carried, func(*Trial) {}, 0},
		"late ticks":                    {carried, func(t *Trial) { t.Load.Pacing.P99NS = int64(5 * time.Millisecond) }, Latency},
		"latency that is the client's":  {carried, func(t *Trial) { t.Load.Strain.ReceiveLag = measure.Histogram{Count: 9, P99NS: 500_000} }, Latency},
		"flows that were not drained":   {carried, func(t *Trial) { t.Load.Undrained = 1 }, Throughput},
		"stolen time, and carried":      {carried, func(t *Trial) { t.Steal = stolen }, Latency | Cost},
		"stolen time, and not carried":  {func() *Trial { return starved(1) }, func(t *Trial) { t.Steal = stolen }, everything},
		"the client held the rest back": {func() *Trial { return starved(1) }, func(t *Trial) { t.Load.Strain.QueueWaiting = 80 }, Throughput | Latency},
		"counts that do not agree":      {carried, func(t *Trial) { t.Relay.Counters.Received-- }, everything},
	} {
		tr := c.make()
		c.change(tr)
		tr.Validity = Judge(tr)
		if got := tr.Spoiled(); got != c.want {
			t.Errorf("%s spoils %s, want %s: %+v", name, got, c.want, tr.Validity)
		}
	}
}

var stolen = []measure.Steal{{Role: "relay", CPUs: "0-1", Seconds: 1, Window: 2}}

// What a client held back counts as a lower bound, so that the runs that count are not
// only those that went well.
func TestWhatAClientHeldBackIsALowerBound(t *testing.T) {
	var ts []*Trial
	for run := 1; run <= 4; run++ {
		ts = append(ts, clientLimited(trial(hd(2), 9*units.Gbps, run, 8000, 0.06)))
	}
	points, err := Points(ts)
	if err != nil {
		t.Fatal(err)
	}
	p := points[0]
	if p.Valid != 4 || p.Bounds != 4 || !p.AtLeast() || p.LatencyRuns != 0 || p.CostRuns != 4 {
		t.Errorf("%+v", p)
	}
	if c := Ceilings(points)[0]; !c.AtLeast || c.value() != "≥ 8000" {
		t.Errorf("%+v", c)
	}
}

// A gate judges each metric by the trials that can be trusted with it.
func TestTheGateJudgesPerQuantity(t *testing.T) {
	sides := func(change func(*Trial)) (base, fresh *Set) {
		base, fresh = &Set{Environment: environment()}, &Set{Environment: environment()}
		for run := 1; run <= 8; run++ {
			e := float64(run%3) * 3
			base.Trials = append(base.Trials, trial(hd(1), units.Gbps, run, 1000-e/10, 0.30+e/1000))
			x := trial(hd(1), units.Gbps, run, 1000-e/10, 0.60+e/1000)
			change(x)
			fresh.Trials = append(fresh.Trials, x)
		}
		return base, fresh
	}
	verdict := func(g *Gate, metric string) Verdict {
		i := slices.IndexFunc(g.Changes, func(c Change) bool { return c.Metric.Name == metric })
		if i < 0 {
			return ""
		}
		return g.Changes[i].Verdict
	}
	late := func(t *Trial) {
		t.Load.Pacing.P99NS = int64(5 * time.Millisecond)
		t.Load.Latency.P99NS *= 9
		t.Validity = Judge(t)
	}
	base, fresh := sides(late)
	g, err := Compare(base, fresh, DefaultFloors(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Outcome != Regression || verdict(g, "cpu") != IsRegression {
		t.Errorf("a client that was late hides what the relay's CPU time became: %v, %+v", g.Outcome, g.Changes)
	}
	if v := verdict(g, "p99"); v != "" {
		t.Errorf("its latency is judged all the same: %s", v)
	}
	// Lower bounds judge no throughput.
	base, fresh = sides(func(x *Trial) {
		*x = *clientLimited(trial(hd(1), units.Gbps, x.Run, 700, 0.30))
	})
	if g, err = Compare(base, fresh, DefaultFloors(), []string{"delivered"}); err != nil {
		t.Fatal(err)
	}
	if g.Outcome != TooFew || len(g.Changes) > 0 {
		t.Errorf("%v of %+v", g.Outcome, g.Changes)
	}
}

// A row for each relay and cause, whole, with what it spoils and what mends it.
func TestValidityTableSaysWhoseAndWhatForAndWhatMends(t *testing.T) {
	set := sampleSet()
	for i, x := range set.Trials {
		if x.OK() && x.Point.IsBaseline() && i%2 == 0 {
			x.Load.Pacing.P99NS = int64(3 * time.Millisecond)
			x.Validity = Judge(x)
		}
	}
	table := ValidityTable(set.Trials)
	var rows []string
	for _, r := range table.Rows {
		rows = append(rows, strings.Join(r[:4], "|"))
	}
	want := []string{"hd tcp|client-limited (c)|4|throughput, latency", "hd tcp|failed|1|all", "derper tcp|pacing-late (p)|", "hd ktls|not measurable here|1|all"}
	for _, w := range want {
		if !slices.ContainsFunc(rows, func(r string) bool { return strings.HasPrefix(r, w) }) {
			t.Errorf("no %q in %q", w, rows)
		}
	}
	for _, r := range table.Rows {
		if r[4] == "" {
			t.Errorf("no remedy: %q", r)
		}
	}
	var b bytes.Buffer
	if err := table.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "…") {
		t.Errorf("something is cut:\n%s", b.String())
	}
}

// One load run by hand says what waited for whom, and how far to trust it.
func TestALoadByHandSaysHowFarToTrustIt(t *testing.T) {
	x := clientLimited(trial(hd(2), 9*units.Gbps, 1, 8000, 0.06))
	x.Load.Strain.SendLag, x.Load.UnsentPackets = measure.Histogram{Count: 9, P99NS: 40_000}, 10
	var names []string
	for _, r := range LoadTable("a load", x.Load).Rows {
		names = append(names, r[0])
	}
	for _, want := range []string{"client's share", "sockets full", "client's to send", "data waiting"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %q", want, names)
		}
	}
	if s := LoadTrust(x.Load, ""); !strings.Contains(s, "client-limited") || strings.Contains(s, "--cpus of either") {
		t.Error(s)
	}
	carried := trial(hd(1), units.Gbps, 1, 1000, 0.3).Load
	if s := LoadTrust(carried, "0-1"); !strings.HasPrefix(s, "every number is trusted") {
		t.Error(s)
	}
	if s := LoadTrust(carried, "0-3"); !strings.Contains(s, "CPU 2: use --cpus of either") {
		t.Error(s)
	}
}
