package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"hdbench/results"
	"hdbench/scenarios"
)

func newScenarios(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "scenarios",
		Short:   "the embedded scenarios: list, show, check a file",
		Example: "  hdbench scenarios list\n  hdbench scenarios show quick > mine.yaml\n  hdbench scenarios check mine.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "names and what they are for", Args: cobra.NoArgs,
			Example: "  hdbench scenarios list",
			RunE: func(*cobra.Command, []string) error {
				t, err := scenarios.List()
				if err != nil {
					return failed(err)
				}
				return t.Write(s.out, results.Terminal)
			},
		},
		&cobra.Command{
			Use: "show NAME", Short: "print an embedded scenario", Args: cobra.ExactArgs(1),
			Example: "  hdbench scenarios show quick",
			RunE: func(_ *cobra.Command, args []string) error {
				b, err := scenarios.Source(args[0])
				if err != nil {
					return badInput(err)
				}
				_, err = s.out.Write(b)
				return failed(err)
			},
		},
		&cobra.Command{
			Use: "check FILE", Short: "find what is wrong with a scenario file", Args: cobra.ExactArgs(1),
			Example: "  hdbench scenarios check mine.yaml",
			RunE: func(_ *cobra.Command, args []string) error {
				sc, err := scenarios.Load(args[0])
				if err != nil {
					return badInput(err)
				}
				fmt.Fprintf(s.out, "%s: ok\n", args[0])
				lines, err := sc.Foretell()
				if err != nil { // the file is right, and meant for another host
					lines = []string{fmt.Sprintf("It cannot be run on this host: %v.", err)}
				}
				for _, line := range lines {
					fmt.Fprintf(s.out, "%s: %s\n", args[0], line)
				}
				return nil
			},
		},
	)
	return cmd
}
