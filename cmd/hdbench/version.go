package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"hdbench/internal/probe"
	"hdbench/results"
	"hdbench/scenarios"
)

func newVersion(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "versions of hdbench, Go, the kernel, and the derper a sweep would use",
		Example: "  hdbench version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := probe.ThisHost()
			if err != nil {
				return failed(err)
			}
			derper := "n/a: none found (make baseline builds it)"
			if bin, err := os.Executable(); err == nil {
				if path, v, err := scenarios.FindDerper(cmd.Context(), bin, scenarios.DefaultDerper); err == nil {
					derper = v + " (" + path + ")"
				}
			}
			t := &results.Table{
				Columns: []results.Column{{Head: "Part", Left: true}, {Head: "Version", Left: true}},
				Rows: [][]string{
					{"hdbench", version()}, {"go", runtime.Version()}, {"kernel", h.Kernel + " " + h.Arch},
					{"records", fmt.Sprintf("schema %d", results.SchemaVersion)}, {"derper", derper},
				},
			}
			return t.Write(s.out, results.Terminal)
		},
	}
}
