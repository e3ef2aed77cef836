package results

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

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
		Strain: &measure.Strain{Reads: 1000, FullReads: 10, QueueLooks: 100, QueueWaiting: 2},
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
	if got < sent { // by default it is the relay's CPU that gives out
		t.Relay.Threads = []measure.ThreadTime{{Name: "worker", CPU: 0.97}}
	}
	t.Validity = Judge(t)
	return t
}

// clientLimited makes a trial one in which data lay at the receivers, while the
// relay had CPU time left.
func clientLimited(t *Trial) *Trial {
	t.Load.Strain.QueueWaiting = 90
	t.Relay.Threads = []measure.ThreadTime{{Name: "worker", CPU: 0.5}}
	t.Relay.CPUSeconds = t.Relay.WindowSeconds / 2
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
			{hd(2), 1 * units.Gbps, 1000 + e, 0.33}, {hd(2), 5 * units.Gbps, 5000 + e, 0.15}, {hd(2), 9 * units.Gbps, 8000 + e, 0.06},
			{derper(), 1 * units.Gbps, 998 + e, 0.80}, {derper(), 5 * units.Gbps, 3100 + 90*e, 0.40}, {derper(), 9 * units.Gbps, 900 + 80*e, 1.5},
		} {
			s.Trials = append(s.Trials, trial(r.c, r.offered, run, r.mbps, r.gbits))
		}
	}
	for _, t := range s.Trials { // the client gives out at 9 Gbps through two workers
		if t.Point.Workers == 2 && t.Point.Relay == RelayHD && t.Point.Offered == 9*units.Gbps {
			t.Load.Threads[0].Busy = 0.97
			clientLimited(t)
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

// validator checks JSON against a schema of ours.
func validator(t *testing.T, id string, schema []byte) func(b []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return func(b []byte) error {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(v)
	}
}
