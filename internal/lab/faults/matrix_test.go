//go:build labhost

package faults

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/hosts"
	"hdbench/loadgen"
	"hdbench/results"
)

// row is a fault, and what is to come of it.
type row struct {
	name string
	play func(*stage) (outcome string)
}

func TestFaultMatrix(t *testing.T) {
	rows := []row{
		{"client host loses power, is back 3 s ahead", clientLosesPower},
		{"relay host loses power, stays off", relayStaysOff},
		{"all processes of the client host killed", clientKilled},
		{"relay process killed", relayProcessKilled},
		{"controller killed (SIGKILL)", controllerKilled},
		{"ssh to the client drops for 5 s", sshDropsShort},
		{"ssh to the relay drops for good", sshDropsForGood},
		{"data link of the client cut, and back", dataLinkCut},
		{"one of three NATS nodes lost", natsNodeLost},
		{"agent of another version", otherAgent},
		{"clock of the client stepped by 3 s", clockSteps},
		{"disk full on the controller", diskFull},
		{"second sweep on the same hosts", secondSweep},
	}
	var mu sync.Mutex
	table := results.Table{Title: "Fault matrix", Columns: []results.Column{{Head: "Fault", Left: true}, {Head: "Outcome", Left: true}, {Head: "Left", Left: true}, {Head: "s"}}}
	outcomes := map[string][]string{}
	t.Run("rows", func(t *testing.T) {
		for _, r := range rows {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				began, outcome, left := time.Now(), "", "nothing"
				defer func() {
					if t.Failed() {
						outcome, left = "TEST FAILED", "?"
					}
					mu.Lock()
					defer mu.Unlock()
					outcomes[r.name] = []string{r.name, outcome, left, fmt.Sprintf("%.0f", time.Since(began).Seconds())}
				}()
				s := newStage(t)
				outcome = r.play(s)
				s.nothingLeft()
			})
		}
	})
	for _, r := range rows {
		if o := outcomes[r.name]; o != nil { // not with -run for others
			table.Rows = append(table.Rows, o)
		}
	}
	if err := table.Write(os.Stdout, results.Terminal); err != nil {
		t.Error(err)
	}
}

func clientLosesPower(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.check(s.c.PowerOff(s.t.Context()))
	s.c.SetClock(3 * time.Second)
	s.check(s.c.PowerOn(s.t.Context()))
	s.ends(p, 0, "attempt 1 of 3 failed")
	return s.retried(1)
}

func relayStaysOff(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.check(s.relay.PowerOff(s.t.Context()))
	s.ends(p, 1, "a host has gone and did not come back within "+hostWait, "--resume "+s.out)
	return s.endsAndResumes(p, func() { s.check(s.relay.PowerOn(s.t.Context())) })
}

func clientKilled(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.c.KillAll()
	s.ends(p, 0, "attempt 1 of 3 failed")
	return s.retried(1)
}

func relayProcessKilled(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.check(s.relay.Kill("/hdbench relay "))
	s.ends(p, 0, "attempt 1 of 3 failed")
	return s.retried(1)
}

func controllerKilled(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	p.Kill()
	s.nothingLeft()
	n := len(s.lines())
	s.resumes()
	s.t.Logf("%d records were kept", n)
	return "killed, resumed"
}

func sshDropsShort(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.check(s.c.Cut(s.t.Context(), hosts.Control))
	time.Sleep(5 * time.Second)
	s.check(s.c.Restore(s.t.Context(), hosts.Control))
	s.ends(p, 0)
	return s.retried(0)
}

func sshDropsForGood(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	s.check(s.relay.Cut(s.t.Context(), hosts.Control))
	s.ends(p, 1, "a host has gone and did not come back within "+hostWait, "--resume "+s.out)
	return s.endsAndResumes(p, func() { s.check(s.relay.Restore(s.t.Context(), hosts.Control)) })
}

// dataLinkCut takes the traffic's way and leaves the orders'. A trial that meets it
// is one with loss, or has failed: never one without loss.
func dataLinkCut(s *stage) string {
	p := s.sweep()
	s.underWay(p)
	met := len(s.lines()) // the record of the trial under way
	s.check(s.c.Cut(s.t.Context(), hosts.Data))
	s.until(p, "a record of a trial that met the cut", func() bool { return len(s.lines()) > met })
	s.check(s.c.Restore(s.t.Context(), hosts.Data))
	s.ends(p, 0)
	outcome := s.retried(0)
	r := s.lines()[met]
	if r.Error == "" {
		loss, ok := r.Load.Loss()
		s.t.Logf("the trial that met it: loss %.3f, %v, delivered %.1f of %v, %v", loss, ok, r.Load.DeliveredBps/1e6, r.Point.Offered, r.Validity)
		if r.Load.DeliveredBps < 0.9*float64(r.Point.Offered) && (!ok || loss == 0) {
			s.t.Error("a trial that met the cut reads as without loss")
		}
		return "loss in the record"
	}
	return outcome
}

// endsAndResumes checks what a sweep has left that gave up, mends the cause and
// continues it.
func (s *stage) endsAndResumes(p *hosts.Process, mend func()) string {
	s.t.Helper()
	failed, why := s.valid()
	if failed == 0 {
		s.t.Error("no failed measurement is recorded")
	}
	s.nothingLeft(s.relay)
	mend()
	s.reachable(s.relay)
	s.resumes()
	s.t.Logf("last reason: %s", why)
	return fmt.Sprintf("ends (exit %d), resumed", p.ExitCode())
}

// diskFull fills the disk that the results go to.
func diskFull(s *stage) string {
	s.check(os.Mkdir(s.ctl.Path("/tmp/out-small"), 0o755))
	run := func(args ...string) {
		s.t.Helper()
		_, err := s.ctl.Run(s.t.Context(), hosts.Command{Args: args})
		s.check(err)
	}
	run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", "/tmp/out-small")
	s.out = "/tmp/out-small/r"
	p := s.sweep()
	s.until(p, "two records", func() bool { // this process does not see the host's mounts
		out, err := s.ctl.Run(s.t.Context(), hosts.Command{Args: []string{"cat", s.out + "/trials.jsonl"}})
		return err == nil && strings.Count(out, "\n") >= 2
	})
	run("sh", "-c", "cat /dev/zero >/tmp/out-small/fill 2>/dev/null; test -s /tmp/out-small/fill")
	s.ends(p, 1, "no space left on device", "--resume "+s.out)
	run("cp", "-r", s.out, "/tmp/out-copy")
	s.out = "/tmp/out-copy"
	s.valid()
	n := len(s.lines())
	if n == 0 || n > rates*s.runs {
		s.t.Errorf("%d records fitted, want some and not all", n)
	}
	run("rm", "/tmp/out-small/fill")
	s.ends(s.start(s.ctl, append([]string{"sweep", "--resume", "/tmp/out-small/r"}, s.args...)...), 0)
	run("rm", "-r", "/tmp/out-copy")
	run("cp", "-r", "/tmp/out-small/r", "/tmp/out-copy")
	s.finished()
	s.out = "/tmp/out"
	s.t.Logf("%d records were kept", n)
	return "ends (exit 1), resumed"
}

func secondSweep(s *stage) string {
	s.plan(12) // so that the second does not see its end
	p := s.sweep()
	s.underWay(p)
	second := s.start(s.ctl, append([]string{"sweep", "s.yaml", "--out", "/tmp/out-second"}, s.args...)...)
	s.ends(second, 5, "the host is in use by another sweep", "root@ctl, process", "scenario faults")
	if _, err := os.Stat(s.ctl.Path("/tmp/out-second")); err == nil {
		s.t.Error("the second sweep left a folder")
	}
	s.ends(p, 0)
	s.t.Log(second.Output())
	s.retried(0)
	return "second refused (exit 5)"
}

// natsNodes is a cluster of plain servers on the control network, one on each host.
func natsNodes(s *stage) (url string, nodes []*hosts.Process) {
	s.t.Helper()
	var routes, urls []string
	all := s.lab.Hosts()
	for _, h := range all {
		routes = append(routes, fmt.Sprintf("%q", "nats://"+h.Control.String()+":6222"))
		urls = append(urls, "nats://"+h.Control.String()+":4222")
	}
	for _, h := range all {
		conf := fmt.Sprintf("listen: \"%[1]s:4222\"\nmax_payload: 64MB\nmax_pending: 128MB\nserver_name: %[2]s\ncluster { name: faults, listen: \"%[1]s:6222\", routes: [%[3]s] }\n",
			h.Control, h.Name, strings.Join(routes, ", "))
		s.put(h, natsServer, "/tmp/nats-server")
		s.check(os.WriteFile(h.Path("/tmp/nats.conf"), []byte(conf), 0o644))
		p, err := h.Start(hosts.Command{Args: []string{"/tmp/nats-server", "-c", "/tmp/nats.conf"}})
		s.check(err)
		nodes = append(nodes, p)
	}
	for i, p := range nodes {
		s.until(p, "the cluster to be whole", func() bool {
			return strings.Count(p.Output(), "Route connection created") >= len(all)-1 && i < len(all)
		})
	}
	return strings.Join(urls, ","), nodes
}

// agents starts the user's own agents, on the hosts they are for.
func (s *stage) agents(url, binary string) {
	s.t.Helper()
	for _, h := range []*hosts.Host{s.relay, s.c} {
		args := []string{"agent", "--nats", url, "--nats-plain", "--role", "client", "--name", h.Name}
		if h == s.relay {
			args = append(args, "--data-addr", h.Data.String())
			args[5] = "relay"
		}
		s.put(h, binary, "/tmp/hdbench")
		p := s.start(h, args...)
		s.until(p, "the agent is ready", func() bool { return strings.Contains(p.Output(), "is ready: ") })
	}
	s.args = []string{"--nats", url, "--nats-plain"}
	time.Sleep(time.Second) // the sweep looks for them once: let the servers tell each other of them
	s.remember()
}

func natsNodeLost(s *stage) string {
	url, nodes := natsNodes(s)
	// The agents and the controller know all; each starts with the one named first.
	s.agents(url, hdbench)
	p := s.sweep()
	s.underWay(p)
	s.check(nodes[1].Signal(unix.SIGKILL))
	s.ends(p, 0)
	outcome := s.retried(0)
	for _, h := range s.lab.Hosts() { // connections have moved: they are the agents' own
		st := s.before[h.Name]
		now, err := h.Look()
		s.check(err)
		st.Sockets = now.Sockets
		s.before[h.Name] = st
	}
	return outcome
}

// clockSteps lets the CLOCK_MONOTONIC of the client's host jump ahead by 3 s in the
// midst of the sweep, which no real one does: a wall clock can be stepped, and is
// not used (TestASweepDoesNotSeeTheWallClockStep).
func clockSteps(s *stage) string {
	s.plan(25)
	s.put(s.ctl, clockShift, "/tmp/hdbench")
	var now unix.Timespec
	s.check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	at := now.Nano() + int64(25*time.Second) // some trials have been made by then
	s.check(os.WriteFile(s.c.Path("/root/.ssh/environment"), fmt.Appendf(nil, "HDBENCH_CLOCK_SHIFT=3s,3s@%d\n", at), 0o600))
	s.remember()
	s.ends(s.sweep(), 0)
	s.retried(0)
	met, clean, bound := 0, 0, time.Duration(0)
	least, most := time.Duration(math.MaxInt64), time.Duration(math.MinInt64)
	for _, r := range s.lines() {
		for _, c := range r.Clocks {
			if c.Agent == "client" {
				least, most = min(least, time.Duration(c.AheadNS)), max(most, time.Duration(c.AheadNS))
				bound = max(bound, time.Duration(c.BoundNS))
			}
		}
		skewed := slices.ContainsFunc(r.Validity, func(f results.Finding) bool { return f.Code == results.ClockSkew })
		switch {
		case strings.Contains(r.Error, loadgen.ErrStarved.Error()) || strings.Contains(r.Error, "the start time has passed"):
			// A busy machine, and not the clock: it was made again.
		case r.Error != "" || skewed:
			met++
			s.t.Logf("%s: %s %v", r.ID, r.Error, r.Validity)
		case r.Kind == results.KindTrial:
			clean++
			if loss, ok := r.Load.Loss(); !ok || loss != 0 {
				s.t.Errorf("%s: loss %v, %v, and no mark", r.ID, loss, ok)
			}
		}
	}
	if met > 3 || clean < rates*s.runs-3 {
		s.t.Errorf("%d trials met the step, %d did not", met, clean)
	}
	if moved, may := most-least, 100*time.Millisecond+2*bound; moved < 3*time.Second-may || moved > 3*time.Second+may {
		s.t.Errorf("the clock moved by %v in the sweep, want 3 s", moved)
	}
	if met == 0 {
		return "offset measured anew" // the step fell between two trials
	}
	return "clock-skew or retried"
}

func otherAgent(s *stage) string {
	url, _ := natsNodes(s)
	s.agents(url, otherVersion)
	p := s.sweep()
	defer func() { s.t.Log(p.Output()) }()
	s.ends(p, 1, "the agent is of another version", "v-other", "v-this", "install the same on every host")
	if _, err := os.Stat(s.ctl.Path(s.out)); err == nil {
		s.t.Error("it left a folder")
	}
	return "refused (exit 1)"
}
