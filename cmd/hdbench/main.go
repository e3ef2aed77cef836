// Command hdbench measures DERP relays. See README.md for what it is for, and
// "hdbench help COMMAND" for each command.
//
// The rules of its user interface, for every file here: results go to stdout,
// everything else to stderr; messages are lower case without a full stop; an
// error says what was wrong, where, and what to do. A file holds one command,
// which parses flags, calls one package and prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Exit codes.
const (
	exitFailed      = 1   // what was asked for was tried and did not work
	exitBadInput    = 2   // what was asked for makes no sense, or cannot be tried
	exitBusy        = 5   // sweep: another sweep is being run on one of the hosts
	exitInterrupted = 130 // Ctrl-C or SIGTERM before the end
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	argv     []string // as typed
}

// run is the whole program, for tests to call.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	root := newRoot(&streams{in: in, out: out, err: errw, argv: append([]string{"hdbench"}, args...)})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitBadInput // cobra's own errors: unknown commands and flags
	var coded *codedError
	switch {
	case errors.As(err, &coded):
		code = coded.code
	case errors.Is(err, context.Canceled):
		code = exitInterrupted
	}
	if text := err.Error(); text != "" && err != errInterrupted {
		fmt.Fprintf(errw, "hdbench: %s\n", text)
	}
	if errors.As(err, &coded) && coded.hint != "" {
		fmt.Fprintf(errw, "hdbench: hint: %s\n", coded.hint)
	}
	return code
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "hdbench",
		Short: "measure DERP relays: what they carry on this hardware, and what stops them",
		Long: `hdbench measures DERP relays: throughput, loss and CV over workers and
transports, beside the baseline of Tailscale's derper.

Exit codes: 0 success; 1 it was tried and failed; 2 bad input;
130 interrupted. compare has two more: 3 not comparable, 4 too few trials; sweep
has 5: another sweep is being run on one of its hosts.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newSweep(s), newReport(s), newCompare(s), newTrend(s), newScenarios(s),
		newRelay(s), newLoad(s), newCalibrate(s), newProfile(s),
		newDoctor(s), newAgent(s), newVersion(s), newMan(s),
	)
	return root
}

// codedError is an error with an exit code and perhaps a hint what to do.
type codedError struct {
	code int
	err  error
	hint string
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// errInterrupted ends a command that has said all there is to say.
var errInterrupted error = &codedError{code: exitInterrupted, err: context.Canceled}

// badInput marks an error as the user's to mend.
func badInput(err error) error { return coded(exitBadInput, err, "") }

func coded(code int, err error, hint string) error {
	var already *codedError
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) {
		return err
	}
	return &codedError{code, err, hint}
}

// failed marks an error as something that was tried and did not work.
func failed(err error) error { return coded(exitFailed, err, "") }

// buildVersion is set by the Makefile.
var buildVersion = ""

// version is this hdbench's: what the build says, or else what the module system
// knows.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel-" + s.Value[:12]
			}
		}
		return strings.Trim(info.Main.Version, "()")
	}
	return "unknown"
}
