//go:build lab

package main

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hdbench/results"
)

// The lab's machine has a wall clock of its own: it can be stepped under a sweep.
// Nothing that is measured is timed by it.
func TestASweepDoesNotSeeTheWallClockStep(t *testing.T) {
	cmd, dir := startSweep(t)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Minutes: more than there can be between two starts, however slow the host is.
	for i, seconds := range []int64{180, -180, -180} {
		waitForTrials(t, dir, 2+i)
		var now unix.Timeval
		if err := unix.Gettimeofday(&now); err != nil {
			t.Fatal(err)
		}
		now.Sec += seconds
		if err := unix.Settimeofday(&now); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "failed, trying again:") && !strings.Contains(line, "the start time has passed by") {
			t.Errorf("a measurement failed, and not because the machine is busy: %s", line)
		}
	}
	set, err := results.Open(dir + "/out")
	if err != nil {
		t.Fatal(err)
	}
	stepped := false
	for i, tr := range set.Trials {
		if !tr.OK() {
			t.Errorf("%s: %s, attempt %d", tr.ID, tr.Error, tr.Attempt)
			continue
		}
		if loss, ok := tr.Load.Loss(); tr.Kind == results.KindTrial && (!ok || loss != 0) {
			t.Errorf("%s: loss %v", tr.ID, loss)
		}
		if tr.Seconds <= 0 || tr.Seconds > 60 {
			t.Errorf("%s took %v s", tr.ID, tr.Seconds)
		}
		stepped = stepped || i > 0 && tr.Started.Before(set.Trials[i-1].Started)
	}
	if len(set.Trials) != 1+2*3 {
		t.Errorf("%d records, want a calibration and six trials", len(set.Trials))
	}
	if !stepped {
		t.Error("no record shows that the clock was set back")
	}
	nothingRuns(t, dir)
	if t.Failed() {
		t.Log(said.String())
	}
}
