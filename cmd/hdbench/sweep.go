package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hdbench/results"
	"hdbench/scenarios"
)

func newSweep(s *streams) *cobra.Command {
	var o scenarios.Sweep
	var external []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "sweep [SCENARIO | FILE]",
		Short: "run a scenario and report; no argument: quick on this machine",
		Long: fmt.Sprintf(`Run a scenario: every configuration at every offered rate, several times, in
random order, then tables and a report.

SCENARIO is an embedded one (%s) or a YAML file.
Results go to a folder; Ctrl-C leaves one that --resume continues.

--external NAME=COMMAND adds any other DERP server. It is started for each
trial, with these placeholders filled in:
%s`, strings.Join(scenarios.Names(), ", "), scenarios.PlaceholderHelp()),
		Example: `  hdbench sweep smoke --out /tmp/smoke
  hdbench sweep --external 'mine=/opt/relay --addr {addr} --threads {workers}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sc, err := sweepScenario(args, external, o.Resume)
			if err != nil {
				return badInput(err)
			}
			o.Scenario = sc
			if dryRun {
				return dryRunSweep(s, o)
			}
			return runSweep(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Out, "out", "", "folder for the results; default hdbench-out/SCENARIO-TIME")
	f.StringVar(&o.Resume, "resume", "", "folder of a sweep to continue")
	f.StringVar(&o.Derper, "derper", "", "derper to use as the TS baseline; default: the one that make baseline built")
	f.StringArrayVar(&external, "external", nil, "NAME=COMMAND: another DERP server to measure; may be repeated")
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
		if sc, err = scenarios.Load(filepath.Join(o.Resume, results.FileScenario)); err != nil {
			return badInput(err)
		}
	}
	t, err := sc.Plan()
	if err != nil {
		return badInput(err)
	}
	return t.Write(s.out, results.Terminal)
}

func runSweep(ctx context.Context, s *streams, o scenarios.Sweep) error {
	var err error
	if o.Binary, err = os.Executable(); err != nil {
		return failed(fmt.Errorf("sweep: %w", err))
	}
	if o.Out == "" && o.Resume == "" {
		o.Out = filepath.Join("hdbench-out", o.Scenario.Name+"-"+time.Now().Format("20060102-150405"))
	}
	o.Version, o.Command = version(), s.argv
	o.Progress = scenarios.NewProgress(s.err)
	dir, err := o.Run(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(s.err, "\nhdbench: interrupted; what was measured is kept, continue with: hdbench sweep --resume %s\n", dir)
		return errInterrupted
	case errors.Is(err, scenarios.ErrBadInput):
		return badInput(fmt.Errorf("sweep: %w", err))
	case err != nil:
		return failed(fmt.Errorf("sweep: %w", err))
	}
	return printReport(s, dir)
}

// printReport derives a folder's files and prints the terminal report.
func printReport(s *streams, dir string) error {
	report, err := deriveReport(dir)
	if err != nil {
		return failed(err)
	}
	if err := report.Write(s.out, results.Terminal); err != nil {
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
