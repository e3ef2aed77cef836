package results

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// build makes folders of a made-up relay.
type build struct {
	rng       *rand.Rand
	runs      int
	rates     []units.Rate
	noise     float64 // of delivered beyond the limit and of CPU cost, relative SD
	limit     float64 // Mbps that the relay carries
	cost      float64 // CPU-s/Gbit
	shift     float64 // of a whole folder against others, relative SD
	baseline  bool
	loss      float64 // share that it loses below its limit
	side      string  // of an interleaved sweep
	pairNoise []float64
}

func newBuild(seed uint64) build {
	return build{
		rng: rand.New(rand.NewPCG(seed, 3)), runs: 10, rates: []units.Rate{1 * units.Gbps, 5 * units.Gbps, 9 * units.Gbps},
		noise: 0.02, limit: 7000, cost: 0.1,
	}
}

func (b build) set(name string) *Set {
	s := &Set{Dir: "/out/" + name, Environment: environment(), Scenario: []byte("name: made_up\nruns: 10\n")}
	if b.side != "" {
		s.Environment.Interleaved = &Interleaved{ID: "one", Build: b.side}
	}
	shift := 1 + b.shift*b.rng.NormFloat64()
	configs := []Config{hd(1)}
	if b.baseline {
		configs = append(configs, derper())
	}
	for _, c := range configs {
		for _, rate := range b.rates {
			for run := 1; run <= b.runs; run++ {
				n := func() float64 { return shift * (1 + b.noise*b.rng.NormFloat64()) }
				limit, cost := b.limit, b.cost
				if c.Relay == RelayDerper { // which is the same for every build
					limit, cost = 7000, 0.1
				}
				if b.pairNoise != nil {
					shift = b.pairNoise[run-1]
				}
				delivered := min(rate.Mbps()*(1-b.loss)*(1+1e-4*b.rng.NormFloat64()), limit*n())
				latency := measure.Histogram{Count: 1000, P99NS: int64(5e5 * n())}
				s.Trials = append(s.Trials, trialWith(c, rate, run, delivered, cost*n(), latency))
			}
		}
	}
	return s
}

func compare(t *testing.T, base, next *Set) *Gate {
	t.Helper()
	g, err := Compare(base, next, DefaultFloors(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func found(g *Gate, v Verdict) []string {
	var of []string
	for _, c := range g.Changes {
		if c.Verdict == v {
			of = append(of, c.Of+" "+c.Point.Offered.String())
		}
	}
	slices.Sort(of)
	return of
}

func TestCompareFindsWhatChanged(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*build)
		outcome Outcome
		worse   []string
		better  []string
	}{
		{"nothing", func(*build) {}, NoRegression, nil, nil},
		{"dearer", func(b *build) { b.cost *= 1.1 }, Regression, []string{"CPU-s/Gbit 1Gbps", "CPU-s/Gbit 5Gbps", "CPU-s/Gbit 9Gbps"}, nil},
		{"cheaper", func(b *build) { b.cost *= 0.8 }, NoRegression, nil, []string{"CPU-s/Gbit 1Gbps", "CPU-s/Gbit 5Gbps", "CPU-s/Gbit 9Gbps"}},
		{"loses", func(b *build) { b.loss = 0.02 }, Regression, []string{"loss % 1Gbps", "loss % 5Gbps"}, nil},
		{"carries less", func(b *build) { b.limit *= 0.9 }, Regression, []string{"delivered Mbps 9Gbps"}, nil},
		{"dearer by less than the floor", func(b *build) { b.cost *= 1.03; b.noise = 0.002 }, NoRegression, nil, nil},
	} {
		base, next := newBuild(1), newBuild(2)
		c.change(&next)
		g := compare(t, base.set("base"), next.set("new"))
		if g.Outcome != c.outcome || !slices.Equal(found(g, IsRegression), c.worse) || !slices.Equal(found(g, IsImprovement), c.better) {
			t.Errorf("%s: %v, worse %v, better %v; want %v, %v, %v", c.name, g.Outcome, found(g, IsRegression), found(g, IsImprovement), c.outcome, c.worse, c.better)
		}
	}
}

// Of comparisons of a build with itself at most one in twenty may fail, in a row
// or in turn, also where whole sweeps differ by more than their runs do; and a
// relay that costs or carries 10 % less well must be caught.
func TestFalseAlarmsAndPowerOfTheGate(t *testing.T) {
	const reps = 300
	for _, c := range []struct {
		name         string
		shift, pairs float64
		slower       float64
		fails        func(int) bool
	}{
		{name: "A/A", fails: func(n int) bool { return n <= reps/20 }},
		{name: "A/A, sweeps shifted by 1 %", shift: 0.01, fails: func(n int) bool { return n <= reps/20 }},
		{name: "A/A in turn, hosts drift by 10 %", pairs: 0.1, fails: func(n int) bool { return n <= reps/20 }},
		{name: "10 % slower", slower: 0.1, fails: func(n int) bool { return n >= reps*19/20 }},
		{name: "10 % slower, in turn, hosts drift by 10 %", pairs: 0.1, slower: 0.1, fails: func(n int) bool { return n >= reps*19/20 }},
	} {
		regressed := 0
		for seed := range uint64(reps) {
			base, next := newBuild(2*seed), newBuild(2*seed+1)
			base.rates, next.rates = base.rates[1:], next.rates[1:]
			base.shift, next.shift = c.shift, c.shift
			next.cost, next.limit = next.cost*(1+c.slower), next.limit/(1+c.slower)
			if c.pairs > 0 {
				base.side, next.side = BuildBase, BuildNew
				for range base.runs {
					base.pairNoise = append(base.pairNoise, math.Exp(c.pairs*base.rng.NormFloat64()))
				}
				next.pairNoise = base.pairNoise
			}
			g := compare(t, base.set("base"), next.set("new"))
			if g.Outcome == Regression {
				regressed++
			} else if g.Outcome != NoRegression {
				t.Fatalf("%s: %v", c.name, g.Outcome)
			}
		}
		t.Logf("%s: %d of %d fail", c.name, regressed, reps)
		if !c.fails(regressed) {
			t.Errorf("%s: %d of %d comparisons fail", c.name, regressed, reps)
		}
	}
}

// Four runs are too few for ranks, not for seeing that a relay is a fifth dearer; and
// of comparisons of a build with itself at most one in twenty may fail, whatever its
// noise is like.
func TestFewRunsAreJudged(t *testing.T) {
	const reps = 300
	for _, c := range []struct {
		name   string
		runs   int
		pairs  bool
		slower float64
		modes  float64 // by how much half of the runs are better, by chance
		fails  func(int) bool
	}{
		{name: "A/A, 4 runs", runs: 4, fails: func(n int) bool { return n <= reps/20 }},
		{name: "A/A, 6 pairs", runs: 6, pairs: true, fails: func(n int) bool { return n <= reps/20 }},
		{name: "A/A, 4 runs, two modes", runs: 4, modes: 0.5, fails: func(n int) bool { return n <= reps/20 }},
		{name: "20 % slower, 4 runs", runs: 4, slower: 0.2, fails: func(n int) bool { return n >= reps*19/20 }},
		{name: "20 % slower, 6 pairs", runs: 6, pairs: true, slower: 0.2, fails: func(n int) bool { return n >= reps*19/20 }},
	} {
		regressed := 0
		for seed := range uint64(reps) {
			base, next := newBuild(2*seed), newBuild(2*seed+1)
			base.runs, next.runs = c.runs, c.runs
			next.cost, next.limit = next.cost*(1+c.slower), next.limit/(1+c.slower)
			if c.pairs {
				base.side, next.side = BuildBase, BuildNew
			}
			b, n := base.set("base"), next.set("new")
			for _, tr := range slices.Concat(b.Trials, n.Trials) {
				if c.modes > 0 && tr.Point.Offered == 9*units.Gbps && base.rng.IntN(2) == 0 {
					tr.Load.DeliveredBps *= 1 + c.modes
				}
			}
			g := compare(t, b, n)
			if g.Outcome == Regression {
				regressed++
			} else if g.Outcome != NoRegression {
				t.Fatalf("%s: %v", c.name, g.Outcome)
			}
			if g.Judged != 3 {
				t.Fatalf("%s: %d of %d points judged", c.name, g.Judged, g.Points)
			}
		}
		t.Logf("%s: %d of %d fail", c.name, regressed, reps)
		if !c.fails(regressed) {
			t.Errorf("%s: %d of %d comparisons fail", c.name, regressed, reps)
		}
	}
}

func TestFoldersThatAreNotComparable(t *testing.T) {
	for want, change := range map[string]func(*Set){
		"relay, CPU model: Some CPU, Other": func(s *Set) { s.Environment.Hosts[0].Host.CPUModel = "Other" },
		"client, kernel: 6.12.1 amd64, 6.1": func(s *Set) { s.Environment.Hosts[1].Host.Kernel = "6.1" },
		"relay, CPUs given: 0-1, 0":         func(s *Set) { s.Environment.Hosts[0].CPUs = "0" },
		"TS baseline: 1.102.5, 1.96.4":      func(s *Set) { s.Environment.Relays[0].Version = "1.96.4" },
		"scenario, measure: not given, 1s":  func(s *Set) { s.Scenario = []byte("name: made_up\nmeasure: 1s\nruns: 3\n") },
		"scenario, load: not given, {rate: [1Gbps], pairs: 3}": func(s *Set) {
			s.Scenario = []byte("name: made_up\nload: {rate: [1Gbps], pairs: 3}\n")
		},
		"hosts: 2 agents, 1 agent": func(s *Set) { s.Environment.Hosts = s.Environment.Hosts[:1] },
		"seed: 7, 8": func(s *Set) {
			s.Environment.Seed = 8
			s.Trials[0].Point.Workers = 2
		},
	} {
		base, next := newBuild(1).set("base"), newBuild(2).set("new")
		next.Environment.Hosts = slices.Clone(next.Environment.Hosts)
		change(next)
		g := compare(t, base, next)
		if g.Outcome != NotComparable || !slices.ContainsFunc(g.Differences, func(d string) bool { return strings.HasPrefix(d, want) || d == want }) {
			// keys of a mapping have no order
			if !strings.Contains(want, "pairs: 3") || !strings.Contains(strings.Join(g.Differences, ""), "scenario, load") {
				t.Errorf("want %q, have %v %q", want, g.Outcome, g.Differences)
			}
		}
	}
	// Another build on the same hosts, of another day, is what compare is for.
	base, next := newBuild(1).set("base"), newBuild(2).set("new")
	next.Environment.Hdbench, next.Environment.Seed, next.Scenario = "v0.2", 99, []byte("runs: 20\nname: made_up\nresolved: {seed: 99}\n")
	if g := compare(t, base, next); g.Outcome != NoRegression || len(g.Notes) != 1 {
		t.Errorf("%v %v %v", g.Outcome, g.Differences, g.Notes)
	}
}

func TestTooFewTrialsToSay(t *testing.T) {
	few := func(seed uint64, runs int) *Set {
		b := newBuild(seed)
		b.runs = runs
		return b.set("few")
	}
	if g := compare(t, few(1, 3), few(2, 3)); g.Outcome != TooFew || g.Need < 4 || g.Need > 8 {
		t.Errorf("three runs: %v, %d needed", g.Outcome, g.Need)
	}
	if g := compare(t, few(1, 10), few(2, 10)); g.Outcome != NoRegression || g.Need != 0 {
		t.Errorf("ten runs: %v, %d needed", g.Outcome, g.Need)
	}
	// With as many as it asks for it can say.
	need := compare(t, few(1, 3), few(2, 3)).Need
	if g := compare(t, few(1, need), few(2, need)); g.Outcome != NoRegression {
		t.Errorf("%d runs, as asked for: %v, %d needed", need, g.Outcome, g.Need)
	}
	// A build that no longer does what it did must not pass.
	broken := few(2, 10)
	for _, tr := range broken.Trials {
		if tr.Point.Offered == 5*units.Gbps {
			tr.Load, tr.Relay, tr.Error = nil, nil, "the relay died"
		}
	}
	g := compare(t, few(1, 10), broken)
	if g.Outcome != TooFew || len(g.Missing) != 1 || !strings.Contains(g.Missing[0], "10 valid runs in base, 0 in new (failed: the relay died)") {
		t.Errorf("a relay that dies: %v, %q", g.Outcome, g.Missing)
	}
	// Nothing in common, nothing at all.
	if g := compare(t, few(1, 10), few(2, 0)); g.Outcome != TooFew {
		t.Errorf("an empty folder: %v", g.Outcome)
	}
}

// Where rates are found anew each time, no point is in common, and ceilings are
// what is left to compare.
func TestCeilingsAtOtherRates(t *testing.T) {
	base, next := newBuild(1), newBuild(2)
	base.rates, next.rates = []units.Rate{9 * units.Gbps}, []units.Rate{8 * units.Gbps}
	next.limit *= 0.9
	g := compare(t, base.set("base"), next.set("new"))
	if got := found(g, IsRegression); g.Outcome != Regression || !slices.Equal(got, []string{"ceiling Mbps 9Gbps"}) {
		t.Errorf("%v: %v", g.Outcome, got)
	}
	next = newBuild(2)
	next.rates = []units.Rate{6 * units.Gbps} // all of it delivered: its ceiling is a lower bound
	g = compare(t, base.set("base"), next.set("new"))
	if g.Outcome != TooFew || len(g.Unjudged) != 1 || !strings.Contains(g.Unjudged[0], "not brought to its limit") {
		t.Errorf("%v: %v", g.Outcome, g.Unjudged)
	}
}

// A point counts as judged when one of its metrics was. The baseline's do not, nor
// does a ceiling, which is of two points.
func TestPointsThatWereJudged(t *testing.T) {
	base, next := newBuild(1), newBuild(2)
	base.baseline, next.baseline = true, true
	whole, thin := base.set("base"), next.set("new")
	thin.Trials = slices.DeleteFunc(thin.Trials, func(tr *Trial) bool { return tr.Point.Offered == 5*units.Gbps && tr.Run > 1 })
	g := compare(t, whole, thin)
	if g.Points != 3 || g.Judged != 2 {
		t.Errorf("%d of %d points judged, want 2 of 3", g.Judged, g.Points)
	}
	var j gateJSON
	var b strings.Builder
	if err := g.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &j); err != nil {
		t.Fatal(err)
	}
	if j.Judged != 2 || j.Base.Points != 3 || j.New.Points != 3 {
		t.Errorf("as JSON: %d judged, %d and %d points; want 2, 3 and 3", j.Judged, j.Base.Points, j.New.Points)
	}
	base, next = newBuild(1), newBuild(2)
	base.rates, next.rates = []units.Rate{9 * units.Gbps}, []units.Rate{8 * units.Gbps}
	if g := compare(t, base.set("base"), next.set("new")); g.Judged != 0 || len(g.Changes) == 0 {
		t.Errorf("ceilings at other rates: %d points judged, want 0; %d changes", g.Judged, len(g.Changes))
	}
}

func TestFloorsFromAA(t *testing.T) {
	var sets []*Set
	for seed := range uint64(4) {
		b := newBuild(seed)
		b.shift, b.noise = 0.1, 0.01 // sweeps differ by more than the built-in floor
		sets = append(sets, b.set("aa"))
	}
	floors, err := MeasuredFloors(sets)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Floor{}
	for _, f := range floors {
		by[f.Metric] = f
	}
	if f := by["cpu"]; f.Value < 0.06 || f.Value > 0.6 || f.From != "A/A: largest of 18 moves between 4 folders" {
		t.Errorf("%+v", f)
	}
	base, next := newBuild(9), newBuild(10)
	next.cost *= 1.06
	if g := compare(t, base.set("base"), next.set("new")); g.Outcome != Regression {
		t.Errorf("built-in floors: %v", g.Outcome)
	}
	if g, err := Compare(base.set("base"), next.set("new"), floors, nil); err != nil || g.Outcome != NoRegression {
		t.Errorf("floors of hosts that move by more: %v, %v", g.Outcome, err)
	}
	if _, err := MeasuredFloors(sets[:1]); err == nil {
		t.Error("floors from one folder")
	}
}

func TestTheBaselineIsAControl(t *testing.T) {
	base, next := newBuild(1), newBuild(2)
	base.baseline, next.baseline = true, true
	b, n := base.set("base"), next.set("new")
	for _, tr := range n.Trials {
		if tr.Point.Relay == RelayDerper {
			tr.Relay.CPUSeconds *= 1.3
		}
	}
	g := compare(t, b, n)
	if g.Outcome != NoRegression || len(g.Notes) != 1 || !strings.Contains(g.Notes[0], "The TS baseline itself changed: CPU-s/Gbit of derper") {
		t.Errorf("%v: %q", g.Outcome, g.Notes)
	}
}

// What the baseline does too is the hosts' doing; what it does not, or does the other
// way, is not.
func TestChangesThatTheBaselineMadeToo(t *testing.T) {
	for _, c := range []struct {
		name          string
		relay, derper float64 // times the CPU cost of base
		want          Outcome
		moves, as     int
		said          bool
	}{
		{"both dearer", 1.12, 1.3, NoRegression, 1, 3, true},
		{"both dearer by much", 1.3, 1.4, Regression, 1, 0, true},
		{"dearer by more than the baseline", 1.3, 1.1, Regression, 1, 0, true},
		{"dearer where the baseline is cheaper", 1.2, 0.7, Regression, 1, 0, true},
		{"dearer where the baseline is as before", 1.2, 1, Regression, 0, 0, false},
	} {
		base, next := newBuild(1), newBuild(2)
		base.baseline, next.baseline = true, true
		b, n := base.set("base"), next.set("new")
		for _, tr := range n.Trials {
			if tr.Point.Relay == RelayDerper {
				tr.Relay.CPUSeconds *= c.derper
			} else {
				tr.Relay.CPUSeconds *= c.relay
			}
		}
		g := compare(t, b, n)
		if g.Outcome != c.want || len(g.Moves) != c.moves || len(found(g, IsBaselines)) != c.as {
			t.Errorf("%s: %v, moves %v, as the baseline %v", c.name, g.Outcome, g.Moves, found(g, IsBaselines))
		}
		if said := strings.Contains(strings.Join(g.after(), "\n"), "is not called a regression (4 floors at most): cpu"); said != c.said {
			t.Errorf("%s: %q", c.name, g.after())
		}
	}
}

func TestCompareGoldens(t *testing.T) {
	base, next := newBuild(1), newBuild(2)
	base.baseline, next.baseline = true, true
	next.cost, next.limit = next.cost*1.12, next.limit*0.9
	g := compare(t, base.set("base"), next.set("new"))
	for f, name := range map[Format]string{Terminal: "compare.txt", Markdown: "compare.md"} {
		var b bytes.Buffer
		if err := g.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(line); f == Terminal && n > 81 {
				t.Errorf("a line of %d columns:\n%s", n, line)
			}
		}
	}
	var b bytes.Buffer
	if err := g.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back struct {
		ExitCode int `json:"exit_code"`
		Changes  []struct {
			Of      string
			Verdict string
			Change  float64
		}
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.ExitCode != 1 || len(back.Changes) != len(g.Changes) || back.Changes[0].Verdict != "regression" {
		t.Errorf("%+v, %v", back, err)
	}
}
