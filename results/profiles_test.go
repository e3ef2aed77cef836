package results

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// profileOf is a profile of as many samples, shared out by category.
func profileOf(shares []measure.CategoryShare, functions ...measure.FunctionShare) *measure.Profile {
	p := &measure.Profile{Binary: "relay", Event: "cpu-clock", FrequencyHz: 997, Seconds: 3, Processes: 1, Threads: 4, Rules: "built in"}
	for _, c := range shares {
		c.Weight = c.Samples * 1_003_009
		p.Categories = append(p.Categories, c)
		p.Samples, p.Weight = p.Samples+c.Samples, p.Weight+c.Weight
	}
	for _, f := range functions {
		f.Weight = f.Samples * 1_003_009
		p.Functions = append(p.Functions, f)
	}
	return p
}

// profiledSet is a sweep over TLS with a profile of each configuration, one that
// could not be made among them.
func profiledSet() *Set {
	s := &Set{Dir: "testdata/profiled", Environment: environment()}
	tls := func(c Config) Config { c.Transport = "tls"; return c }
	costs := []float64{0.20, 0.21, 0.19, 0.205}
	for run, cost := range costs {
		e := float64(run)
		s.Trials = append(s.Trials,
			trial(tls(hd(1)), 1*units.Gbps, run+1, 1000+e, 0.30), trial(tls(hd(1)), 5*units.Gbps, run+1, 5000+e, cost),
			trial(tls(derper()), 1*units.Gbps, run+1, 995+e, 0.8+cost), trial(tls(derper()), 5*units.Gbps, run+1, 3000+9*e, 0.5))
	}
	profile := func(c Config, offered units.Rate, delivered, cost float64, file string, p *measure.Profile) {
		t := trial(c, offered, 1, delivered, cost)
		t.Kind, t.ID, t.Profile = KindProfile, TrialID(KindProfile, t.Point, 1), p
		p.File, p.Folded = DirProfiles+"/"+file+".pb.gz", DirProfiles+"/"+file+".folded"
		s.Trials = append(s.Trials, t)
	}
	profile(tls(hd(1)), 5*units.Gbps, 5000, 0.21, "hd-tls-1-worker", profileOf([]measure.CategoryShare{
		{Name: "TCP/IP", Kernel: true, Samples: 900}, {Name: "kernel copy", Kernel: true, Samples: 250},
		{Name: "user crypto", Samples: 600}, {Name: "user relay", Samples: 80},
		{Name: measure.CategoryUnknown, Kernel: true, Samples: 20},
	},
		measure.FunctionShare{Name: "tcp_sendmsg_locked", Module: "kernel", Category: "TCP/IP", Kernel: true, Samples: 500},
		measure.FunctionShare{Name: "crypto/internal/fips140/aes/gcm.gcmAesEnc", Module: "hdbench", Category: "user crypto", Samples: 400},
		measure.FunctionShare{Name: "internal/sync.(*HashTrieMap[go.shape.interface {},go.shape.interface {}]).Load", Module: "hdbench", Category: "Go maps", Samples: 10},
		measure.FunctionShare{Name: "hyper_derp::ConnectionManager::EnqueueForwardedPacketToWorker", Module: "hdbench", Category: "user relay", Samples: 9},
	))
	bad := profileOf([]measure.CategoryShare{
		{Name: "TCP/IP", Kernel: true, Samples: 300}, {Name: "user relay", Samples: 90}, {Name: "Go garbage collector", Samples: 110},
	}, measure.FunctionShare{Name: "runtime.gcDrain", Module: "derper", Category: "Go garbage collector", Samples: 60})
	bad.Lost, bad.LeafOnly, bad.Notes = 7, 3, []string{"names of /usr/lib/libx.so: n/a: it is another file now"}
	profile(tls(derper()), 1*units.Gbps, 996, 1.2, "derper-1.102.5-tls-gomaxprocs-1", bad)
	not := trial(hd(1), 5*units.Gbps, 1, 1000, 0.3)
	not.Kind, not.ID, not.Load, not.Relay = KindProfile, TrialID(KindProfile, not.Point, 1), nil, nil
	not.NA = "the relay cannot be sampled: not permitted: kernel.perf_event_paranoid is 4: run as root or with CAP_PERFMON"
	s.Trials = append(s.Trials, not)
	return s
}

func TestProfileGoldens(t *testing.T) {
	reportGoldens(t, "profile", profiledSet())
	golden(t, "profile.json", export(t, "json", profiledSet()))
}

// Where nobody may sample, the section says why, once, and nothing else.
func TestReportWithoutPermission(t *testing.T) {
	s := profiledSet()
	for _, tr := range s.Trials {
		if tr.Kind == KindProfile {
			tr.Profile, tr.Load, tr.Relay, tr.NA = nil, nil, nil, "the relay cannot be sampled: not permitted: kernel.perf_event_paranoid is 4"
		}
	}
	report, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.Write(&b, Markdown); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "## CPU breakdown\n")
	got, _, _ := strings.Cut(rest, "\n## ")
	if want := "\n- n/a: the relay cannot be sampled: not permitted: kernel.perf\\_event\\_paranoid is 4 (hd tcp 1 worker, hd tls 1 worker, derper 1.102.5 tls GOMAXPROCS=2)\n- " + noCounters + "\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A profiled trial is no trial: it makes no point, no ceiling and no bench line.
func TestProfiledTrialsMakeNoCeilings(t *testing.T) {
	with := profiledSet()
	without := &Set{Dir: with.Dir, Environment: with.Environment}
	for _, tr := range with.Trials {
		if tr.Kind == KindTrial {
			without.Trials = append(without.Trials, tr)
		}
	}
	for _, format := range []string{"bench", "github", "bmf"} {
		if !bytes.Equal(export(t, format, with), export(t, format, without)) {
			t.Errorf("%s is another with the profiles", format)
		}
	}
	a, err := Points(with.Trials)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Points(without.Trials)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != len(b) || len(a) != 4 {
		t.Errorf("%d points with profiles, %d without, want 4", len(a), len(b))
	}
}

// The cost of sampling is held against the trials of its point; the interval is
// where one more of those would be: of x = (.20, .21, .19, .205), e to the power of
// 3.18245 sd(log x) sqrt(1 + 1/4).
func TestCostOfSampling(t *testing.T) {
	for _, p := range Profiles(profiledSet().Trials) {
		switch {
		case p.Config.Transport == "tcp":
			if p.Profile != nil || !strings.Contains(p.NA, "perf_event_paranoid is 4") {
				t.Errorf("what could not be sampled: %+v", p)
			}
		case p.Config.Relay == RelayHD:
			if p.CostRuns != 4 || math.Abs(p.Cost.Value-0.21/0.20125) > 1e-6 || math.Abs(p.Cost.Hi-1.16452) > 1e-4 || math.Abs(p.Cost.Hi*p.Cost.Lo-1) > 1e-9 {
				t.Errorf("hd: %+v of %d runs", p.Cost, p.CostRuns)
			}
		}
	}
	alone := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	alone.Kind, alone.Profile = KindProfile, &measure.Profile{}
	if p := Profiles([]*Trial{alone})[0]; p.CostRuns != 0 || !math.IsNaN(p.Cost.Value) {
		t.Errorf("nothing to compare with: %+v", p.Cost)
	}
	one := trial(hd(1), units.Gbps, 1, 1000, 0.15)
	if p := Profiles([]*Trial{alone, one})[0]; math.Abs(p.Cost.Value-2) > 1e-9 || !math.IsNaN(p.Cost.Lo) {
		t.Errorf("one run has no interval: %+v", p.Cost)
	}
}

// Wilson's interval of 10 of 100 is 5.52 to 17.44 %.
func TestShareInterval(t *testing.T) {
	lo, hi := shareInterval(0.1, 100)
	if math.Abs(lo-0.05522914) > 1e-6 || math.Abs(hi-0.1743657) > 1e-6 {
		t.Errorf("%v to %v", lo, hi)
	}
	if lo, _ := shareInterval(0, 50); lo < 0 || lo > 1e-12 {
		t.Errorf("none of 50: from %v", lo)
	}
	if lo, _ := shareInterval(0, 0); !math.IsNaN(lo) {
		t.Errorf("of nothing: %v", lo)
	}
}

// What the findings say of profiles, and what they leave out.
func TestFindingsOfProfiles(t *testing.T) {
	say := func(change func(*Set)) string {
		s := profiledSet()
		change(s)
		points, err := Points(s.Trials)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(Findings(points, Ceilings(points), CompareToTS(points, 0), nil, Profiles(s.Trials)), "\n")
	}
	const hdSays = "At 5000 Mbps offered, 4.32 % (95 % CI 3.49 to 5.35) of the CPU time of hd tls 1 worker is its own relay code"
	if text := say(func(*Set) {}); !strings.Contains(text, hdSays) || !strings.Contains(text, "derper") {
		t.Error(text)
	}
	each := func(s *Set, do func(*Trial)) {
		for _, tr := range s.Trials {
			if tr.Profile != nil {
				do(tr)
			}
		}
	}
	for name, change := range map[string]func(*Set){
		"too few samples":     func(s *Set) { each(s, func(t *Trial) { t.Profile.Samples = findingSamples - 1 }) },
		"much of it unknown":  func(s *Set) { each(s, func(t *Trial) { t.Profile.Categories[0].Name = measure.CategoryUnknown }) },
		"a trial not trusted": func(s *Set) { each(s, func(t *Trial) { t.Validity = []Finding{{Code: Oversubscribed}} }) },
	} {
		if text := say(change); strings.Contains(text, "relay code") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A record with a profile is read back as it was written.
func TestProfileRecordRoundTrip(t *testing.T) {
	s := profiledSet()
	store, err := Create(t.TempDir()+"/out", s.Environment, []byte("name: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, tr := range s.Trials {
		tr.Started = tr.Started.Truncate(time.Second)
		if err := store.Append(tr); err != nil {
			t.Fatal(err)
		}
	}
	back, err := Open(store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	back.Dir = s.Dir
	back.Scenario = nil
	if !bytes.Equal(export(t, "json", back), export(t, "json", s)) {
		t.Error("the report of what was read back is another")
	}
}

func TestShortFunction(t *testing.T) {
	for name, want := range map[string]string{
		"tcp_sendmsg": "tcp_sendmsg",
		"crypto/internal/fips140/aes/gcm.gcmAesEnc":              "gcm.gcmAesEnc",
		"hdbench/relay.(*worker).forward":                        "relay.(*worker).forward",
		"internal/sync.(*HashTrieMap[a/b.c,go.shape.int]).Load":  "sync.(*HashTrieMap[…]).Load",
		"std::vector<a/b>::push_back":                            "std::vector<a/b>::push_back",
		"a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…",
	} {
		if got := shortFunction(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"hd tcp 1 worker":                   "hd-tcp-1-worker",
		"derper 1.102.5 tls GOMAXPROCS=1":   "derper-1.102.5-tls-gomaxprocs-1",
		"hd tcp, 4 pairs, burst tick 100µs": "hd-tcp-4-pairs-burst-tick-100-s",
		"../../etc/x":                       "etc-x",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
