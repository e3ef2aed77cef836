package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const killScenario = `
name: killed
warmup: 50ms
measure: 300ms
runs: 3
load: {pairs: 2, rate: [10Mbps, 20Mbps]}
relays: [{relay: hd, workers: 1}]
`

// startSweep starts a sweep in a directory of its own.
func startSweep(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(killScenario), 0o644); err != nil {
		t.Fatal(err)
	}
	return sweepIn(t, dir, "sweep", "s.yaml", "--out", "out"), dir
}

// sweepIn is hdbench with these arguments, run by this test binary: testscript
// has put it on the PATH under that name.
func sweepIn(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("hdbench", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, lockFor(dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// lockFor is the environment that gives sweeps of a folder's a lock of their own:
// tests run at the same time.
func lockFor(dir string) string { return "HDBENCH_LOCK=test" + strings.ReplaceAll(dir, "/", "-") }

// waitForTrials waits until a folder has n records.
func waitForTrials(t *testing.T, dir string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "out", "trials.jsonl"))
		if err == nil && bytes.Count(b, []byte("\n")) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %d records: %v", n, err)
		}
	}
}

func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		left := processesIn(dir)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %v", left)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "hdbench-agent-*")); len(files) > 0 {
		t.Errorf("temporary files are left: %v", files)
	}
}

// finish resumes the sweep and checks that all trials are there, each once.
func finish(t *testing.T, dir string) {
	t.Helper()
	if out, err := sweepIn(t, dir, "sweep", "--resume", "out").CombinedOutput(); err != nil {
		t.Fatalf("resume: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out", "trials.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := measured(string(b))
	if err != nil {
		t.Error(err)
	}
	if len(lines) != 1+2*3 {
		t.Errorf("%d records, want a calibration and six trials", len(lines))
	}
	nothingRuns(t, dir)
}

func TestKilledSweepResumes(t *testing.T) {
	cmd, dir := startSweep(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForTrials(t, dir, 3)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	nothingRuns(t, dir)
	finish(t, dir)
}

func TestInterruptedSweepSaysHowToGoOn(t *testing.T) {
	cmd, dir := startSweep(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForTrials(t, dir, 2)
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
	}
	if !bytes.Contains(stderr.Bytes(), []byte("hdbench sweep --resume out")) {
		t.Errorf("it said: %s", stderr.String())
	}
	nothingRuns(t, dir)
	finish(t, dir)
}

func TestRelayDrainsOnSIGTERM(t *testing.T) {
	cmd := sweepIn(t, t.TempDir(), "relay", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready struct{ Addr, Key string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil || ready.Addr == "" || len(ready.Key) != 64 {
		t.Fatalf("first line: %+v, %v", ready, err)
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v, want exit code 0", err)
	}
}
