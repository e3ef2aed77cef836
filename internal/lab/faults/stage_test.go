//go:build labhost

package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/hosts"
	"hdbench/results"
)

// scenario is small, and long enough for a fault to meet it under way.
const scenario = `
name: faults
warmup: 100ms
measure: 500ms
runs: RUNS
load: {pairs: 2, rate: [10Mbps, 20Mbps]}
relays: [{relay: hd, workers: 1}]
`

// rates is how many points it has.
const rates = 2

// hostWait is for a host that is to be waited for in vain.
const hostWait = "12s"

// stage is a room with a controller, a relay's host and a client's.
type stage struct {
	t             *testing.T
	lab           *hosts.Lab
	ctl, relay, c *hosts.Host
	before        map[string]hosts.State
	args          []string // that say where the hosts are
	out           string   // folder, in ctl
	runs          int      // of each point
}

func newStage(t *testing.T) *stage {
	t.Helper()
	l, err := hosts.New(t.Context(), hosts.Spec{Name: "ctl"}, hosts.Spec{Name: "relay", Clock: 77 * time.Second}, hosts.Spec{Name: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	s := &stage{t: t, lab: l, ctl: l.Host("ctl"), relay: l.Host("relay"), c: l.Host("c1"), before: map[string]hosts.State{}, out: "/tmp/out"}
	s.plan(3)
	s.args = []string{"--relay-host", "relay", "--client-host", "c1", "--data-addr", s.relay.Data.String()}
	s.put(s.ctl, hdbench, "/tmp/hdbench")
	s.remember()
	return s
}

// plan sets how often each point is measured.
func (s *stage) plan(runs int) {
	s.t.Helper()
	s.runs = runs
	s.check(os.WriteFile(s.ctl.Path("/tmp/s.yaml"), []byte(strings.ReplaceAll(scenario, "RUNS", strconv.Itoa(runs))), 0o644))
}

func (s *stage) put(h *hosts.Host, from, to string) {
	s.t.Helper()
	if err := h.Put(from, to); err != nil {
		s.t.Fatal(err)
	}
}

// remember takes what is there now as what may be there at the end.
func (s *stage) remember() {
	s.t.Helper()
	for _, h := range s.lab.Hosts() {
		st, err := h.Look()
		if err != nil {
			s.t.Fatal(err)
		}
		s.before[h.Name] = st
	}
}

// start starts a command of hdbench's on a host.
func (s *stage) start(h *hosts.Host, args ...string) *hosts.Process {
	s.t.Helper()
	p, err := h.Start(hosts.Command{Dir: "/tmp", Args: append([]string{"/tmp/hdbench"}, args...)})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *stage) sweep() *hosts.Process {
	s.t.Helper()
	return s.start(s.ctl, append([]string{"sweep", "s.yaml", "--out", s.out, "--host-wait", hostWait}, s.args...)...)
}

// lines are the records so far.
func (s *stage) lines() (records []*results.Trial) {
	f, err := os.Open(s.ctl.Path(s.out + "/trials.jsonl"))
	if err != nil {
		return nil // not yet
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		t := new(results.Trial)
		if err := json.Unmarshal(in.Bytes(), t); err != nil {
			s.t.Fatalf("%s: %v", s.out, err)
		}
		records = append(records, t)
	}
	return records
}

// until waits for a condition while a process runs.
func (s *stage) until(p *hosts.Process, what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.Ended():
			s.t.Fatalf("it ended (%d) before %s:\n%s", p.ExitCode(), what, p.Output())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s\n%s", what, p.Output())
		}
	}
}

// hasRunning finds a process of ours on a host: hdbench's relay or load.
func (s *stage) hasRunning(h *hosts.Host, command string) bool {
	now, err := h.Look()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Contains(strings.Join(now.Processes, "\n"), "/hdbench "+command+" ")
}

// underWay waits until a trial is being made, not the first.
func (s *stage) underWay(p *hosts.Process) {
	s.t.Helper()
	s.until(p, "two records", func() bool { return len(s.lines()) >= 2 })
	s.until(p, "a trial under way", func() bool { return s.hasRunning(s.c, "load") && s.hasRunning(s.relay, "relay") })
}

// ends waits for the end of a sweep and holds its exit code and what it says
// against what is wanted.
func (s *stage) ends(p *hosts.Process, code int, says ...string) {
	s.t.Helper()
	select {
	case <-p.Ended():
	case <-time.After(10 * time.Minute):
		_ = p.Signal(unix.SIGQUIT)
		s.t.Fatalf("it does not end:\n%s", p.Output())
	}
	if got := p.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d:\n%s", got, code, p.Output())
	}
	for _, want := range says {
		if !strings.Contains(p.Output(), want) {
			s.t.Errorf("it does not say %q:\n%s", want, p.Output())
		}
	}
}

// valid checks the folder and returns how many records there are of measurements
// that failed, and the reason of the last.
func (s *stage) valid() (failed int, why string) {
	s.t.Helper()
	if _, err := results.Open(s.ctl.Path(s.out)); err != nil {
		s.t.Errorf("the folder is not valid: %v", err)
	}
	for _, r := range s.lines() {
		switch {
		case r.Error != "":
			failed, why = failed+1, r.Error
			if r.Load != nil || r.Relay != nil {
				s.t.Errorf("%s has failed, and has numbers", r.ID)
			}
		case r.NA != "":
		case r.Load == nil || r.Load.SentPackets == 0:
			s.t.Errorf("%s has not failed, and nothing was sent", r.ID)
		}
	}
	return failed, why
}

// finished checks that every trial is there with numbers.
func (s *stage) finished() {
	s.t.Helper()
	s.valid()
	set, err := results.Open(s.ctl.Path(s.out))
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, r := range set.Trials {
		if r.Kind == results.KindTrial && r.OK() {
			n++
		}
	}
	if want := rates * s.runs; n != want {
		s.t.Errorf("%d trials have numbers, want %d", n, want)
	}
}

// resumes continues the sweep to its end.
func (s *stage) resumes() {
	s.t.Helper()
	s.ends(s.start(s.ctl, append([]string{"sweep", "--resume", s.out, "--host-wait", hostWait}, s.args...)...), 0)
	s.finished()
}

// nothingLeft waits until every host is as it was, but for the results, the copied
// binary and sshd's log. While the way to a host is cut, its sshd does not know that
// a session is over: that is not ours. What is on a host without power is removed
// by the next agent there.
func (s *stage) nothingLeft(cut ...*hosts.Host) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	for _, h := range s.lab.Hosts() {
		if h.Off() {
			continue
		}
		before := s.before[h.Name]
		if slices.Contains(cut, h) {
			now, err := h.Look()
			s.check(err)
			before.Processes = append(slices.Clone(before.Processes), "sshd: root@notty")
			before.Sockets = append(slices.Clone(before.Sockets), now.Sockets...)
		}
		left, err := h.AwaitIdle(ctx, before, func(file string) bool {
			return strings.HasPrefix(file, s.out) || strings.HasPrefix(file, "/root/.cache") || file == "/var/tmp/sshd.log"
		})
		if err != nil {
			s.t.Error(err)
		}
		if !left.Empty() {
			s.t.Errorf("left on %s:\n%s", h.Name, left)
		}
	}
}

// reachable waits until the controller's host can log in again.
func (s *stage) reachable(h *hosts.Host) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	for {
		_, err := s.ctl.Run(ctx, hosts.Command{Args: []string{"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", h.Name, "true"}})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatal(err)
		}
	}
}

// check fails the test on an error of the lab's.
func (s *stage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// retried says how a sweep went on by itself.
func (s *stage) retried(atLeast int) string {
	s.t.Helper()
	failed, why := s.valid()
	if failed < atLeast {
		s.t.Errorf("%d measurements failed, want %d at least", failed, atLeast)
	}
	s.finished()
	if failed == 0 {
		return "no trial failed"
	}
	s.t.Logf("last reason: %s", why)
	return fmt.Sprintf("%d failed, retried", failed)
}
