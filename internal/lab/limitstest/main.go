package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/results"
)

// What is promised of a sweep's limits.
const (
	wantRight = 0.95
	mostWrong = 0.02
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 20, "how often each cause is planted")
	flag.StringVar(&o.hdbench, "hdbench", "bin/hdbench", "the binary under test")
	flag.StringVar(&o.slow, "slow", "bin/hdbench-slowreader", "the same built with -tags slowreader")
	flag.StringVar(&o.derper, "derper", "bin/derper-1.102.5", "the TS baseline")
	flag.StringVar(&o.only, "only", "", "plants to be run, a part of their names, commas between; throttled, stopped")
	flag.StringVar(&o.keep, "keep", "", "folder for a trial of each plant, as the tests of package results read them")
	flag.Parse()
	ok, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "limits-selftest:", err)
		os.Exit(1)
	case !ok:
		fmt.Fprintln(os.Stderr, "limits-selftest: a promise does not hold on this machine")
		os.Exit(1)
	}
	fmt.Println("limits-selftest: ok")
}

type options struct {
	rounds                            int
	hdbench, slow, derper, only, keep string
}

func (o *options) wants(name string) bool {
	if o.only == "" {
		return true
	}
	for part := range strings.SplitSeq(o.only, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// tally is what the sweeps said of one plant.
type tally struct {
	plant
	right, wrong, unclear, failed int
	said                          map[results.Cause]int
	evidence                      string // of the last that was not right
}

func (o *options) run(ctx context.Context) (ok bool, err error) {
	b, err := newBench(ctx, o.hdbench, o.slow, o.derper)
	if err != nil {
		return false, err
	}
	defer b.close()
	b.keep = o.keep
	var todo []*tally
	for _, p := range plants {
		if o.wants(p.name) {
			todo = append(todo, &tally{plant: p, said: map[results.Cause]int{}})
		}
	}
	say("what hd and derper carry here")
	if err := b.measure(ctx); err != nil {
		return false, err
	}
	say("hd carries %v, derper delivers %v at most", roundRate(b.hd), roundRate(b.ts))
	if err := b.connect(ctx); err != nil {
		return false, err
	}
	ok = true
	// In rounds, so that a busy minute is not one plant's alone.
	started, done, all := time.Now(), 0, o.rounds*len(todo)
	for round := 1; round <= o.rounds; round++ {
		for _, t := range todo {
			said, evidence, err := o.once(ctx, b, t)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			t.add(said, evidence, err)
			done++
			left := time.Since(started) / time.Duration(done) * time.Duration(all-done)
			say("%d/%d, %v left: %s: %s", done, all, left.Round(time.Second), t.name, t.last(said, evidence, err))
		}
	}
	if len(todo) > 0 {
		table, held := limitsTable(todo)
		if err := table.Write(os.Stdout, results.Terminal); err != nil {
			return false, err
		}
		fmt.Println()
		ok = ok && held
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, *bench, int) (results.Table, bool, error)
	}{{"throttled", throttled}, {"stopped", stopped}} {
		if !o.wants(part.name) {
			continue
		}
		table, held, err := part.run(ctx, b, o.rounds)
		if err != nil {
			return false, err
		}
		if err := table.Write(os.Stdout, results.Terminal); err != nil {
			return false, err
		}
		fmt.Println()
		ok = ok && held
	}
	return ok, nil
}

// once makes one planted sweep and returns the limit that it named.
func (o *options) once(ctx context.Context, b *bench, t *tally) (results.Cause, string, error) {
	if err := b.group.limit(0); err != nil {
		return "", "", err
	}
	s, err := t.sweep(b)
	if err != nil {
		return "", "", err
	}
	r, set, err := b.run(ctx, s)
	if err != nil {
		return "", "", err
	}
	if o.keep != "" {
		if err := keep(o.keep, t.name, t.want, set); err != nil {
			return "", "", err
		}
	}
	if len(r.Ceilings) != 1 {
		return "", "", fmt.Errorf("the report has %d ceilings, want 1", len(r.Ceilings))
	}
	c := r.Ceilings[0]
	if c.Limit.What == "" {
		return "", "", errors.New("no ceiling: " + c.NA)
	}
	return c.Limit.What, c.Limit.Evidence, nil
}

func (t *tally) add(said results.Cause, evidence string, err error) {
	switch {
	case err != nil:
		t.failed++
		t.evidence = err.Error()
		return
	case said == t.want:
		t.right++
	case said == results.Unclear:
		t.unclear++
		t.evidence = evidence
	default:
		t.wrong++
		t.evidence = fmt.Sprintf("%s: %s", said, evidence)
	}
	t.said[said]++
}

func (t *tally) last(said results.Cause, evidence string, err error) string {
	switch {
	case err != nil:
		return "failed: " + err.Error()
	case said == t.want:
		return string(said)
	}
	return fmt.Sprintf("%s, want %s: %s", said, t.want, evidence)
}

func limitsTable(todo []*tally) (*results.Table, bool) {
	table := &results.Table{
		Title: "Limits that sweeps named, where the cause was planted", Keys: 1,
		Columns: []results.Column{{Head: "planted", Left: true}, {Head: "expected", Left: true}, {Head: "sweeps"}, {Head: "right"}, {Head: "wrong"}, {Head: "unclear"}, {Head: "failed"}, {Head: "", Left: true}},
	}
	ok := true
	for _, t := range todo {
		n := t.right + t.wrong + t.unclear + t.failed
		held := float64(t.right) >= wantRight*float64(n) && float64(t.wrong) <= mostWrong*float64(n)
		ok = ok && held
		table.Rows = append(table.Rows, []string{
			t.name, string(t.want), strconv.Itoa(n), strconv.Itoa(t.right), strconv.Itoa(t.wrong), strconv.Itoa(t.unclear), strconv.Itoa(t.failed), verdict(held),
		})
		if t.evidence != "" {
			table.Notes = append(table.Notes, fmt.Sprintf("%s (%s): the last that was not right: %s", t.name, t.what, t.evidence))
		}
	}
	table.Notes = append(table.Notes, fmt.Sprintf("Wanted of each: %.0f %% right at least, %.0f %% wrong at most, the rest unclear.", 100*wantRight, 100*mostWrong))
	return table, ok
}

func verdict(held bool) string {
	if held {
		return "holds"
	}
	return "does not hold"
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "limits-selftest: "+format+"\n", args...)
}
