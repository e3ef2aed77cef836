package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/perf/benchfmt"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with, or rewrites, a file beside the test.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is written now (go test ./results -update rewrites it):\n%s", file, got)
	}
}

var shape = Shape{Pattern: "pairs", Pairs: 10, PayloadBytes: 1400, Burst: "tick", TickNS: 100_000}

func hd(workers int) Config {
	return Config{Relay: RelayHD, Transport: "tcp", Workers: workers, OnFull: "pause", Load: shape}
}

func derper() Config {
	return Config{Relay: RelayDerper, Version: "1.102.5", Transport: "tcp", Workers: 2, Load: shape}
}

// trial is a record with made-up but consistent numbers: delivered and CPU-seconds
// per Gbit are given, the rest follows.
func trial(c Config, offered units.Rate, run int, delivered, perGbit float64) *Trial {
	h := hdrhistogram.New(1000, int64(time.Minute), 3)
	rng := rand.New(rand.NewPCG(uint64(run), uint64(offered)))
	for range 1000 {
		h.RecordValue(int64(100_000 * (1 + rng.ExpFloat64())))
	}
	lat, err := measure.FromHDR(h)
	if err != nil {
		panic(err)
	}
	return trialWith(c, offered, run, delivered, perGbit, lat)
}

func trialWith(c Config, offered units.Rate, run int, delivered, perGbit float64, lat measure.Histogram) *Trial {
	p := Point{Config: c, Offered: offered}
	sent := uint64(float64(offered) / 8 / 1400)
	got := min(sent, uint64(delivered*1e6/8/1400))
	l := &measure.Load{
		Flows: 10, PayloadBytes: 1400, Offered: offered, SentBps: float64(offered), DeliveredBps: delivered * 1e6,
		SentPackets: sent, DeliveredPackets: got, TotalSent: sent, TotalDelivered: got,
		FramesSent: sent + 20, FramesReceived: got + 20, IntervalNS: int64(100 * time.Millisecond),
		Latency: lat, Lateness: lat, Threads: []measure.Thread{{CPU: "2", Role: "both", Busy: 0.5}},
	}
	for i := range 10 {
		l.IntervalDeliveredBps = append(l.IntervalDeliveredBps, delivered*1e6*(1+0.01*float64(i%3-1)))
	}
	t := &Trial{
		Schema: SchemaVersion, Kind: KindTrial, ID: TrialID(KindTrial, p, run), Point: p, Run: run, Order: run,
		Started: time.Date(2026, 1, 2, 3, 4, run, 0, time.UTC), Seconds: 2.5,
		Load: l, RelayHost: "box", ClientHost: "box", RelayCPUs: "0-1", ClientCPUs: "2-3", ClientLimitBps: 20e9,
		Relay: &measure.Relay{
			Version: "v", CPUs: "0-1", CPUSeconds: perGbit * delivered / 1e3 * 2, WindowSeconds: 2,
			Counters: &measure.Counters{Received: sent + 20, Forward: got + 20, Dropped: map[string]uint64{"queue_head": sent - got}},
		},
	}
	t.Validity = Judge(t)
	return t
}

func environment() Environment {
	host := measure.Host{Name: "box", OS: "linux", Kernel: "6.12.1", Arch: "amd64", CPUModel: "Some CPU", CPUs: "0-3", MemBytes: 16 << 30, Congestion: "cubic", Go: "go1.26"}
	return Environment{
		Schema: SchemaVersion, Hdbench: "v0.1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Command: []string{"hdbench", "sweep", "quick"}, Scenario: "quick", Seed: 7,
		Hosts:  []HostEntry{{Agent: "relay", Roles: []string{"relay"}, CPUs: "0-1", Host: host}, {Agent: "client", Roles: []string{"client"}, CPUs: "2-3", Host: host}},
		Relays: []RelayVersion{{Name: "derper", Version: "1.102.5"}, {Name: "hd", Version: "v0.1"}},
	}
}

// sampleSet is a small sweep with everything a report must be able to say.
func sampleSet() *Set {
	s := &Set{Dir: "/somewhere/quick-1", Environment: environment()}
	noise := []float64{-1, 0, 1, 0.5}
	for run := 1; run <= 4; run++ {
		e := noise[run-1]
		for _, r := range []struct {
			c           Config
			offered     units.Rate
			mbps, gbits float64
		}{
			{hd(1), 1 * units.Gbps, 1000 + e, 0.30}, {hd(1), 5 * units.Gbps, 5000 + 2*e, 0.11}, {hd(1), 9 * units.Gbps, 7200 + 40*e, 0.13},
			{hd(2), 1 * units.Gbps, 1000 + e, 0.33}, {hd(2), 5 * units.Gbps, 5000 + e, 0.15}, {hd(2), 9 * units.Gbps, 9000 + e, 0.12},
			{derper(), 1 * units.Gbps, 998 + e, 0.80}, {derper(), 5 * units.Gbps, 3100 + 90*e, 0.40}, {derper(), 9 * units.Gbps, 900 + 80*e, 1.5},
		} {
			s.Trials = append(s.Trials, trial(r.c, r.offered, run, r.mbps, r.gbits))
		}
	}
	for _, t := range s.Trials { // the client gives out at 9 Gbps through two workers
		if t.Point.Workers == 2 && t.Point.Relay == RelayHD && t.Point.Offered == 9*units.Gbps {
			t.Load.Threads[0].Busy = 0.97
			t.Validity = Judge(t)
		}
	}
	bad := trial(hd(1), 1*units.Gbps, 5, 1000, 0.3)
	bad.Load, bad.Relay, bad.Validity, bad.Error = nil, nil, nil, "agent client: load: it exited:\nsomething | with a bar"
	s.Trials = append(s.Trials, bad)
	ktls := trial(hd(1), 1*units.Gbps, 1, 1000, 0.3)
	ktls.Point.Transport = "ktls"
	ktls.ID = TrialID(KindTrial, ktls.Point, 1)
	ktls.Load, ktls.Relay, ktls.NA = nil, nil, "no kernel TLS: the tls module is not there"
	s.Trials = append(s.Trials, ktls)
	cal := trial(Config{Relay: RelayNone, Transport: "tcp", Load: shape}, units.Max, 1, 20_000, 0.1)
	cal.Kind, cal.Relay = KindCalibration, nil
	cal.Load.Threads[0].Busy = 0.99
	cal.Validity = Judge(cal)
	s.Trials = append(s.Trials, cal)
	return s
}

func TestReportGoldens(t *testing.T) {
	report, err := NewReport(sampleSet(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for f, name := range map[Format]string{Terminal: "report.txt", Markdown: "report.md", HTML: "report.html"} {
		var b bytes.Buffer
		if err := report.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		if f == Terminal {
			fitsTerminal(t, b.String())
		}
	}
}

func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > TerminalWidth {
			t.Errorf("a line of %d columns:\n%s", n, line)
		}
	}
}

// Numbers from a kernel of the lab are never to be taken for a machine's.
func TestReportOfTheLabSaysSo(t *testing.T) {
	s := sampleSet()
	for i := range s.Environment.Hosts {
		s.Environment.Hosts[i].Host.Lab = "user-mode Linux 6.1: one CPU"
	}
	r, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{Terminal, Markdown} {
		var out bytes.Buffer
		if err := r.Write(&out, f); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Measured in the lab: user-mode Linux 6.1: one CPU.", "make sweep-lab SCENARIO=hdbench-out/quick-1/scenario.yaml"} {
			if n := strings.Count(strings.Join(strings.Fields(out.String()), " "), want); n != 1 {
				t.Errorf("the report says %q %d times, want once:\n%s", want, n, out.String())
			}
		}
	}
}

func TestBenchGolden(t *testing.T) {
	var b bytes.Buffer
	if err := WriteBench(&b, sampleSet()); err != nil {
		t.Fatal(err)
	}
	golden(t, "bench.txt", b.Bytes())
	r := benchfmt.NewReader(bytes.NewReader(b.Bytes()), "bench.txt")
	n := 0
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			n++
			if v, ok := rec.Value("delivered-Mbit/s"); !ok || v <= 0 {
				t.Errorf("%s: delivered %v, %v", rec.Name, v, ok)
			}
			if base, parts := rec.Name.Parts(); string(base) != "Relay" || len(parts) < 8 {
				t.Errorf("name %s has base %s and %d parts", rec.Name, base, len(parts))
			}
		case *benchfmt.SyntaxError:
			t.Error(rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if n != 32 {
		t.Errorf("%d results, want the 32 valid trials", n)
	}
}

func TestCeilings(t *testing.T) {
	points, err := Points(sampleSet().Trials)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Ceiling{}
	for _, c := range Ceilings(points) {
		by[fmt.Sprint(c.Config.Relay, c.Config.Transport, c.Config.Workers)] = c
	}
	if c := by["hdtcp1"]; c.At == nil || c.At.Point.Offered != 9*units.Gbps || c.AtLeast {
		t.Errorf("hd with one worker: %+v; want 7200 at 9 Gbps, and no more", c)
	}
	if c := by["hdtcp2"]; c.At == nil || c.At.Point.Offered != 5*units.Gbps || !c.AtLeast {
		t.Errorf("hd with two workers: %+v; want at least 5000: above it the client was at its limit", c)
	}
	if c := by["derpertcp2"]; c.At == nil || c.At.Point.Offered != 5*units.Gbps || c.AtLeast {
		t.Errorf("derper: %+v; want its peak, not what is left of it under more load", c)
	}
	if c := by["hdktls1"]; c.At != nil || !strings.Contains(c.NA, "no kernel TLS") {
		t.Errorf("what cannot be measured: %+v", c)
	}
}

// The numbers of a ratio, checked against R: for a = {8,9,10,11}, b = {4,5,5,6}.
func TestSummaryAndRatio(t *testing.T) {
	a := Summarize([]float64{8, 9, 10, 11})
	b := Summarize([]float64{4, 5, 5, 6})
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-4*math.Abs(want) {
			t.Errorf("%s = %.6f, want %.6f", name, got, want)
		}
	}
	near("mean", a.Mean, 9.5)
	near("sd", a.SD, 1.290994)
	near("cv", a.CV, 0.135894)
	near("half", a.Half, 2.054260) // qt(.975,3)*sd/2
	r := RatioOf(a, b)
	near("ratio", r.Value, 1.9)
	if !(r.Lo < 1.9 && r.Hi > 1.9) || math.Abs(r.Lo*r.Hi-1.9*1.9) > 1e-9 {
		t.Errorf("interval [%v, %v] is not symmetric about 1.9 on the logarithm", r.Lo, r.Hi)
	}
	if one := Summarize([]float64{5}); one.Mean != 5 || !math.IsNaN(one.SD) || !math.IsNaN(one.Half) {
		t.Errorf("one value: %+v", one)
	}
	if none := Summarize(nil); !math.IsNaN(none.Mean) {
		t.Errorf("no value: %+v", none)
	}
	if r := RatioOf(a, Summarize([]float64{5})); !math.IsNaN(r.Lo) || r.Value != 1.9 {
		t.Errorf("a ratio to a single run: %+v", r)
	}
	if r := RatioOf(Summarize([]float64{6, 6}), Summarize([]float64{3, 3})); r.Lo != 2 || r.Hi != 2 {
		t.Errorf("a ratio without noise: %+v", r)
	}
}

// In many repetitions the 95 % interval of a ratio must hold the true ratio about
// 95 times in 100.
func TestRatioCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials = 4000
	hit := 0
	for range trials {
		var a, b []float64
		for range 5 {
			a = append(a, 100*(1+0.05*rng.NormFloat64()))
			b = append(b, 40*(1+0.10*rng.NormFloat64()))
		}
		if r := RatioOf(Summarize(a), Summarize(b)); r.Lo <= 2.5 && 2.5 <= r.Hi {
			hit++
		}
	}
	if share := float64(hit) / trials; share < 0.93 || share > 0.97 {
		t.Errorf("the interval holds the true ratio in %.1f %% of cases", 100*share)
	}
}

func TestJudge(t *testing.T) {
	for want, change := range map[Code]func(*Trial){
		"":             func(*Trial) {},
		ClientLimited:  func(t *Trial) { t.Load.Threads[0].Busy = 0.91 },
		PacingLate:     func(t *Trial) { t.Load.Pacing.P99NS = int64(2 * time.Millisecond) },
		Corrupt:        func(t *Trial) { t.Load.Reordered = 1 },
		Undrained:      func(t *Trial) { t.Load.Undrained = 1 },
		ClockSkew:      func(t *Trial) { t.Load.Skewed = 1 },
		Accounting:     func(t *Trial) { t.Relay.Counters.Received-- },
		Oversubscribed: func(t *Trial) { t.Point.Workers = 3 },
	} {
		tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
		change(tr)
		got := Judge(tr)
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0].Code != want || got[0].Detail == "") {
			t.Errorf("want %q, got %+v", want, got)
		}
	}
	more := map[string]func(*Trial){
		"more offered than the client can send": func(t *Trial) { t.ClientLimitBps = 0.9e9 },
		"forwarded, not received":               func(t *Trial) { t.Relay.Counters.Forward++ },
		"dropped without a reason":              func(t *Trial) { t.Relay.Counters.Dropped = nil; t.Relay.Counters.Forward--; t.Load.FramesReceived-- },
		"relay and client on one CPU":           func(t *Trial) { t.ClientCPUs = "1-2" },
	}
	for name, change := range more {
		tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
		change(tr)
		if len(Judge(tr)) != 1 {
			t.Errorf("%s: %+v", name, Judge(tr))
		}
	}
	two := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	two.ClientCPUs, two.ClientHost = "1-2", "another"
	if f := Judge(two); len(f) != 0 {
		t.Errorf("the same CPU numbers on two hosts: %+v", f)
	}
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), []byte("name: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := trial(hd(1), units.Gbps, 1, 1000, 0.3), trial(hd(1), units.Gbps, 2, 1001, 0.3)
	if err := s.Append(first); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(dir); err == nil || !strings.Contains(err.Error(), "another sweep") {
		t.Errorf("two writers: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, environment(), nil); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("creating over a folder: %v", err)
	}

	// A sweep killed while writing leaves half a line.
	file := filepath.Join(dir, FileTrials)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torn, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(bytes.Clone(whole), torn[:len(torn)/2]...), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := Open(dir)
	if err != nil || len(set.Trials) != 1 || len(set.Warnings) != 1 || !strings.Contains(set.Warnings[0], "trials.jsonl:2") {
		t.Fatalf("a torn folder: %v, %v", set, err)
	}
	if s, err = Append(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(second); err != nil {
		t.Fatal(err)
	}
	s.Close()
	set, err = Open(dir)
	if err != nil || len(set.Trials) != 2 || len(set.Warnings) != 0 || set.Trials[1].ID != second.ID {
		t.Fatalf("after the repair: %+v, %v", set, err)
	}
	if set.Trials[0].Load.DeliveredBps != 1000e6 || set.Environment.Seed != 7 || string(set.Scenario) != "name: x\n" {
		t.Errorf("read back: %+v", set)
	}
}

func TestARepeatedTrialCountsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	failed := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	failed.Load, failed.Error = nil, "the relay died"
	again := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	for _, r := range []*Trial{failed, again} {
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Open(dir)
	if err != nil || len(set.Trials) != 1 || !set.Trials[0].OK() {
		t.Errorf("%+v, %v", set.Trials, err)
	}
}

func TestRecordsOfOtherVersions(t *testing.T) {
	tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	// A field of a later version is kept.
	later := strings.Replace(string(b), `{"schema":1,`, `{"schema":1,"weather":{"sun":true},`, 1)
	var got Trial
	if err := json.Unmarshal([]byte(later), &got); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(out), `"weather":{"sun":true}`) {
		t.Errorf("an unknown field is lost: %s, %v", out, err)
	}
	for _, bad := range []string{`{"schema":2}`, `{}`, `{"schema":"1"}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil || strings.Contains(bad, ":2") && !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", bad, err)
		}
	}

	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Append(tr)
	s.Close()
	env := filepath.Join(dir, FileEnvironment)
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(env, bytes.Replace(text, []byte(`"schema": 1`), []byte(`"schema": 9`), 1), 0o644)
	if _, err := Open(dir); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "9") {
		t.Errorf("a folder of another schema: %v", err)
	}
	if _, err := Append(dir); !errors.Is(err, ErrSchema) {
		t.Errorf("resuming it: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotAFolder) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestDamagedRecordIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Append(trial(hd(1), units.Gbps, 1, 1000, 0.3))
	s.Close()
	f, err := os.OpenFile(filepath.Join(dir, FileTrials), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "rubbish")
	f.Close()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "trials.jsonl:2") {
		t.Errorf("got %v, want the line named", err)
	}
}

func TestEmptyFolderHasAReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	report, err := Derive(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "No trial has been made yet") {
		t.Errorf("%s", b.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestNamesTellApartWhatDiffers(t *testing.T) {
	a, b := hd(1), hd(1)
	b.ModerationNS = int64(200 * time.Microsecond)
	n := Names([]Config{a, b, derper()})
	if n[a] != "hd tcp 1 worker" || n[b] != "hd tcp 1 worker moderation 200µs" || n[derper()] != "derper 1.102.5 tcp GOMAXPROCS=2" {
		t.Errorf("%v", n)
	}
	b.OnFull, b.ModerationNS = "drop-tail", 0
	n = Names([]Config{a, b})
	if n[a] != "hd tcp 1 worker on-full pause" || n[b] != "hd tcp 1 worker on-full drop-tail" {
		t.Errorf("%v", n)
	}
}

func TestMarkdownCellsAreEscaped(t *testing.T) {
	tab := &Table{Columns: []Column{{Head: "a|b"}}, Rows: [][]string{{"x | y\nz"}}}
	var b bytes.Buffer
	if err := tab.Write(&b, Markdown); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 2 {
			t.Errorf("a cell breaks the table: %q", line)
		}
	}
}

func FuzzRecord(f *testing.F) {
	b, err := json.Marshal(trial(hd(1), units.Gbps, 1, 1000, 0.3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"schema":1,"x":[1,{"y":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var tr Trial
		if json.Unmarshal(b, &tr) != nil {
			return
		}
		out, err := json.Marshal(tr)
		if err != nil {
			t.Fatalf("reads but does not write: %v", err)
		}
		var again Trial
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("does not read back: %v\n%s", err, out)
		}
		Judge(&again)
		if _, err := Points([]*Trial{&again}); err == nil {
			ValidityTable([]*Trial{&again})
		}
	})
}
