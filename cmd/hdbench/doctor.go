package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/results"
	"hdbench/scenarios"
)

func newDoctor(s *streams) *cobra.Command {
	o := scenarios.Doctor{Version: version()}
	var scenario, format string
	var strict bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "is this host fit to measure, and what to change",
		Long: `Check this host, or others over ssh (--host): what they are, and what they are
doing now, against what a scenario asks of them. Nothing is changed, and nothing of the scenario is run.

Every check has a verdict: ok; warn, numbers may vary or be of less than the
host can do; fail, the scenario would measure something else than asked for;
n/a with the reason, not known. Warnings and failures say why they matter and
what mends them. A sweep makes the same checks first and keeps them.

The data address says what a host is for: loopback, relay and client; another
address of the host, the relay; an address elsewhere, a client of it.

Exit codes: 0, or with --strict 1 where a check fails; 2 bad input.`,
		Example: `  hdbench doctor
  hdbench doctor --host me@relay --host me@client --data-addr 10.50.0.1
  hdbench doctor --scenario nightly --format json --strict`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "terminal" && format != "json" {
				return badInput(fmt.Errorf("doctor: format %q: want terminal or json", format))
			}
			var err error
			if o.DataAddr != "" {
				if o.DataAddr, err = scenarios.ParseAddr(o.DataAddr); err != nil {
					return badInput(fmt.Errorf("doctor: --data-addr: %w", err))
				}
			}
			for _, h := range o.Hosts {
				if err := fleet.CheckDestination(h); err != nil {
					return badInput(fmt.Errorf("doctor: --host: %w", err))
				}
			}
			if o.Scenario, err = scenarios.Load(scenario); err != nil {
				return badInput(fmt.Errorf("doctor: --scenario: %w", err))
			}
			if o.Binary, err = os.Executable(); err != nil {
				return failed(fmt.Errorf("doctor: %w", err))
			}
			e, err := o.Run(cmd.Context())
			switch {
			case errors.Is(err, scenarios.ErrBadInput):
				return badInput(fmt.Errorf("doctor: %w", err))
			case err != nil:
				return failed(fmt.Errorf("doctor: %w", err))
			}
			if format == "json" {
				err = results.WriteDoctorJSON(s.out, e)
			} else {
				err = results.WriteDoctor(s.out, e)
			}
			if n := e.Count(measure.Fail); err == nil && strict && n > 0 {
				err = fmt.Errorf("doctor: --strict: %d checks fail", n)
			}
			return failed(err)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&scenario, "scenario", scenarios.Default, "what the host is wanted for: an embedded scenario or a file")
	f.StringArrayVar(&o.Hosts, "host", nil, "ssh destination of a host to check, or local; may be repeated; default local")
	f.StringVar(&o.SSH.Config, "ssh-config", "", "configuration file for ssh instead of your own (ssh -F)")
	f.StringVar(&o.DataAddr, "data-addr", "", "IP address the relay listens on; default loopback")
	f.StringVar(&format, "format", "terminal", "terminal or json")
	f.BoolVar(&strict, "strict", false, "exit code 1 where a check fails")
	return cmd
}
