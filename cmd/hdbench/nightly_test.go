package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const nightScenario = `
name: night
warmup: 50ms
measure: 100ms
runs: 6
seed: 3
compare-at: 5Mbps
load:
  pairs: 2
  tick: 10ms
  rate: 5Mbps
  search: {width: 50%, min: 1Mbps, max: 4Mbps, initial: 100ms, final: 100ms, duration-sum: 200ms}
relays: [{relay: hd, workers: 1}]
`

// step is a command of the workflow or of the service, as it is written there.
type step struct{ name, command string }

// workflowSteps are the commands of the GitHub Actions workflow.
func workflowSteps(t *testing.T) []step {
	t.Helper()
	b, err := os.ReadFile("../../.github/workflows/nightly.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Run string }
		}
	}
	if err := yaml.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, s := range w.Jobs["nightly"].Steps {
		if s.Run != "" {
			steps = append(steps, step{s.Name, s.Run})
		}
	}
	return steps
}

// unitLines are the values that a systemd unit gives a key.
func unitLines(t *testing.T, name, key string) []string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/systemd/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, v)
		}
	}
	return values
}

// night is a place to run nights in.
type night struct {
	t        *testing.T
	root     string // of the repository
	history  string
	scenario string
	summary  string
	hdbench  string
}

func newNight(t *testing.T) *night {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n := &night{t, root, filepath.Join(dir, "history"), filepath.Join(dir, "night.yaml"), filepath.Join(dir, "summary.md"), "hdbench"}
	n.write(n.scenario, nightScenario)
	return n
}

func (n *night) write(file, text string) {
	n.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		n.t.Fatal(err)
	}
}

// run runs a command as the runner does, but with a small scenario.
func (n *night) run(command string) (code int, output string) {
	n.t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command)
	cmd.Dir = n.root
	cmd.Env = append(os.Environ(), "HISTORY="+n.history, "SCENARIO="+n.scenario, "HDBENCH="+n.hdbench,
		"GITHUB_STEP_SUMMARY="+n.summary, "TMPDIR="+filepath.Dir(n.history), lockFor(n.history))
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.t.Fatalf("%s: %v", command, err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// nights are the folders there, oldest first.
func (n *night) nights() []string {
	dirs, err := filepath.Glob(filepath.Join(n.history, "night-*"))
	if err != nil {
		n.t.Fatal(err)
	}
	slices.Sort(dirs)
	return dirs
}

// good is the last good night.
func (n *night) good() string {
	to, err := os.Readlink(filepath.Join(n.history, "night.good"))
	if err != nil {
		n.t.Fatal(err)
	}
	return filepath.Join(n.history, to)
}

func (n *night) text(file string) string {
	n.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// What the workflow and the service run must work as it stands there: a night, and
// another that is compared with it. Building is only tried for its targets.
func TestNightlyCommandsRun(t *testing.T) {
	service := newNight(t)
	var units []step
	for _, line := range unitLines(t, "hdbench-nightly.service", "ExecStart") {
		dir := unitLines(t, "hdbench-nightly.service", "WorkingDirectory")[0]
		units = append(units, step{"service", strings.ReplaceAll(line, dir, service.root)})
	}
	for _, source := range []struct {
		name  string
		steps []step
	}{{"workflow", workflowSteps(t)}, {"service", units}} {
		t.Run(source.name, func(t *testing.T) {
			n := newNight(t)
			ran := 0
			for again := range 2 {
				for _, s := range source.steps {
					if target, ok := strings.CutPrefix(s.command, "make "); ok {
						if code, out := n.run("make -n " + target); code != 0 {
							t.Errorf("%s: exit code %d:\n%s", s.command, code, out)
						}
						continue
					}
					ran++
					code, out := n.run(s.command)
					// So short a sweep may differ from the one before, or be invalid;
					// what becomes of it then is another test's business.
					if code != 0 && !(again == 1 && strings.Contains(out, "## Comparison: ")) {
						t.Fatalf("%s: exit code %d:\n%s", s.command, code, out)
					}
				}
			}
			if ran != 2 {
				t.Fatalf("%d commands were run twice, want 1", ran/2)
			}
			dirs := n.nights()
			if len(dirs) != 2 {
				t.Fatalf("nights: %v", dirs)
			}
			for _, f := range []string{"report.md", "report.txt", "compare.md", "trend.md", "trials.jsonl"} {
				for _, dir := range dirs {
					if n.text(filepath.Join(dir, f)) == "" {
						t.Errorf("%s of %s is empty", f, dir)
					}
				}
			}
			if first := n.text(filepath.Join(dirs[0], "compare.md")); !strings.Contains(first, "The first night") {
				t.Errorf("first night: %s", first)
			}
			if second := n.text(filepath.Join(dirs[1], "compare.md")); !strings.Contains(second, "## Comparison: ") {
				t.Errorf("second night: %s", second)
			}
			if page := n.text(filepath.Join(n.history, "night.html")); !strings.Contains(page, "night, 2 nights") {
				t.Errorf("page of the trend: %.300s", page)
			}
			if source.name == "workflow" && strings.Count(n.text(n.summary), "# night-") != 2 {
				t.Errorf("summary: %s", n.text(n.summary))
			}
		})
	}
}

// What compare says decides what the next night is compared with, and the exit code.
func TestNightlyKeepsTheLastGoodNight(t *testing.T) {
	n := newNight(t)
	n.hdbench = filepath.Join(filepath.Dir(n.history), "stand-in")
	measured := filepath.Join(filepath.Dir(n.history), "measured")
	if code, out := n.run("hdbench sweep " + n.scenario + " --out " + measured); code != 0 {
		t.Fatal(out)
	}
	// Stands in for hdbench: its sweeps are copies of one, a second apart since
	// nights are named by it, and compare says code.
	says := func(code int) {
		n.write(n.hdbench, fmt.Sprintf(`#!/bin/sh
case "$1" in
sweep) sleep 1.1; exec cp -r %s "$4" ;;
compare) while [ "$1" != --output ]; do shift; done; echo said %[2]d >"$2"; exit %[2]d ;;
esac
exec hdbench "$@"
`, measured, code))
	}
	for i, c := range []struct {
		compare, code int
		good          int // which night is the good one afterwards
	}{{9, 0, 0}, {0, 0, 1}, {1, 1, 1}, {4, 4, 1}, {2, 2, 1}, {3, 0, 5}} {
		says(c.compare)
		code, out := n.run("scripts/nightly.sh")
		dirs := n.nights()
		if len(dirs) != i+1 {
			t.Fatalf("night %d: %v\n%s", i, dirs, out)
		}
		if code != c.code || n.good() != dirs[c.good] {
			t.Errorf("night %d, compare says %d: exit code %d, want %d; good is %s, want %s\n%s", i, c.compare, code, c.code, n.good(), dirs[c.good], out)
		}
		if c.compare == 3 && !strings.Contains(n.text(filepath.Join(dirs[i], "compare.md")), "a new history begins") {
			t.Error("that a new history begins is not said")
		}
	}

	before := len(n.nights())
	n.scenario, n.hdbench = "nowhere.yaml", "hdbench"
	if code, out := n.run("scripts/nightly.sh"); code != 2 || !strings.Contains(out, "nowhere.yaml") {
		t.Errorf("no scenario: exit code %d\n%s", code, out)
	}
	if len(n.nights()) != before {
		t.Error("a sweep that was not run leaves a night")
	}
}

// The units name keys that systemd has, in the sections where it has them.
func TestUnitsAreWellFormed(t *testing.T) {
	known := map[string][]string{
		"[Unit]":    {"Description", "After"},
		"[Service]": {"Type", "User", "WorkingDirectory", "StateDirectory", "Environment", "ExecStart", "TimeoutStartSec", "KillSignal", "TimeoutStopSec", "LimitNOFILE"},
		"[Timer]":   {"OnCalendar", "AccuracySec", "Persistent"},
		"[Install]": {"WantedBy"},
	}
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range []string{"hdbench-nightly.service", "hdbench-nightly.timer"} {
		b, err := os.ReadFile("../../deploy/systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		section := ""
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			key, _, ok := strings.Cut(line, "=")
			switch {
			case line == "" || line[0] == '#':
			case known[line] != nil:
				section = line
			case !ok || !slices.Contains(known[section], key):
				t.Errorf("%s: %q in %s", name, line, section)
			}
		}
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(strings.ReplaceAll(string(b), "/opt/hdbench", root)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// systemd's own opinion, on hosts that have it.
	if path, err := exec.LookPath("systemd-analyze"); err == nil {
		if out, err := exec.Command(path, append([]string{"verify"}, files...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}
}
