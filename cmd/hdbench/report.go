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
from the records.`,
		Example: "  hdbench report hdbench-out/quick-20260101-120000 --format markdown --output report.md",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runReport(s, args[0], format, output)
		},
	}
	cmd.Flags().StringVar(&format, "format", "terminal", "terminal, markdown or bench (the Go benchmark format)")
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
	case "bench":
		if err := results.WriteBench(&b, set); err != nil {
			return failed(fmt.Errorf("report: %w", err))
		}
	default:
		return badInput(fmt.Errorf("report: format %q: want terminal, markdown or bench", format))
	}
	if output != "" {
		return failed(results.WriteFile(output, b.Bytes()))
	}
	_, err = s.out.Write(b.Bytes())
	return failed(err)
}
