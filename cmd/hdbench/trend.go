package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"hdbench/results"
)

func newTrend(s *streams) *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:   "trend DIR...",
		Short: "where the numbers changed over many nights",
		Long: `Read many results folders as a history, oldest first, and find where the level of
each metric changed, with the version of hdbench before and after.

Folders that cannot be compared (another host, kernel, scenario or baseline) make
series of their own. A change point needs three nights on each side.

trend judges nothing, its exit code is 0 whatever it finds: compare is the gate.`,
		Example: `  hdbench trend hdbench-out/nightly-*
  hdbench trend hdbench-out/nightly-* --format html --output trend.html`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runTrend(s, args, format, output)
		},
	}
	cmd.Flags().StringVar(&format, "format", "terminal", "terminal, markdown, json or html (one page that needs nothing else)")
	cmd.Flags().StringVar(&output, "output", "", "file to write to; default stdout")
	return cmd
}

func runTrend(s *streams, dirs []string, format, output string) error {
	var b bytes.Buffer
	var write func(*results.Trend) error
	switch format {
	case "terminal", "markdown":
		write = func(t *results.Trend) error { return t.Write(&b, results.Format(format)) }
	case "json":
		write = func(t *results.Trend) error { return t.WriteJSON(&b) }
	case "html":
		write = func(t *results.Trend) error { return t.WriteHTML(&b) }
	default:
		return badInput(fmt.Errorf("trend: format %q: want terminal, markdown, json or html", format))
	}
	nights, err := readNights(s, dirs)
	if err != nil {
		return badInput(fmt.Errorf("trend: %w", err))
	}
	t, err := results.NewTrend(nights)
	if err == nil {
		err = write(t)
	}
	if err != nil {
		return unreadable(fmt.Errorf("trend: %w", err))
	}
	if output != "" {
		return failed(results.WriteFile(output, b.Bytes()))
	}
	_, err = s.out.Write(b.Bytes())
	return failed(err)
}

// readNights reads the folders, each once however often it is given.
func readNights(s *streams, dirs []string) ([]results.Night, error) {
	var nights []results.Night
	seen := map[string]bool{}
	for _, dir := range dirs {
		if dir = filepath.Clean(dir); seen[dir] {
			continue
		}
		seen[dir] = true
		set, err := results.Open(dir)
		if err != nil {
			return nil, err
		}
		sc, err := givePlan(set)
		if err != nil {
			return nil, err
		}
		if text := set.Interrupted(); text != "" {
			fmt.Fprintf(s.err, "hdbench: %s was %s\n", dir, text)
		}
		for _, w := range set.Warnings {
			fmt.Fprintf(s.err, "hdbench: %s\n", w)
		}
		nights = append(nights, results.Night{Set: set, CompareAt: sc.CompareAt})
	}
	return nights, nil
}
