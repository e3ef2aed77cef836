package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/lab/byhand"
	"hdbench/internal/probe"
	"hdbench/internal/units"
	"hdbench/results"
)

// expected is how long one round lasts on a machine with two cores, until it is known.
const expected = 6 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "sweeps in a row; with 1 what takes several is not checked")
	flag.StringVar(&o.hdbench, "hdbench", "bin/hdbench", "the binary under test")
	flag.StringVar(&o.derper, "derper", "bin/derper-1.102.5", "the TS baseline")
	flag.StringVar(&o.scenario, "scenario", "", "a scenario instead of the default one")
	flag.DurationVar(&o.window, "measure", 2*time.Second, "the window of a look by hand")
	flag.Parse()
	held, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "answer-selftest:", err)
		os.Exit(1)
	case !held:
		fmt.Fprintln(os.Stderr, "answer-selftest: a promise does not hold on this machine")
		os.Exit(1)
	}
	fmt.Println("answer-selftest: ok")
}

type options struct {
	rounds                    int
	hdbench, derper, scenario string
	window                    time.Duration
}

// round is one sweep, and what was found by hand after it.
type round struct {
	dir    string
	report *byhand.Report
	top    map[string]byhand.Top // by configuration
}

func (o *options) run(ctx context.Context) (bool, error) {
	dir, err := os.MkdirTemp("", "hdbench-answers-*")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	var rounds []round
	started := time.Now()
	for i := 1; i <= o.rounds; i++ {
		left := expected * time.Duration(o.rounds)
		if i > 1 {
			left = time.Since(started) / time.Duration(i-1) * time.Duration(o.rounds-i+1)
		}
		say("round %d/%d, %v left", i, o.rounds, left.Round(time.Minute))
		r, err := o.round(ctx, filepath.Join(dir, fmt.Sprintf("sweep-%d", i)), i)
		if err != nil {
			return false, err
		}
		rounds = append(rounds, r)
	}
	checks := &checks{}
	ceilings := checks.ceilings(rounds)
	ratios := checks.ratios(rounds)
	tables := []*results.Table{ceilings, ratios}
	if len(rounds) > 1 {
		compared, err := o.compare(ctx, rounds)
		if err != nil {
			return false, err
		}
		checks.winners(rounds)
		checks.overlaps(rounds)
		tables = append(tables, checks.compared(compared))
	} else {
		checks.skip("one sweep: whether sweeps agree in their winner, their ratios and by hdbench compare was not checked")
	}
	for _, t := range append(tables, checks.table()) {
		if err := t.Write(os.Stdout, results.Terminal); err != nil {
			return false, err
		}
		fmt.Println()
	}
	return checks.held(), nil
}

// round makes a sweep and then drives each of its configurations by hand.
func (o *options) round(ctx context.Context, dir string, number int) (round, error) {
	r := round{dir: dir, top: map[string]byhand.Top{}}
	argv := []string{o.hdbench, "sweep", "--out", dir, "--derper", o.derper}
	if o.scenario != "" {
		argv = slices.Insert(argv, 2, o.scenario)
	}
	sweeping, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	begun := time.Now()
	if _, err := byhand.Run(sweeping, func(line string) { say("sweep %d: %s", number, line) }, argv...); err != nil {
		return r, err
	}
	say("sweep %d took %v", number, time.Since(begun).Round(time.Second))
	var err error
	if r.report, err = byhand.ReadReport(ctx, o.hdbench, dir); err != nil {
		return r, err
	}
	relayCPUs, err := r.report.CPUs("relay")
	if err != nil {
		return r, err
	}
	clientCPUs, err := r.report.CPUs("client")
	if err != nil {
		return r, err
	}
	near, err := nearOf(relayCPUs, clientCPUs)
	if err != nil {
		return r, err
	}
	for _, c := range r.report.Ceilings {
		if c.Delivered == nil {
			continue
		}
		climb := byhand.Climb{
			Relay:   byhand.Relay{Hdbench: o.hdbench, Transport: c.Config.Transport, Workers: c.Config.Workers, CPUs: relayCPUs},
			Load:    byhand.Load{Hdbench: o.hdbench, Transport: c.Config.ClientSide(), CPUs: clientCPUs, Measure: o.window, Flags: loadFlags(c.Config.Load)},
			Halving: 3, Near: near,
		}
		if c.Config.Relay == results.RelayDerper {
			climb.Relay.Derper = o.derper
		}
		top, err := climb.Run(ctx)
		if err != nil {
			return r, fmt.Errorf("%s by hand: %w", c.Configuration, err)
		}
		r.top[c.Configuration] = top
		say("round %d: %s: the sweep's ceiling %.0f Mbps (limit %s), by hand %.0f Mbps delivered at %s, %.0f carried", number,
			c.Configuration, *c.Delivered.Value/1e6, c.Limit.What, top.Most/1e6, top.At, top.Carried/1e6)
	}
	return r, nil
}

// nearOf waits for the first CPU of each to be near, as a sweep does.
func nearOf(relay, client string) (*probe.Near, error) {
	r, err := cpu.Parse(relay)
	if err != nil {
		return nil, err
	}
	c, err := cpu.Parse(client)
	if err != nil {
		return nil, err
	}
	if r.IsEmpty() || c.IsEmpty() {
		return nil, fmt.Errorf("relay CPUs %q, client CPUs %q: want one at least of each", relay, client)
	}
	return probe.NewNear(func(context.Context) (time.Duration, error) { return probe.Distance(r.List()[0], c.List()[0]) }), nil
}

// loadFlags are the flags of hdbench load for the shape of a sweep's load.
func loadFlags(s results.Shape) []string {
	f := []string{
		"--pattern", s.Pattern, "--pairs", fmt.Sprint(s.Pairs), "--payload", units.Bytes(s.PayloadBytes).String(),
		"--burst", s.Burst, "--tick", time.Duration(s.TickNS).String(),
	}
	if s.Congestion != "" {
		f = append(f, "--congestion", s.Congestion)
	}
	return f
}

// comparison is what hdbench compare said of two sweeps.
type comparison struct {
	a, b    int    // their rounds, from 1
	Outcome string `json:"outcome"`
	Judged  int    `json:"points_judged"`
	Base    struct {
		Points int `json:"points"`
	} `json:"base"`
	New struct {
		Points int `json:"points"`
	} `json:"new"`
	Changes []struct {
		Configuration string          `json:"configuration"`
		Of            string          `json:"of"`
		Verdict       results.Verdict `json:"verdict"`
	} `json:"changes"`
}

// share is the share of the smaller sweep's points that were judged.
func (c *comparison) share() float64 {
	return float64(c.Judged) / float64(min(c.Base.Points, c.New.Points))
}

// compare holds every two sweeps against each other.
func (o *options) compare(ctx context.Context, rounds []round) ([]comparison, error) {
	var all []comparison
	for i := range rounds {
		for j := i + 1; j < len(rounds); j++ {
			out, err := byhand.Run(ctx, nil, o.hdbench, "compare", "--format", "json", rounds[i].dir, rounds[j].dir)
			var exit *byhand.ExitError
			if err != nil && (!errors.As(err, &exit) || len(out) == 0) {
				return nil, err
			}
			c := comparison{a: i + 1, b: j + 1}
			if err := json.Unmarshal(out, &c); err != nil {
				return nil, fmt.Errorf("compare: %w", err)
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "answer-selftest: "+format+"\n", args...)
}
