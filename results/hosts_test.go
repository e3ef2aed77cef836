package results

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// spread makes a trial one that three hosts sent, over lines of their own.
func spread(t *Trial) *Trial {
	l := t.Load
	t.ClientHost, t.ClientCPUs = "c1, c2, c3", "c1: 0-3; c2: 0-3; c3: 0-1"
	l.Latency, l.NoLatency = measure.Histogram{}, "sender and receiver are on hosts with clocks of their own"
	t.LineToRelayBps, t.LineFromRelayBps = 23.5e9, 23.4e9
	for i, share := range []float64{0.4, 0.4, 0.2} {
		h := measure.ClientHost{
			Agent: []string{"c1", "c2", "c3"}[i], Host: []string{"c1", "c2", "c3"}[i], CPUs: []string{"0-3", "0-3", "0-1"}[i], SendFlows: []int{4, 4, 2}[i], ReceiveFlows: []int{2, 4, 4}[i],
			SentBps: share * l.SentBps, DeliveredBps: share * l.DeliveredBps,
			SentPackets: uint64(share * float64(l.SentPackets)), DeliveredPackets: uint64(share * float64(l.DeliveredPackets)),
			Busiest: 0.3 + share, Pacing: l.Pacing, Lateness: l.Lateness, LimitBps: []float64{31e9, 30e9, 12e9}[i],
			LineToRelayBps: 9.4e9, LineFromRelayBps: 9.3e9,
		}
		l.Hosts = append(l.Hosts, h)
	}
	for i, agent := range []string{"relay", "c1", "c2", "c3"} {
		t.Clocks = append(t.Clocks, measure.ClockCheck{Agent: agent, AheadNS: int64(i) * 1e9, BoundNS: 60e3, EndBoundNS: 70e3, DriftNS: int64(i) * 10e3, ElapsedNS: 2e9})
	}
	t.ClockBoundNS = 150e3
	t.Validity = Judge(t)
	return t
}

// spreadSet is a small sweep of three client hosts.
func spreadSet() *Set {
	s := &Set{Dir: "/somewhere/quick-1", Environment: environment()}
	host := s.Environment.Hosts[0].Host
	s.Environment.Relays = s.Environment.Relays[1:]
	s.Environment.Hosts = s.Environment.Hosts[:1]
	s.Environment.Hosts[0].Data = "10.50.0.1"
	s.Environment.Line = &measure.Line{}
	for i, c := range []string{"c1", "c2", "c3"} {
		s.Environment.Hosts = append(s.Environment.Hosts, HostEntry{Agent: c, Roles: []string{"client"}, CPUs: []string{"0-3", "0-3", "0-1"}[i], Host: host})
		s.Environment.Hosts[i+1].Host.Name = c
		for k, to := range []bool{true, false, true, false} {
			r := measure.LineRun{Client: c, ToRelay: to, Streams: 1, Bps: 9.3e9 + 0.1e9*float64(k), Seconds: 0.8, Retransmits: uint64(7 * i), MSS: 8948, PathMTU: 9000, MTU: 9000, Congestion: "cubic"}
			if k > 1 {
				r.Streams, r.Together, r.Bps = 8, true, 7.8e9
			}
			s.Environment.Line.Runs = append(s.Environment.Line.Runs, r)
		}
	}
	for run := 1; run <= 2; run++ {
		for _, r := range []struct {
			offered units.Rate
			mbps    float64
		}{{1 * units.Gbps, 1000}, {5 * units.Gbps, 5000}, {9 * units.Gbps, 7200 + 10*float64(run)}, {13 * units.Gbps, 7300}} {
			s.Trials = append(s.Trials, spread(trial(hd(1), r.offered, run, r.mbps, 0.2)))
		}
	}
	cal := spread(trial(Config{Relay: RelayNone, Transport: "tcp", Load: shape}, units.Max, 1, 20_000, 0.1))
	cal.Kind, cal.Relay, cal.Clocks = KindCalibration, nil, nil
	cal.Validity = Judge(cal)
	s.Trials = append(s.Trials, cal)
	return s
}

func TestReportOfManyHosts(t *testing.T) {
	set := spreadSet()
	report, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Format{"hosts.txt": Terminal, "hosts.md": Markdown} {
		var b bytes.Buffer
		if err := report.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		if f == Terminal {
			for line := range strings.Lines(b.String()) {
				if w := textWidth(strings.TrimRight(line, "\n")); w > TerminalWidth {
					t.Errorf("%d wide: %s", w, line)
				}
			}
		}
	}
	var page bytes.Buffer
	if err := report.Write(&page, HTML); err != nil || !strings.Contains(page.String(), "share of all trials") {
		t.Errorf("the page has no table of client hosts (%v)", err)
	}
}

func TestHostsInJSONAndCSV(t *testing.T) {
	set := spreadSet()
	var b bytes.Buffer
	if err := WriteReportJSON(&b, set, 0); err != nil {
		t.Fatal(err)
	}
	var j struct {
		Environment struct{ Line measure.Line }
		Points      []struct{ Clients []hostJSON }
	}
	if err := json.Unmarshal(b.Bytes(), &j); err != nil {
		t.Fatal(err)
	}
	if c := j.Points[0].Clients; len(c) != 3 || c[2].Agent != "c3" || *c[2].Limit != 12e9 || len(j.Environment.Line.Runs) != 12 {
		t.Errorf("%+v, line %+v", c, j.Environment.Line)
	}
	b.Reset()
	if err := WriteCSV(&b, set); err != nil {
		t.Fatal(err)
	}
	if head, _, _ := strings.Cut(b.String(), "\r\n"); !strings.Contains(head, "load.hosts") || !strings.Contains(head, "line_to_relay_bps") || !strings.Contains(head, "clocks") {
		t.Errorf("columns: %s", head)
	}
	if strings.Contains(b.String(), `""hdr""`) {
		t.Error("the hosts' histograms are in the CSV")
	}
	// The records are as they were.
	if set.Trials[0].Load.Hosts[0].Lateness.Encoded == "" {
		t.Error("writing CSV took the histograms out of the records")
	}
}

func TestEachHostIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Trial)
		code   Code
		detail string
	}{
		"nothing is wrong":                     {func(*Trial) {}, "", ""},
		"one host is busy, and all is carried": {func(t *Trial) { t.Load.Hosts[1].Busiest = 0.99 }, "", ""},
		// One host of three is a third of the looks: not to be hidden by the others.
		"one host reads late": {func(t *Trial) {
			t.Load.DeliveredPackets -= t.Load.DeliveredPackets / 20
			t.Load.Hosts[1].Strain = &measure.Strain{QueueLooks: 10, QueueWaiting: 9}
			t.Relay.Counters = nil
		}, ClientLimited, "data waiting at receivers in 90.0 % of looks"},
		"one host is late":             {func(t *Trial) { t.Load.Hosts[0].Pacing.P99NS = 3e6 }, PacingLate, "99th percentile of the ticks' lateness on c1 3ms (bound 1ms)"},
		"a clock stepped":              {func(t *Trial) { t.Clocks[3].DriftNS = -3e9 }, ClockSkew, "the clock of c3 moved by -3s in 2s"},
		"all lines are full":           {func(t *Trial) { t.LineToRelayBps = 5.4e9; missed(t) }, NicLimited, "the clients sent 95 % of what the line to the relay carries"},
		"and the way back":             {func(t *Trial) { t.LineFromRelayBps = 5.3e9; missed(t) }, NicLimited, "the clients received 97 % of what the line from the relay carries"},
		"a full line that carried all": {func(t *Trial) { t.LineToRelayBps = 5.4e9 }, "", ""},
		"one line is full":             {func(t *Trial) { t.Load.Hosts[2].LineToRelayBps = 1e9; missed(t) }, NicLimited, "c3 sent 103 % of what the line to the relay carries"},
		"one host on the relay":        {func(t *Trial) { t.Load.Hosts[0].Host = "box" }, Oversubscribed, "relay and c1 share CPU 0-1"},
	} {
		tr := spread(trial(hd(1), 5*units.Gbps, 1, 5000, 0.1))
		c.change(tr)
		got := Judge(tr)
		switch {
		case c.code == "" && len(got) == 0:
		case len(got) != 1 || got[0].Code != c.code || c.code == "" || !strings.Contains(got[0].Detail, c.detail):
			t.Errorf("%s: %+v, want %s: %s", name, got, c.code, c.detail)
		}
	}
	cal := missed(spread(trial(hd(1), 5*units.Gbps, 1, 5000, 0.1)))
	cal.Kind, cal.LineToRelayBps, cal.Load.Hosts[0].Busiest = KindCalibration, 1, 1
	if got := Judge(cal); len(got) != 0 {
		t.Errorf("a calibration is judged by what it is there to find: %+v", got)
	}
}

// missed makes a trial one that was not quite carried.
func missed(t *Trial) *Trial {
	t.Load.DeliveredPackets -= t.Load.DeliveredPackets / 100
	t.Relay.Counters = nil
	return t
}

func TestLineSharesCountEveryHeader(t *testing.T) {
	c := hd(1)
	check := func(name string, wantTo, wantFrom float64) {
		t.Helper()
		to, from := lineShares(c, 1e9, 0.5e9, 2e9, 2e9)
		if d := max(to-wantTo, wantTo-to, from-wantFrom, wantFrom-from); d > 1e-9 {
			t.Errorf("%s: %v and %v, want %v and %v", name, to, from, wantTo, wantFrom)
		}
	}
	check("tcp", 0.5*1437/1400, 0.25*1437/1400)
	c.Load.RTT = true
	check("round trips", 0.75*1437/1400, 0.75*1437/1400)
	c.Load.RTT, c.Transport = false, "tls"
	check("tls", 0.5*(1437+22)/1400, 0.25*(1437+22.*1437/16384)/1400)
	c.FramesPerRecord = 11
	check("records of many frames", 0.5*(1437+2)/1400, 0.25*(1437+22.*1437/16384)/1400)
	if to, from := lineShares(c, 1e9, 1e9, 0, 0); to != 0 || from != 0 {
		t.Errorf("of an unknown line: %v, %v", to, from)
	}
}

func TestNotesOnTheNetwork(t *testing.T) {
	set := spreadSet()
	text := strings.Join(networkNotes(set), " ")
	for _, want := range []string{"aligned within 150µs at worst", "more than 30µs in a trial"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	set.Trials, set.Environment.Line = nil, &measure.Line{NA: "one host: loopback"}
	if got := networkNotes(set); len(got) != 1 || got[0] != "Line check n/a: one host: loopback." {
		t.Errorf("%q", got)
	}
	if old := sampleSet(); len(networkNotes(old)) != 0 || latencyNote(old.Trials) != "" || LineTable(nil) != nil {
		t.Error("an old folder says something of lines or clocks")
	}
	if d := microseconds(int64(1500 * time.Nanosecond)); d != 2*time.Microsecond {
		t.Error(d)
	}
}
