package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

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
into the folder plots, as SVG and PNG. html is one page with everything in it.`,
		Example: `  hdbench report hdbench-out/quick-20260101-120000
  hdbench report hdbench-out/quick-20260101-120000 --format html --output quick.html`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runReport(s, args[0], format, output)
		},
	}
	cmd.Flags().StringVar(&format, "format", "terminal", "terminal, markdown, html or bench (the Go benchmark format)")
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
			return failed(fmt.Errorf("report: %w", err))
		}
	case "bench":
		if results.IsPublished(dir) {
			return badInput(fmt.Errorf("report: %s: published figures have no runs, which the benchmark format is made of", dir))
		}
		set, err := results.Open(dir)
		if err != nil {
			return badInput(fmt.Errorf("report: %w", err))
		}
		if err := results.WriteBench(&b, set); err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
	default:
		return badInput(fmt.Errorf("report: format %q: want terminal, markdown, html or bench", format))
	}
	if output == "" {
		_, err := s.out.Write(b.Bytes())
		return failed(err)
	}
	if format == "markdown" {
		if _, err := report.WritePlots(filepath.Join(filepath.Dir(output), results.DirPlots)); err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
	}
	return failed(results.WriteFile(output, b.Bytes()))
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
	set, err := results.Open(dir)
	if err != nil {
		return nil, badInput(fmt.Errorf("report: %w", err))
	}
	sc, err := scenarios.Parse(filepath.Join(dir, results.FileScenario), set.Scenario)
	if err != nil {
		return nil, badInput(fmt.Errorf("report: %w", err))
	}
	report, err := results.NewReport(set, sc.CompareAt)
	if err != nil {
		return nil, failed(fmt.Errorf("report: %w", err))
	}
	return report, nil
}
