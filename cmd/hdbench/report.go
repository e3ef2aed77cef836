package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

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
from the records.

For programs: bench is the Go benchmark format, which benchstat reads; json
follows results/schema/report.schema.json; csv has a row a record; github and
github-smaller are for github-action-benchmark (its customBiggerIsBetter with
the rates, its customSmallerIsBetter with loss, CPU and latency); bmf is the
Bencher Metric Format.`,
		Example: "  hdbench report hdbench-out/quick-20260101-120000 --format markdown --output report.md\n  hdbench report hdbench-out/quick-20260101-120000 --format csv --output trials.csv",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runReport(s, args[0], format, output)
		},
	}
	cmd.Flags().StringVar(&format, "format", "terminal", "terminal, markdown, or for programs: "+strings.Join(results.ExportFormats(), ", "))
	cmd.Flags().StringVar(&output, "output", "", "file to write to; default stdout")
	return cmd
}

func runReport(s *streams, dir, format, output string) error {
	set, err := results.Open(dir)
	if err != nil {
		return badInput(fmt.Errorf("report: %w", err))
	}
	sc, err := scenarios.Parse(filepath.Join(dir, results.FileScenario), set.Scenario)
	if err != nil {
		return badInput(fmt.Errorf("report: %w", err))
	}
	var b bytes.Buffer
	switch format {
	case "terminal", "markdown":
		report, err := results.NewReport(set, sc.CompareAt)
		if err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
		err = report.Write(&b, results.Format(format))
		if err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
	default:
		if !results.IsExport(format) {
			return badInput(fmt.Errorf("report: format %q: want terminal, markdown, %s", format, strings.Join(results.ExportFormats(), ", ")))
		}
		if err := results.Export(&b, format, set, sc.CompareAt); err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
	}
	if output != "" {
		return failed(results.WriteFile(output, b.Bytes()))
	}
	_, err = s.out.Write(b.Bytes())
	return failed(err)
}
