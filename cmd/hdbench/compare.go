package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hdbench/results"
)

// compareOptions are what compare judges by.
type compareOptions struct {
	format, output string
	aa             []string
	metrics        []string
}

func newCompare(s *streams) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare BASE NEW | compare DIR",
		Short: "the gate: has a new build become worse?",
		Long: `Compare the results folder NEW with BASE, or the two sides of DIR, which sweep
--interleave has made. Every metric of every point that both have is judged.

A regression is significant after correction for the number of tests, larger
than its metric's floor, and for the worse. Improvements are shown and never
fail. Floors are built in; --aa measures them from folders of one build.

Exit codes: 0 no regression; 1 regression; 2 bad input; 3 the folders are not
comparable (what differs is said); 4 too few or invalid trials to say, or a sweep
that was interrupted before it had measured what the other has.`,
		Example: `  hdbench compare hdbench-out/base hdbench-out/new
  hdbench compare hdbench-out/base hdbench-out/new --format markdown --output summary.md
  hdbench compare hdbench-out/nightly-20260101-020000 --aa hdbench-out/aa1 --aa hdbench-out/aa2`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error { return runCompare(s, args, o) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.format, "format", "terminal", "terminal, markdown or json")
	f.StringVar(&o.output, "output", "", "file to write to; default stdout")
	f.StringArrayVar(&o.aa, "aa", nil, "folder of A/A runs of one build, to take the floors from; give two or more")
	f.StringSliceVar(&o.metrics, "metric", nil, "judge these only: "+strings.Join(metricNames(), ", ")+"; fewer tests need fewer runs")
	return cmd
}

func metricNames() []string {
	var names []string
	for _, m := range results.Metrics() {
		names = append(names, m.Name)
	}
	return names
}

func runCompare(s *streams, args []string, o compareOptions) error {
	for _, m := range o.metrics {
		if !slices.Contains(metricNames(), m) {
			return badInput(fmt.Errorf("compare: metric %q: want %s", m, strings.Join(metricNames(), ", ")))
		}
	}
	if !slices.Contains([]string{"terminal", "markdown", "json"}, o.format) {
		return badInput(fmt.Errorf("compare: format %q: want terminal, markdown or json", o.format))
	}
	dirs, err := sides(args)
	if err != nil {
		return badInput(fmt.Errorf("compare: %w", err))
	}
	sets, err := openAll(dirs)
	if err != nil {
		return badInput(fmt.Errorf("compare: %w", err))
	}
	base, next := sets[0], sets[1]
	floors := results.DefaultFloors()
	if len(o.aa) > 0 {
		if floors, err = measureFloors(base, o.aa); err != nil {
			return err
		}
	}
	g, err := results.Compare(base, next, floors, o.metrics)
	if err != nil {
		return unreadable(fmt.Errorf("compare: %w", err))
	}
	var b bytes.Buffer
	if o.format == "json" {
		err = g.WriteJSON(&b)
	} else {
		err = g.Write(&b, results.Format(o.format))
	}
	if err != nil {
		return unreadable(fmt.Errorf("compare: %w", err))
	}
	if o.output != "" {
		err = results.WriteFile(o.output, b.Bytes())
	} else {
		_, err = s.out.Write(b.Bytes())
	}
	if err != nil {
		return failed(fmt.Errorf("compare: %w", err))
	}
	if g.Outcome != results.NoRegression {
		return coded(int(g.Outcome), fmt.Errorf("compare: %v", g.Outcome), "")
	}
	return nil
}

// sides are the two folders to compare: both given, or those of an interleaved
// sweep.
func sides(args []string) ([]string, error) {
	if len(args) == 2 {
		return args, nil
	}
	dirs := []string{filepath.Join(args[0], results.BuildBase), filepath.Join(args[0], results.BuildNew)}
	for _, d := range dirs {
		if _, err := os.Stat(d); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: it has no %s: give two folders, or one that sweep --interleave has made", args[0], filepath.Base(d))
		}
	}
	return dirs, nil
}

func openAll(dirs []string) ([]*results.Set, error) {
	var sets []*results.Set
	for _, d := range dirs {
		s, err := results.Open(d)
		if err != nil {
			return nil, err
		}
		// Where the scenario cannot be read the plan stays unknown: the comparison
		// says so if that matters, and refuses scenarios that differ.
		_, _ = givePlan(s)
		sets = append(sets, s)
	}
	return sets, nil
}

// measureFloors takes the floors from A/A folders, which must be comparable with
// what is judged.
func measureFloors(base *results.Set, aa []string) ([]results.Floor, error) {
	var dirs []string
	for _, d := range aa {
		if both, err := sides([]string{d}); err == nil {
			dirs = append(dirs, both...)
		} else {
			dirs = append(dirs, d)
		}
	}
	sets, err := openAll(dirs)
	if err != nil {
		return nil, badInput(fmt.Errorf("compare: --aa: %w", err))
	}
	for i, s := range sets {
		if d := results.Differences(base, s); len(d) > 0 {
			return nil, coded(int(results.NotComparable), fmt.Errorf("compare: --aa %s is not comparable with %s: %s", dirs[i], base.Dir, strings.Join(d, "; ")), "")
		}
	}
	floors, err := results.MeasuredFloors(sets)
	if err != nil {
		return nil, badInput(fmt.Errorf("compare: --aa: %w", err))
	}
	return floors, nil
}
