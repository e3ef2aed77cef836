package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hdbench/internal/measure"
	"hdbench/results"
	"hdbench/scenarios"
)

func newReport(s *streams) *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "render a results folder",
		Long: `Render a results folder again, on any machine: everything in a report is made
from the records. A folder of published figures (results/reference) prints the
published tables.

markdown refers to its plots as files: with --output they are written beside it,
into the folder plots, as SVG and PNG. html is one page with everything in it.

For programs: bench is the Go benchmark format, which benchstat reads; json
follows results/schema/report.schema.json; csv has a row a record and
csv-points a row a point, with its intervals; github and
github-smaller are for github-action-benchmark (its customBiggerIsBetter with
the rates, its customSmallerIsBetter with loss, CPU and latency); bmf is the
Bencher Metric Format.`,
		Example: `  hdbench report hdbench-out/quick-20260101-120000
  hdbench report hdbench-out/quick-20260101-120000 --format html --output quick.html
  hdbench report hdbench-out/quick-20260101-120000 --format csv --output trials.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runReport(s, args[0], format, output)
		},
	}
	cmd.Flags().StringVar(&format, "format", "terminal", "terminal, markdown, html, or for programs: "+strings.Join(results.ExportFormats(), ", "))
	cmd.Flags().StringVar(&output, "output", "", "file to write to; default stdout")
	return cmd
}

func runReport(s *streams, dir, format, output string) error {
	var b bytes.Buffer
	var report *results.Report
	switch format {
	case "terminal", "markdown", "html":
		var err error
		if report, err = readReport(dir); err != nil {
			return err
		}
		if err := report.Write(&b, results.Format(format)); err != nil {
			return unreadable(fmt.Errorf("report: %w", err))
		}
	default:
		if err := export(&b, dir, format); err != nil {
			return err
		}
	}
	if output == "" {
		_, err := s.out.Write(b.Bytes())
		return failed(err)
	}
	if format == "markdown" {
		if _, err := report.WritePlots(filepath.Join(filepath.Dir(output), results.DirPlots)); err != nil {
			return unreadable(fmt.Errorf("report: %w", err))
		}
	}
	return failed(results.WriteFile(output, b.Bytes()))
}

// export renders a folder for programs.
func export(w io.Writer, dir, format string) error {
	if !results.IsExport(format) {
		return badInput(fmt.Errorf("report: format %q: want terminal, markdown, html, %s", format, strings.Join(results.ExportFormats(), ", ")))
	}
	if results.IsPublished(dir) {
		return badInput(fmt.Errorf("report: %s: published figures have no runs, which %s is made of", dir, format))
	}
	set, sc, err := readFolder(dir)
	if err != nil {
		return err
	}
	if err := results.Export(w, format, set, sc.CompareAt); err != nil {
		return unreadable(fmt.Errorf("report: %w", err))
	}
	return nil
}

// readFolder reads a sweep's records and its scenario.
func readFolder(dir string) (*results.Set, *scenarios.Scenario, error) {
	set, err := results.Open(dir)
	if err != nil {
		return nil, nil, badInput(fmt.Errorf("report: %w", err))
	}
	sc, err := givePlan(set)
	if err != nil {
		return nil, nil, badInput(fmt.Errorf("report: %w", err))
	}
	return set, sc, nil
}

// givePlan reads a folder's scenario, and tells the folder what its sweep set out
// to measure.
func givePlan(set *results.Set) (*scenarios.Scenario, error) {
	sc, err := scenarios.Parse(filepath.Join(set.Dir, results.FileScenario), set.Scenario)
	if err == nil {
		set.Plan = sc.TrialPlan()
	}
	return sc, err
}

// readReport reads a folder of either kind: trials, or published figures.
func readReport(dir string) (*results.Report, error) {
	if results.IsPublished(dir) {
		p, err := results.OpenPublished(dir)
		if err != nil {
			return nil, badInput(fmt.Errorf("report: %w", err))
		}
		return p.Report(), nil
	}
	set, sc, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	report, err := results.NewReport(set, sc.CompareAt)
	if err != nil {
		return nil, unreadable(fmt.Errorf("report: %w", err))
	}
	return report, nil
}

// unreadable tells what is wrong with a folder's records from what went wrong with
// them.
func unreadable(err error) error {
	if errors.Is(err, results.ErrRecord) || errors.Is(err, measure.ErrHistogram) {
		return badInput(err)
	}
	return failed(err)
}
