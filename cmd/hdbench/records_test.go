package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"hdbench/loadgen"
)

// Where tests sweep for real, their host may be too busy: a load that had no CPU in
// its window refuses, its record says so, and the sweep makes the trial again. What
// must hold whatever the noise: each trial is measured once, and nothing else fails.

// starved reports whether an error is a load's that had no CPU.
func starved(text string) bool {
	return strings.Contains(text, loadgen.ErrStarved.Error()) || strings.Contains(text, "the start time has passed by")
}

// measured are the lines of a trials.jsonl that count: all but those of loads that
// had no CPU. It is an error if another trial failed, or one is there twice, or one
// that had no CPU was not made again.
func measured(text string) (lines []string, err error) {
	good, poor := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		var r struct{ ID, Error string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		switch {
		case good[r.ID]:
			return nil, fmt.Errorf("trial %s is measured and made again", r.ID)
		case r.Error == "":
			good[r.ID] = true
			lines = append(lines, line)
		case starved(r.Error):
			poor[r.ID] = true
		default:
			return nil, fmt.Errorf("trial %s failed: %s", r.ID, r.Error)
		}
	}
	for id := range poor {
		if !good[id] {
			return nil, fmt.Errorf("trial %s had no CPU and was not made again", id)
		}
	}
	return lines, nil
}

// trials FILE N checks that a trials.jsonl has N trials.
func trials(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines, err := measured(ts.ReadFile(args[0]))
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	if len(lines) != want {
		ts.Fatalf("%s has %d trials, want %d", args[0], len(lines), want)
	}
}

// tidy FILE leaves out of a trials.jsonl what a busy host has kept from being
// measured.
func tidy(ts *testscript.TestScript, neg bool, args []string) {
	lines, err := measured(ts.ReadFile(args[0]))
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o644))
}

// patiently COMMAND... runs a load until it had CPU to measure with.
func patiently(ts *testscript.TestScript, neg bool, args []string) {
	for range 30 {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if !starved(ts.ReadFile("stderr")) {
			ts.Fatalf("%v: %v", args, err)
		}
	}
	ts.Fatalf("%v: there was never CPU for it", args)
}
