package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hdbench/internal/profile"
	"hdbench/results"
)

func newProfile(s *streams) *cobra.Command {
	o := profileOptions{config: profile.Config{FrequencyHz: profile.DefaultFrequency}}
	cmd := &cobra.Command{
		Use:   "profile --pid PID",
		Short: "where a running relay spends its CPU time, by category and by function",
		Long: `Sample a running process, its threads and its descendants: of a relay or of
anything else, in Go, C or C++. Nothing is changed in it, and it goes on.

Samples are of CPU cycles where there is a PMU, else of a timer that runs while
the process does (cpu-clock). Sampling the kernel needs root, CAP_PERFMON or
kernel.perf_event_paranoid at 1.

--out writes profile.pb.gz for go tool pprof, and profile.folded for flame graph
programs. --rules puts functions into categories of your own; the rules that are
built in are printed by --print-rules.`,
		Example: `  hdbench profile --pid 1234 --duration 5s
  hdbench profile --pid 1234 --out /tmp/profile --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runProfile(cmd.Context(), s, o) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVar(&o.config.PID, "pid", 0, "the process")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "how long; Ctrl-C ends it sooner, with what there is")
	f.IntVar(&o.config.FrequencyHz, "frequency", profile.DefaultFrequency, "samples a second of a busy CPU")
	f.StringVar(&o.out, "out", "", "folder for the profile and its folded stacks")
	f.StringVar(&o.rules, "rules", "", "file with the rules of the categories; default: those built in")
	f.StringVar(&o.format, "format", "terminal", "terminal or json")
	f.BoolVar(&o.printRules, "print-rules", false, "print the rules that are built in, and sample nothing")
	cmd.MarkFlagsOneRequired("pid", "print-rules")
	return cmd
}

type profileOptions struct {
	config     profile.Config
	duration   time.Duration
	out        string
	rules      string
	format     string
	printRules bool
}

func runProfile(ctx context.Context, s *streams, o profileOptions) error {
	if o.printRules {
		_, err := s.out.Write(profile.DefaultRules)
		return failed(err)
	}
	if o.format != "terminal" && o.format != "json" {
		return badInput(fmt.Errorf("profile: format %q: want terminal or json", o.format))
	}
	if o.duration <= 0 {
		return badInput(fmt.Errorf("profile: duration %v: want more than 0", o.duration))
	}
	if err := o.config.Check(); err != nil {
		return badInput(fmt.Errorf("profile: %w", err))
	}
	rules, err := profile.LoadRules(o.rules)
	if err != nil {
		return badInput(fmt.Errorf("profile: %w", err))
	}
	p, err := profile.Run(ctx, o.config, o.duration, rules)
	switch {
	case errors.Is(err, profile.ErrNoProcess):
		return coded(exitBadInput, fmt.Errorf("profile: %w", err), "ps -e lists processes; of a relay that runs in a container, give the host's number")
	case errors.Is(err, profile.ErrIdle):
		return coded(exitFailed, fmt.Errorf("profile: %w", err), "put load on it, or sample for longer with --duration")
	case err != nil:
		return failed(fmt.Errorf("profile: %w", err))
	}
	if o.out != "" {
		if err := writeProfile(p, o.out); err != nil {
			return failed(fmt.Errorf("profile: %w", err))
		}
	}
	if o.format == "json" {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		err = e.Encode(p.Summary)
	} else {
		err = printProfile(s, p, o.config.PID)
	}
	if err == nil && o.out != "" {
		fmt.Fprintf(s.err, "hdbench: go tool pprof -top %s; folded stacks in %s\n", p.Summary.File, p.Summary.Folded)
	}
	return failed(err)
}

// writeProfile writes both files, and notes their names in the summary.
func writeProfile(p *profile.Profile, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	p.Summary.File, p.Summary.Folded = filepath.Join(dir, "profile"+profile.EndingPprof), filepath.Join(dir, "profile"+profile.EndingFolded)
	return p.WriteFiles(p.Summary.File, p.Summary.Folded)
}

func printProfile(s *streams, p *profile.Profile, pid int) error {
	for i, t := range results.ProfileTables(fmt.Sprintf("Process %d (%s)", pid, p.Summary.Binary), &p.Summary) {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		if err := t.Write(s.out, results.Terminal); err != nil {
			return err
		}
	}
	return nil
}
