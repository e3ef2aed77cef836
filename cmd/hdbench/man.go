package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan writes the man pages that make install and make dist ship.
func newMan(*streams) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "write the manual pages into a folder",
		Long:    "man writes a manual page of each command into a folder that exists, dated\nby SOURCE_DATE_EPOCH where that is set.",
		Example: "  hdbench man /usr/local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a page without the day that it was made on
			return failed(doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "hdbench " + version(), Manual: "hdbench"}, args[0]))
		},
	}
}
