package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hdbench/internal/fleet"
	"hdbench/results"
	"hdbench/scenarios"
)

// clockedHDBench is hdbench in a build whose agents and loads may have clocks of
// their own: shifts are by agent (see internal/mono/shift.go).
func clockedHDBench(t *testing.T, shifts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	binary, wrapper := filepath.Join(dir, "hdbench"), filepath.Join(dir, "wrapper")
	if out, err := exec.Command("go", "build", "-tags", "clockshift", "-ldflags", "-X main.buildVersion=test", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	script := "#!/bin/sh\nexport " + lockFor(dir) + "\ncase \" $* \" in\n"
	for agent, shift := range shifts {
		script += fmt.Sprintf("*'--name %s '*) export HDBENCH_CLOCK_SHIFT='%s';;\n", agent, shift)
	}
	script += "esac\nexec " + binary + " \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return wrapper
}

// sweepMany runs a scenario with so many clients on this host.
func sweepMany(t *testing.T, binary string, n int, scenario string) *results.Set {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "many.yaml")
	if err := os.WriteFile(file, []byte(scenario), 0o644); err != nil {
		t.Fatal(err)
	}
	sc, err := scenarios.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	members := []fleet.Member{{Agent: "relay", Role: fleet.RoleRelay}}
	for i := range n {
		members = append(members, fleet.Member{Agent: fmt.Sprint("c", i+1), Role: fleet.RoleClient})
	}
	out, err := scenarios.Sweep{
		Scenario: sc, Out: filepath.Join(dir, "out"), Binary: binary, Version: "test", Members: members,
		Progress: scenarios.NewProgress(io.Discard),
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := results.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// trialsOf are the trials of a sweep. What a small busy machine does to the
// schedule is marked and no matter here; whatever else is marked fails the test,
// but for the codes in may.
func trialsOf(t *testing.T, set *results.Set, may ...results.Code) []*results.Trial {
	t.Helper()
	allowed := map[results.Code]bool{results.ClientLimited: true, results.PacingLate: true, results.ClientLag: true, results.Oversubscribed: true, results.Stolen: true, results.Apart: true}
	for _, c := range may {
		allowed[c] = true
	}
	var trials []*results.Trial
	for _, tr := range set.Trials {
		if !tr.OK() {
			t.Fatalf("%s %s: %s%s", tr.Kind, tr.ID, tr.Error, tr.NA)
		}
		for _, f := range tr.Validity {
			if !allowed[f.Code] {
				t.Errorf("%s %s: %s: %s", tr.Kind, tr.ID, f.Code, f.Detail)
			}
		}
		if tr.Kind == results.KindTrial {
			trials = append(trials, tr)
		}
	}
	return trials
}

const manyScenario = `
name: many
warmup: 100ms
measure: 500ms
drain: 30s
runs: 1
load: {pairs: 8, rate: [20Mbps]}
relays: [{relay: hd, workers: 1}]
`

func TestOneTwoAndEightClients(t *testing.T) {
	binary := clockedHDBench(t, nil)
	for _, n := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			set := sweepMany(t, binary, n, manyScenario)
			if l := set.Environment.Line; l == nil || l.NA != "one host: loopback" {
				t.Errorf("line: %+v", l)
			}
			for _, tr := range trialsOf(t, set) {
				l := tr.Load
				if l.DeliveredPackets != l.SentPackets || l.SentPackets == 0 || l.TotalDelivered != l.TotalSent {
					t.Errorf("%d of %d packets delivered", l.DeliveredPackets, l.SentPackets)
				}
				// The agents share a kernel, so one-way latency can be measured.
				if l.Latency.Count == 0 || l.NoLatency != "" || len(tr.Clocks) != 0 || l.Flows != 8 {
					t.Errorf("latency %+v (%s), clocks %+v, %d flows", l.Latency, l.NoLatency, tr.Clocks, l.Flows)
				}
				if n == 1 {
					if l.Hosts != nil || l.Threads[0].Host != "" {
						t.Errorf("one client has hosts: %+v", l.Hosts)
					}
					continue
				}
				var sent, delivered uint64
				for i, h := range l.Hosts {
					sent, delivered = sent+h.SentPackets, delivered+h.DeliveredPackets
					if h.Agent != fmt.Sprint("c", i+1) || h.SendFlows != 8/n || h.ReceiveFlows != 8/n || h.SentPackets == 0 || h.LimitBps <= 0 {
						t.Errorf("%+v", h)
					}
				}
				if len(l.Hosts) != n || sent != l.SentPackets || delivered != l.DeliveredPackets {
					t.Errorf("%d hosts with %d and %d packets, of %d", len(l.Hosts), sent, delivered, l.SentPackets)
				}
			}
			var text strings.Builder
			report, err := results.NewReport(set, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := report.Write(&text, results.Terminal); err != nil {
				t.Fatal(err)
			}
			if has := strings.Contains(text.String(), "each one's share of all trials"); has != (n > 1) {
				t.Errorf("the report has a table of client hosts: %v\n%s", has, text.String())
			}
			for line := range strings.Lines(text.String()) {
				if len([]rune(strings.TrimRight(line, "\n"))) > results.TerminalWidth {
					t.Errorf("wider than a terminal: %s", line)
				}
			}
		})
	}
}

// Hosts' clocks have nothing in common. The windows must still be one window, as
// near as the record says, and not one packet more or less may seem lost.
func TestClocksSecondsApart(t *testing.T) {
	shifts := map[string]string{"relay": "-1500ms", "c1": "3s", "c2": "-3s", "c3": "1234567890ns"}
	// Bursts of more than this relay can hold, so that it has something to drop.
	scenario := strings.NewReplacer("20Mbps", "50Mbps", "pairs: 8", "burst: 64, pairs: 8", "hd, ", "hd, on-full: drop-tail, queue-packets: 1, socket-buffer: 32KiB, ").Replace(manyScenario)
	set := sweepMany(t, clockedHDBench(t, shifts), 4, scenario)
	for _, tr := range trialsOf(t, set) {
		l := tr.Load
		// The relay counts what it dropped; fins and probes may be among it.
		if dropped := tr.Relay.Counters.DroppedTotal(); l.FramesSent-l.FramesReceived != dropped || l.TotalSent-l.TotalDelivered > dropped {
			t.Errorf("%d of %d frames lost, %d of %d packets; the relay dropped %d", l.FramesSent-l.FramesReceived, l.FramesSent, l.TotalSent-l.TotalDelivered, l.TotalSent, dropped)
		}
		if l.SentPackets == 0 || l.DeliveredPackets > l.SentPackets || l.Undrained != 0 {
			t.Errorf("%d of %d delivered, %d undrained", l.DeliveredPackets, l.SentPackets, l.Undrained)
		}
		if l.Latency.Count != 0 || l.NoLatency == "" {
			t.Errorf("one-way latency between clocks of their own: %+v, %q", l.Latency, l.NoLatency)
		}
		first, last := int64(1)<<62, int64(-1)<<62
		for _, h := range l.Hosts {
			by := time.Duration(0)
			if s := shifts[h.Agent]; s != "" {
				by, _ = time.ParseDuration(s)
			}
			begin := h.WindowBeginMonoNS - int64(by) // by the one clock that they really have
			first, last = min(first, begin), max(last, begin)
		}
		if apart := last - first; apart > tr.ClockBoundNS || len(l.Hosts) != 4 {
			t.Errorf("the windows began %v apart, the bound is %v", time.Duration(apart), time.Duration(tr.ClockBoundNS))
		}
		if len(tr.Clocks) != 5 {
			t.Fatalf("clocks: %+v", tr.Clocks)
		}
		for _, c := range tr.Clocks {
			by, _ := time.ParseDuration(shifts[c.Agent])
			if off := c.AheadNS - int64(by); max(off, -off) > c.BoundNS || c.Stepped() {
				t.Errorf("%s is %v ahead, measured %v ± %v, then %v more", c.Agent, by, time.Duration(c.AheadNS), time.Duration(c.BoundNS), time.Duration(c.DriftNS))
			}
		}
	}
}

// A clock that moves against the others in the midst of a trial is found out.
func TestClockThatMoves(t *testing.T) {
	set := sweepMany(t, clockedHDBench(t, map[string]string{"c2": "1s,10000ppm"}), 2, manyScenario)
	for _, tr := range trialsOf(t, set, results.ClockSkew) {
		found := false
		for _, f := range tr.Validity {
			found = found || f.Code == results.ClockSkew && strings.HasPrefix(f.Detail, "the clock of c2 moved by ")
		}
		// At 1 % it gains at least 5 ms in the half second of the window.
		if c := tr.Clocks[2]; !found || c.DriftNS < 5e6 || tr.ClockBoundNS < c.DriftNS {
			t.Errorf("the clock of c2 runs 1 %% fast, and the trial says %+v, bound %v, clock %+v", tr.Validity, time.Duration(tr.ClockBoundNS), c)
		}
	}
}
