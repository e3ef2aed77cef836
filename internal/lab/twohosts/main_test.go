//go:build labhost

package twohosts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hdbench/internal/lab/hosts"
	"hdbench/results"
)

// hdbench is the binary under test, and derper the baseline beside it.
var hdbench, derper string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build builds hdbench, or takes what scripts/two-hosts.sh has built.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hdbench-two-hosts-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	hdbench = filepath.Join(dir, "hdbench")
	cmd := exec.Command("go", "build", "-ldflags", "-X main.buildVersion=two-hosts", "-o", hdbench, "hdbench/cmd/hdbench")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	derper, err = filepath.Abs("../../../bin/derper-1.102.5")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// room is a lab with hdbench, derper and a scenario on one host, from where
// sweeps are driven.
func room(t *testing.T, specs ...hosts.Spec) *hosts.Lab {
	t.Helper()
	l, err := hosts.New(t.Context(), specs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// install puts hdbench, derper and a scenario into a host.
func install(t *testing.T, h *hosts.Host) {
	t.Helper()
	for from, to := range map[string]string{hdbench: "/tmp/hdbench", derper: "/tmp/derper-1.102.5"} {
		if err := h.Put(from, to); err != nil {
			t.Fatal(err)
		}
	}
	write(t, h, "/tmp/s.yaml", scenario)
}

func write(t *testing.T, h *hosts.Host, path, text string) {
	t.Helper()
	if err := os.WriteFile(h.Path(path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scenario is small: every relay, both transports, one trial each.
const scenario = `
name: twohosts
warmup: 100ms
measure: 400ms
runs: 1
load: {pairs: 4, rate: [200Mbps]}
relays:
  - {relay: hd, workers: 1, transport: [tcp, tls]}
  - {relay: derper, transport: [tcp]}
`

// sweep runs hdbench sweep on a host and returns what it said.
func sweep(t *testing.T, h *hosts.Host, user string, args ...string) string {
	t.Helper()
	out, err := trySweep(t, h, user, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func trySweep(t *testing.T, h *hosts.Host, user string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	p := startSweepAs(t, h, user, args...)
	select {
	case <-p.Ended():
	case <-ctx.Done():
		p.Kill()
		return "", fmt.Errorf("%w: %s", ctx.Err(), p.Output())
	}
	if code := p.ExitCode(); code != 0 {
		return p.Stdout(), fmt.Errorf("hdbench sweep %s: exit code %d: %s", strings.Join(args, " "), code, p.Output())
	}
	t.Log(p.Output())
	return p.Stdout(), nil
}

// startSweep starts hdbench sweep on a host, as root.
func startSweep(t *testing.T, h *hosts.Host, args ...string) *hosts.Process {
	t.Helper()
	return startSweepAs(t, h, "root", args...)
}

func startSweepAs(t *testing.T, h *hosts.Host, user string, args ...string) *hosts.Process {
	t.Helper()
	p, err := h.Start(hosts.Command{User: user, Dir: "/tmp", Args: append([]string{"/tmp/hdbench", "sweep", "--full"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open reads a folder of results of a host's.
func open(t *testing.T, h *hosts.Host, dir string) *results.Set {
	t.Helper()
	set, err := results.Open(h.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	return set
}
