package scenarios

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/units"
	"hdbench/results"
)

const minimal = `
name: x
measure: 1s
load:
  rate: 1Gbps
relays:
  - relay: hd
`

func TestEmbeddedScenariosParse(t *testing.T) {
	for _, want := range []string{"smoke", "quick", "haswell", "peers", "bursts", "soak", "transports", "records", "lab", "nightly", "latency"} {
		s, err := Load(want)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if s.Name != want || s.About == "" {
			t.Errorf("%s: name %q, about %q", want, s.Name, s.About)
		}
	}
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Plan(); err != nil {
			t.Errorf("plan of %s: %v", name, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	s, err := Parse("x.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	cs := s.configurations(func(string) []int { return []int{1, 4} })
	if len(cs) != 2 || cs[0].Transport != "tcp" || cs[1].Workers != 4 {
		t.Fatalf("%+v", cs)
	}
	if l := cs[0].Load; l.Pattern != "pairs" || l.Pairs != 10 || l.PayloadBytes != 1400 || l.Burst != "tick" || l.TickNS != 100_000 {
		t.Errorf("load %+v", l)
	}
	if s.Runs != fixedRuns(1) || s.Warmup != 500*time.Millisecond || s.Drain != 2*time.Second {
		t.Errorf("%+v", s)
	}
}

// Every mistake is named with file, line and what is allowed, all of them at once.
func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"typo", strings.Replace(minimal, "measure", "meassure", 1), `x.yaml:3: scenario: unknown key "meassure" (did you mean "measure"?); allowed here: about, compare-at`},
		{"wrong unit", strings.Replace(minimal, "1Gbps", "1GB", 1), `x.yaml:5: load.rate: rate "1GB"`},
		{"no unit", strings.Replace(minimal, "1s", "5", 1), `x.yaml:3: measure: "5": want a duration with its unit`},
		{"twice", minimal + "name: y\n", `x.yaml:8: scenario: key "name" is given twice (first on line 2)`},
		{"listed twice", strings.Replace(minimal, "1Gbps", "[1Gbps, 1000Mbps]", 1), `listed twice`},
		{"empty list", strings.Replace(minimal, "1Gbps", "[]", 1), `the list is empty`},
		{"a list where one is wanted", strings.Replace(minimal, "x\n", "[x]\n", 1), `want one value, have a list`},
		{"keys where one is wanted", strings.Replace(minimal, "rate: 1Gbps", "rate: {a: b}", 1), `want one value, have keys and values`},
		{"relays no list", strings.Replace(minimal, "\n  - relay: hd", " hd", 1), `x.yaml:6: relays: want a list`},
		{"no rate", strings.Replace(minimal, "rate: 1Gbps", "pairs: 3", 1), `load.rate is missing`},
		{"no relays", minimal[:strings.Index(minimal, "relays")], `relays is missing`},
		{"no measure", strings.Replace(minimal, "measure: 1s\n", "", 1), `measure is missing`},
		{"no name", strings.Replace(minimal, "name: x\n", "", 1), `name is missing`},
		{"bad name", strings.Replace(minimal, "x\n", "a/b\n", 1), `want letters, digits`},
		{"workers 0", minimal + "    workers: 0\n", `x.yaml:8: workers: "0": want a whole number from 1 to 256`},
		{"unknown transport", minimal + "    transport: udp\n", `want one of [tcp tls ktls]`},
		{"unknown policy", minimal + "    on-full: wait\n", `want one of [pause drop-head drop-tail]`},
		{"hd with a command", minimal + "    command: x {addr}\n", `hd takes neither command nor version`},
		{"a stranger without a command", strings.Replace(minimal, "hd", "mine", 1), `"mine" is neither hd nor derper: it needs a command`},
		{"a stranger with a version", strings.Replace(minimal, "hd", "mine\n    version: 2\n    command: x {addr}", 1), `version chooses a derper`},
		{"a stranger with hd's settings", strings.Replace(minimal, "hd", "derper\n    moderation: 1ms", 1), `are settings of hd, not of derper`},
		{"unknown placeholder", strings.Replace(minimal, "hd", "mine\n    command: x {addr} {nodes}", 1), `unknown placeholder`},
		{"none is reserved", strings.Replace(minimal, "hd", "none", 1), `calibration`},
		{"percent of nothing", strings.Replace(minimal, "1Gbps", "0%", 1), `want 1% to 1000%`},
		{"payload too small", strings.Replace(minimal, "rate", "payload: 10B\n  rate", 1), `want 40B to 64KiB`},
		{"max is no place to compare", "compare-at: max\n" + minimal, `max is no rate to compare at`},
		{"no YAML", "name: [", `x.yaml: yaml`},
		{"empty", "", `the file is empty`},
		{"no mapping", "- a\n", `want keys and values`},
		{"runs without a bound", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 3, until_ci: 2%}", 1), `x.yaml:4: runs: want min, max and until_ci`},
		{"one run has no interval", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 1, max: 4, until_ci: 2%}", 1), `x.yaml:4: runs.min: "1": want a whole number from 2`},
		{"max below min", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 4, max: 4, until_ci: 2%}", 1), `x.yaml:4: runs: max is 4, want more than min, which is 4`},
		{"until_ci without a unit", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 3, max: 4, until_ci: 2}", 1), `x.yaml:4: runs.until_ci: "2": want 0.01% to 50%`},
		{"until_ci and until_ceiling", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 3, max: 4, until_ci: 2%, until_ceiling: 40%}", 1), `x.yaml:4: runs: want until_ci or until_ceiling, not both`},
		{"until-ci", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: {min: 3, max: 4, until-ci: 2%}", 1), `x.yaml:4: runs: unknown key "until-ci" (did you mean "until_ci"?)`},
		{"runs are a list", strings.Replace(minimal, "measure: 1s", "measure: 1s\nruns: [1, 2]", 1), `x.yaml:4: runs: want one value, have a list`},
		{"neither rate nor search", strings.Replace(minimal, "rate: 1Gbps", "pairs: 3", 1), `or else load.search: ndr-pdr`},
		{"a search by another name", strings.Replace(minimal, "rate: 1Gbps", "search: fast", 1), `x.yaml:5: load.search: "fast": want ndr-pdr, or keys`},
		{"a goal that is none", strings.Replace(minimal, "rate: 1Gbps", "search: {goals: [ndr, 1]}", 1), `x.yaml:5: load.search.goals: "1": want 0% to 99% of loss, or ndr (0%), or pdr (0.5%)`},
		{"one goal twice", strings.Replace(minimal, "rate: 1Gbps", "search: {goals: [pdr, 0.5%]}", 1), `load.search.goals: 0.5% is listed twice`},
		{"no width", strings.Replace(minimal, "rate: 1Gbps", "search: {width: 0%}", 1), `load.search.width: "0%": want 0.1% to 50%`},
		{"a typo in a search", strings.Replace(minimal, "rate: 1Gbps", "search: {intial: 1s}", 1), `load.search: unknown key "intial" (did you mean "initial"?)`},
		{"durations in disorder", strings.Replace(minimal, "rate: 1Gbps", "search: {final: 5s}", 1), `initial 200ms, final 5s, duration-sum 3s: want each no longer than the next`},
		{"an empty range", strings.Replace(minimal, "rate: 1Gbps", "search: {min: 5Gbps, max: 1Gbps}", 1), `min 5Gbps, max 1Gbps: want a range`},
		{"no end of a range", strings.Replace(minimal, "rate: 1Gbps", "search: {max: max}", 1), `is no rate to search from or to`},
		{"half resolved", minimal + "resolved: {seed: 3}\n", `seed, both CPU lists and configurations must be given`},
	} {
		_, err := Parse("x.yaml", []byte(c.yaml))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant %s", c.name, err, c.want)
		}
	}
	// What was refused is not missing, too.
	_, err := Parse("x.yaml", []byte("name: a/b\nmeasure: 1\nload: {rate: 1Gb}\nrelays: [{relay: c/d}]\n"))
	if err == nil || strings.Count(err.Error(), "x.yaml:") != 4 || strings.Contains(err.Error(), "missing") {
		t.Errorf("four values that are refused: %v", err)
	}
	_, err = Parse("x.yaml", []byte("nmae: x\nload: {rate: 5}\nrelays: [{relay: hd, wrkers: 1}]\n"))
	if err == nil || strings.Count(err.Error(), "x.yaml:") < 4 {
		t.Errorf("not everything is reported at once: %v", err)
	}
}

// The resolved part is read by the rules of the rest of the file: what is refused
// as an axis is refused there, and so is what no sweep could have written.
func TestMistakesInTheResolvedPartAreNamed(t *testing.T) {
	const good = "relay: hd, transport: tcp, workers: 1, on-full: pause, queue-bytes: 1MiB, pattern: pairs, pairs: 4, payload: 1400B, burst: tick, tick: 100us, rates: [1Gbps]"
	resolved := func(configurations ...string) string {
		return minimal + "resolved:\n  seed: 3\n  cpus: {relay: \"0\", client: \"1\"}\n  configurations:\n    - {" + strings.Join(configurations, "}\n    - {") + "}\n"
	}
	if _, err := Parse("x.yaml", []byte(resolved(good))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ is, not, want string }{
		{"pattern: pairs", "pattern: zigzag", `x.yaml:12: pattern: `},
		{"pairs: 4", "pairs: 400000000", `x.yaml:12: pairs: "400000000": want a whole number from 1 to`},
		{"payload: 1400B", "payload: 9999999B", `x.yaml:12: payload: "9999999B": want 40B to 64KiB`},
		{"burst: tick", "burst: seven", `x.yaml:12: burst: `},
		{"tick: 100us", "tick: 900h", `x.yaml:12: tick: "900h": want 10µs to 1s`},
		{"queue-bytes: 1MiB", "queue-bytes: 1B", `x.yaml:12: queue-bytes: "1B": want `},
		{"transport: tcp", "transport: udp", `want one of [tcp tls ktls]`},
		{"workers: 1", "workers: 0", `x.yaml:12: workers: "0": want a whole number from 1`},
		{"relay: hd", "relay: none", `calibration`},
		{"relay: hd", "relay: mine", `"mine" is neither hd nor derper: it needs a command`},
		{"relay: hd", "relay: derper", `are settings of hd, not of derper`},
		{"relay: hd", "relay: hd, version: 1.2.3", `hd takes neither command nor version`},
		{"pairs: 4, ", "", `x.yaml:12: configuration: relay, transport, workers, pattern, pairs, payload, burst and tick must be given`},
		{"[1Gbps]", "[50%]", `x.yaml:12: rates: rate "50%"`},
		{", rates: [1Gbps]", "", `x.yaml:12: configuration: rates are missing`},
	} {
		bad := strings.Replace(good, c.is, c.not, 1)
		_, err := Parse("x.yaml", []byte(resolved(bad)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant %s", c.not, err, c.want)
		}
	}
	if _, err := Parse("x.yaml", []byte(resolved(good, good))); err == nil || !strings.Contains(err.Error(), "x.yaml:13: configuration: it is listed twice (first on line 12)") {
		t.Errorf("twice: %v", err)
	}
}

func TestLoadByNameOrFile(t *testing.T) {
	if _, err := Load("quik"); err == nil || !strings.Contains(err.Error(), "embedded: ") {
		t.Errorf("no such scenario: %v", err)
	}
	if _, err := Load("./no-such-file.yaml"); err == nil {
		t.Error("no such file")
	}
	if _, err := Source("quik"); err == nil {
		t.Error("source of no such scenario")
	}
}

// What Marshal writes, Parse reads as the same, resolved or not.
func TestScenarioReadsBack(t *testing.T) {
	full := `
name: full
about: everything
warmup: 1s
measure: 2s
drain: 3s
runs: 4
seed: 5
compare-at: 1Gbps
cpus: {relay: "0-1", client: "2"}
load:
  pattern: [pairs, fan-in]
  pairs: [1, 2]
  payload: [100B, 1400B]
  burst: [1, tick, 64KiB]
  tick: [100us, 1ms]
  rtt: true
  congestion: reno
  rate: [auto, 50%, 2.5Gbps, max]
  search: {goals: [0.1%, ndr, 3.3333333%], width: 0.1%, min: 1.0000001Gbps, max: auto, exceed-ratio: 0%, shortfall: 2%}
relays:
  - relay: hd
    transport: [tcp, ktls]
    workers: [1, 2]
    on-full: [pause, drop-tail]
    moderation: [0s, 200us]
    queue-packets: 7
    queue-bytes: 1MiB
    socket-buffer: [128KiB, system]
    congestion: cubic
  - relay: derper
    version: 1.96.4
  - relay: mine
    command: "/opt/my relay --addr {addr}"
`
	s, err := Parse("full.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		b, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		c, err := again.Marshal()
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("reads back as another: %v\n%s\n%s", err, b, c)
		}
		if s.Resolved != nil && !slices.EqualFunc(s.Resolved.Configurations, again.Resolved.Configurations, func(a, b Configuration) bool {
			return a.Config == b.Config && slices.Equal(a.Rates, b.Rates) && a.SearchMax == b.SearchMax
		}) {
			t.Fatalf("configurations differ:\n%s", b)
		}
	}
	check()
	s.Runs = Runs{Min: 3, Max: 10, UntilCI: 0.025}
	check()
	if b, err := s.Marshal(); err != nil || !strings.Contains(string(b), "runs: {min: 3, max: 10, until_ci: 2.5%}") {
		t.Errorf("%v\n%s", err, b)
	}
	s.Runs = Runs{Min: 3, Max: 10, UntilCI: 0.123456789} // read back as it was written
	check()
	s.Runs = Runs{Min: 4, Max: 12, UntilCeiling: 0.4}
	check()
	if b, err := s.Marshal(); err != nil || !strings.Contains(string(b), "runs: {min: 4, max: 12, until_ceiling: 40%}") {
		t.Errorf("%v\n%s", err, b)
	}
	s.Resolved = &Resolved{Seed: 9, CPUs: CPUs{"0", "1"}, Configurations: s.configurations(func(string) []int { return []int{3} })}
	for i := range s.Resolved.Configurations {
		s.Resolved.Configurations[i].add(units.Gbps, 2500*units.Mbps, units.Max)
		s.Resolved.Configurations[i].SearchMax = threeDigitsBelow(12_345_678_901)
	}
	if n, want := len(s.Resolved.Configurations), 2*2*2*3*2*(2*2*2*2*2+1+1); n != want {
		t.Errorf("%d configurations, want %d", n, want)
	}
	check()
}

func TestOrderIsSeededAndInRounds(t *testing.T) {
	s, err := Parse("x.yaml", []byte(strings.Replace(minimal, "1Gbps", "[1Gbps, 2Gbps, 3Gbps, 4Gbps, 5Gbps]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	r := &Resolved{Seed: 3, Configurations: s.configurations(func(string) []int { return []int{1, 2} })}
	for i := range r.Configurations {
		for g := 1; g <= 5; g++ {
			r.Configurations[i].add(units.Rate(g) * units.Gbps)
		}
	}
	a, b := r.trials(3), r.trials(3)
	if len(a) != 30 || !slices.Equal(a, b) {
		t.Fatalf("%d trials, the same seed gives the same order: %v", len(a), slices.Equal(a, b))
	}
	ids := map[string]bool{}
	for i, p := range a {
		if p.Order != i+1 || p.Run != i/10+1 {
			t.Errorf("trial %d has order %d, run %d", i, p.Order, p.Run)
		}
		ids[p.ID] = true
	}
	if len(ids) != 30 {
		t.Errorf("%d different ids", len(ids))
	}
	r.Seed = 4
	if slices.Equal(a, r.trials(3)) {
		t.Error("another seed gives the same order")
	}
}

func TestSplitCPUs(t *testing.T) {
	cores := func(n int) []cpu.Set {
		var c []cpu.Set
		for i := range n {
			c = append(c, cpu.Of(i))
		}
		return c
	}
	smt := []cpu.Set{cpu.Of(0, 4), cpu.Of(1, 5), cpu.Of(2, 6), cpu.Of(3, 7)}
	for _, c := range []struct {
		cores         []cpu.Set
		relay, client string
	}{{cores(1), "0", "0"}, {cores(2), "0", "1"}, {cores(3), "0", "1-2"}, {cores(8), "0-3", "4-7"}, {smt, "0-1,4-5", "2-3,6-7"}} {
		s, err := fitCPUs(CPUs{}, c.cores)
		if err != nil || s.Relay.String() != c.relay || s.Client.String() != c.client {
			t.Errorf("%v: relay %v, client %v, %v", c.cores, s.Relay, s.Client, err)
		}
	}
	s, err := fitCPUs(CPUs{Relay: "0-2"}, cores(4))
	if err != nil || s.Client.String() != "3" {
		t.Errorf("the client takes what is left: %v, %v", s.Client, err)
	}
	s, err = fitCPUs(CPUs{Client: "1"}, cores(4))
	if err != nil || s.Relay.String() != "0,2-3" {
		t.Errorf("the relay takes what is left: %v, %v", s.Relay, err)
	}
	if _, err := fitCPUs(CPUs{Relay: "9"}, cores(2)); err == nil {
		t.Error("a CPU that is not there")
	}
	for n, want := range map[int][]int{1: {1}, 2: {1, 2}, 3: {1, 3}, 4: {1, 2, 4}, 16: {1, 8, 16}} {
		if got := autoWorkers(results.RelayHD, n); !slices.Equal(got, want) {
			t.Errorf("workers for %d CPUs: %v, want %v", n, got, want)
		}
	}
	if got := autoWorkers(results.RelayDerper, 8); !slices.Equal(got, []int{8}) {
		t.Errorf("derper for 8 CPUs: %v", got)
	}
}

func TestExternal(t *testing.T) {
	s, err := Load("smoke")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddExternal("mine=/opt/x --addr {addr}"); err != nil {
		t.Fatal(err)
	}
	if got := s.externalCommand("mine"); got != "/opt/x --addr {addr}" {
		t.Errorf("command %q", got)
	}
	for _, bad := range []string{"mine", "mine=x {addr}", "hd=x {addr}", "a b=x {addr}", "y=", "y=x", "y=x {addr} {foo}", `y="x {addr}`} {
		if err := s.AddExternal(bad); err == nil {
			t.Errorf("AddExternal(%q) succeeds", bad)
		}
	}
}

func TestLineProgress(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := &lineProgress{w: &b, now: func() time.Time { return now }}
	p.Begin("trials", 4)
	p.Step("hd, 1Gbps")
	now = now.Add(3 * time.Second)
	p.Done("delivered 1000 Mbps")
	p.Note("by the way")
	p.End()
	want := "trials: 4\n[1/4] hd, 1Gbps: delivered 1000 Mbps (9s left)\nby the way\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestBarProgress(t *testing.T) {
	var b bytes.Buffer
	p := &barProgress{w: &b}
	p.Note("before")
	p.Begin("trials", 2)
	for range 2 {
		p.Step("hd, 1Gbps")
		p.Done("ok")
	}
	p.Note("after")
	p.End()
	if s := b.String(); !strings.Contains(s, "before") || !strings.Contains(s, "hd, 1Gbps") || !strings.Contains(s, "1/2") {
		t.Errorf("%q", s)
	}
}

func TestSameScenario(t *testing.T) {
	a, _ := Load("smoke")
	b, _ := Load("smoke")
	b.Resolved = &Resolved{Seed: 1}
	if err := sameScenario(a, b, "d"); err != nil {
		t.Error(err)
	}
	c, _ := Load("quick")
	if err := sameScenario(a, c, "d"); err == nil || !strings.Contains(err.Error(), "smoke") || !strings.Contains(err.Error(), "quick") {
		t.Errorf("another scenario: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "runs: {min: 3, max: 10, until_ci: 2.3%}\n"))
	f.Add([]byte(minimal + "runs: {min: 4, max: 12, until_ceiling: 40%}\n"))
	for _, n := range Names() {
		b, err := Source(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse("f.yaml", b)
		if err != nil {
			return
		}
		text, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", text)
		if err != nil {
			t.Fatalf("does not read back: %v\n%s", err, text)
		}
		if c, err := again.Marshal(); err != nil || !bytes.Equal(text, c) {
			t.Fatalf("changes when read back: %v\n%s\n%s", err, text, c)
		}
	})
}
