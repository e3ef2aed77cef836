package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hdbench/internal/fleet"
	"hdbench/results"
	"hdbench/scenarios"
)

func newSweep(s *streams) *cobra.Command {
	var o scenarios.Sweep
	var external []string
	var dryRun, full bool
	var hosts hostFlags
	cmd := &cobra.Command{
		Use:   "sweep [SCENARIO | FILE]",
		Short: "run a scenario and report; no argument: quick on this machine",
		Long: fmt.Sprintf(`Run a scenario: every configuration at every offered rate, several times, in
random order. It ends in one screen: what each carries, beside TS, and what
stopped it. --full prints every table instead, and hdbench report does so again.

SCENARIO is an embedded one (%s) or a YAML file.
Results go to a folder; Ctrl-C leaves one that --resume continues.

--external NAME=COMMAND adds any other DERP server. It is started for each
trial, with these placeholders filled in:
%s

--interleave measures two builds of hd in one sweep, trial by trial on the same
hosts with this hdbench's client. The folder then holds two, base and new, each
an ordinary results folder; hdbench compare judges them as pairs.

--profile samples every configuration once, after all rates, in a trial of its
own that makes no ceiling: CPU breakdown, pprof profiles and flame graphs. With
--resume it adds them to a sweep that has none.

Relay and clients run on this host, or over ssh on others: --relay-host and
--client-host take what ssh takes, or local. hdbench copies itself there, and
leaves nothing else behind. --data-addr is the relay's address on the link that is
measured. With --nats the agents are your own, found by role and label;
--relay-host and --client-host then choose them by name.`, strings.Join(scenarios.Names(), ", "), scenarios.PlaceholderHelp()),
		Example: `  hdbench sweep smoke --out /tmp/smoke
  hdbench sweep smoke --out /tmp/both --interleave /opt/hdbench-old
  hdbench sweep --relay-host me@relay --client-host me@c1 --client-host me@c2 --data-addr 10.50.0.1
  hdbench sweep nightly --inventory hosts.yaml
  hdbench sweep --nats tls://nats.example:4222 --nats-ca ca.pem --nkey me.nk --label rack=b4
  hdbench sweep --external 'mine=/opt/relay --addr {addr} --threads {workers}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			more, err := hosts.apply(&o)
			if err != nil {
				return badInput(fmt.Errorf("sweep: %w", err))
			}
			if o.RelayWait <= 0 {
				return badInput(fmt.Errorf("sweep: --relay-wait: %v: want more than nothing", o.RelayWait))
			}
			sc, err := sweepScenario(args, append(more, external...), o.Resume)
			if err != nil {
				return badInput(err)
			}
			o.Scenario = sc
			if o.Interleave != "" && sc != nil && !measuresHD(sc) {
				return badInput(fmt.Errorf("sweep: --interleave: scenario %s has no hd to measure with two builds", sc.Name))
			}
			if dryRun {
				return dryRunSweep(s, o)
			}
			return runSweep(cmd.Context(), s, o, full)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Out, "out", "", "folder for the results; default hdbench-out/SCENARIO-TIME")
	f.StringVar(&o.Resume, "resume", "", "folder of a sweep to continue")
	hosts.add(cmd, &o)
	f.StringVar(&o.Derper, "derper", "", "derper to use as the TS baseline; default: the one that make baseline built")
	f.StringArrayVar(&external, "external", nil, "NAME=COMMAND: another DERP server to measure; may be repeated")
	f.StringVar(&o.Interleave, "interleave", "", "BASE_BINARY: another hdbench; every trial of hd is made with its relay too, in turn")
	f.BoolVar(&o.Profile, "profile", false, "sample every configuration in a trial of its own: where its CPU time goes")
	f.BoolVar(&full, "full", false, "end in every table of the report, not in one screen")
	f.BoolVar(&o.Strict, "strict", false, "refuse to run, exit code 2, where a check of hdbench doctor fails")
	f.DurationVar(&o.RelayWait, "relay-wait", fleet.DefaultRelayWait, "how long a relay may take to accept connections")
	f.BoolVar(&dryRun, "dry-run", false, "print what would be run, and run nothing")
	cmd.MarkFlagsMutuallyExclusive("out", "resume")
	cmd.MarkFlagsMutuallyExclusive("external", "resume")
	return cmd
}

// sweepScenario is the scenario to run; nil for the resumed folder's own.
func sweepScenario(args, external []string, resume string) (*scenarios.Scenario, error) {
	name := scenarios.Default
	switch {
	case len(args) == 1:
		name = args[0]
	case resume != "":
		return nil, nil
	}
	sc, err := scenarios.Load(name)
	if err != nil {
		return nil, err
	}
	for _, e := range external {
		if err := sc.AddExternal(e); err != nil {
			return nil, fmt.Errorf("--external: %w", err)
		}
	}
	return sc, nil
}

func dryRunSweep(s *streams, o scenarios.Sweep) error {
	sc := o.Scenario
	if sc == nil {
		var err error
		dir := o.Resume
		if o.Interleave != "" {
			dir = filepath.Join(dir, results.BuildNew)
		}
		if sc, err = scenarios.Load(filepath.Join(dir, results.FileScenario)); err != nil {
			return badInput(err)
		}
	}
	sc.Profile = sc.Profile || o.Profile
	t, err := sc.Plan()
	if err != nil {
		return badInput(err)
	}
	if o.Interleave != "" {
		t.Notes = append(t.Notes, "Every trial of hd is made twice, with either build: the time for hd doubles.")
	}
	return t.Write(s.out, results.Terminal)
}

func runSweep(ctx context.Context, s *streams, o scenarios.Sweep, full bool) error {
	var err error
	if o.Binary, err = os.Executable(); err != nil {
		return failed(fmt.Errorf("sweep: %w", err))
	}
	if o.Out == "" && o.Resume == "" {
		o.Out = filepath.Join("hdbench-out", o.Scenario.Name+"-"+time.Now().Format("20060102-150405"))
	}
	o.Version, o.Command = version(), s.argv
	o.Progress = scenarios.NewProgress(s.err)
	o.Log = func(line string) { fmt.Fprintf(s.err, "hdbench: %s\n", line) }
	dir, err := o.Run(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(s.err, "\nhdbench: interrupted; what was measured is kept, continue with: hdbench sweep --resume %s\n", dir)
		return errInterrupted
	case errors.Is(err, scenarios.ErrNoResult):
		show := printReport
		if o.Interleave != "" {
			show = printInterleaved
		}
		return errors.Join(show(s, dir, full), coded(exitFailed, fmt.Errorf("sweep: %w", err), resumeHint(dir)))
	case errors.Is(err, scenarios.ErrBadInput):
		return badInput(fmt.Errorf("sweep: %w", err))
	case errors.Is(err, fleet.ErrBusy) || errors.Is(err, fleet.ErrHeld):
		return coded(exitBusy, fmt.Errorf("sweep: %w", err), resumeHint(dir))
	case err != nil:
		return coded(exitFailed, fmt.Errorf("sweep: %w", err), resumeHint(dir))
	}
	if o.Interleave != "" {
		return printInterleaved(s, dir, full)
	}
	return printReport(s, dir, full)
}

// resumeHint says how to go on with what a sweep that failed has measured; empty
// if there is nothing.
func resumeHint(dir string) string {
	for _, place := range []string{dir, filepath.Join(dir, results.BuildNew)} {
		if _, err := os.Stat(filepath.Join(place, results.FileEnvironment)); err == nil {
			return "results so far are kept; fix the cause, then run: hdbench sweep --resume " + dir
		}
	}
	return ""
}

func measuresHD(sc *scenarios.Scenario) bool {
	return slices.ContainsFunc(sc.Relays, func(r scenarios.RelayAxes) bool { return r.Relay == results.RelayHD })
}

// printInterleaved derives both folders' files and prints their comparison. It is
// no gate: compare has the exit code.
func printInterleaved(s *streams, dir string, full bool) error {
	dirs := []string{filepath.Join(dir, results.BuildBase), filepath.Join(dir, results.BuildNew)}
	for _, d := range dirs {
		if _, err := deriveReport(d); err != nil {
			return failed(err)
		}
	}
	sets, err := openAll(dirs)
	if err != nil {
		return failed(err)
	}
	g, err := results.Compare(sets[0], sets[1], results.DefaultFloors(), nil)
	if err != nil {
		return failed(err)
	}
	if full {
		err = g.Write(s.out, results.Terminal)
	} else {
		err = g.WriteScreen(s.out, "More: hdbench compare "+dir+"; each build: base/ and new/"+results.FilePage+" there")
	}
	if err != nil {
		return failed(err)
	}
	fmt.Fprintf(s.err, "\nhdbench: the folders %[1]s/base and %[1]s/new have their reports; judge them with: hdbench compare %[1]s\n", dir)
	return nil
}

// printReport derives a folder's files and prints the answer, or all of the report.
func printReport(s *streams, dir string, full bool) error {
	report, err := deriveReport(dir)
	if err != nil {
		return coded(exitFailed, err, "the records are whole; fix the cause, then run: hdbench report "+dir)
	}
	if full {
		err = report.Write(s.out, results.Terminal)
	} else {
		err = report.Answer().Write(s.out, "More: hdbench report "+dir+", or "+results.FilePage+" there")
	}
	if err != nil {
		return failed(err)
	}
	fmt.Fprintf(s.err, "\nhdbench: report in %s and %s, records in %s\n",
		filepath.Join(dir, results.FileReport), filepath.Join(dir, results.FilePage), filepath.Join(dir, results.FileTrials))
	return nil
}

func deriveReport(dir string) (*results.Report, error) {
	sc, err := scenarios.Load(filepath.Join(dir, results.FileScenario))
	if err != nil {
		return nil, err
	}
	return results.Derive(dir, sc.CompareAt)
}
