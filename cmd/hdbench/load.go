package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/results"
)

func newLoad(s *streams) *cobra.Command {
	var c loadgen.Config
	var o loadOutput
	cmd := &cobra.Command{
		Use:   "load --relay ADDR",
		Short: "drive any DERP relay with an open loop of checked packets, print one trial",
		Long: `Drive any DERP relay and print what was measured.

Every packet has an intended send time from the schedule; lateness is measured
and latency counts from the intended time. Loss is exact, by sequence number.
Every receiver is reached through the relay before the load starts.

Over tls and ktls the relay's certificate is not verified: the load is no
secret, and relays under test make their own.`,
		Example: "  hdbench load --relay 127.0.0.1:3340 --pairs 10 --payload 1400B --rate 1Gbps --measure 2s",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runLoad(cmd.Context(), s, c, o) },
	}
	cmd.Flags().StringVar(&c.Relay, "relay", "", "address of the relay")
	loadFlags(cmd, &c)
	cmd.Flags().BoolVar(&c.RTT, "rtt", false, "receivers return every packet, and round trips are timed")
	o.flags(cmd)
	partFlags(cmd, &c)
	cmd.MarkFlagRequired("relay")
	return cmd
}

func newCalibrate(s *streams) *cobra.Command {
	c := loadgen.Config{Direct: true}
	var o loadOutput
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "the same load with no relay between: this client's own limit",
		Long: `Send the same load from senders to receivers with no relay between.

What it reaches is this client's own limit: a relay cannot be measured beyond.
Packets are checked as in load. With two CPUs senders and receivers have one
each; with one they share it, as they do in a sweep on two cores.`,
		Example: "  hdbench calibrate --measure 2s",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runLoad(cmd.Context(), s, c, o) },
	}
	loadFlags(cmd, &c)
	cmd.Flags().Lookup("rate").DefValue = units.Max.String()
	c.Rate = units.Max
	o.flags(cmd)
	return cmd
}

// loadOutput is how a load's result is printed.
type loadOutput struct {
	format     string
	awaitStart bool
}

func (o *loadOutput) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", "terminal", "terminal or json")
	cmd.Flags().BoolVar(&o.awaitStart, "await-start", false, `print {"ready":true} when the peers are registered and wait for the start time (CLOCK_MONOTONIC, ns) on stdin; its end ends the load`)
}

func runLoad(ctx context.Context, s *streams, c loadgen.Config, o loadOutput) error {
	if o.format != "terminal" && o.format != "json" {
		return badInput(fmt.Errorf("load: format %q: want terminal or json", o.format))
	}
	if c.Part.Of > 1 && (!o.awaitStart || o.format != "json") {
		return badInput(errors.New("load: --part: the parts of a load start and end together: give --await-start and --format json too"))
	}
	session, err := loadgen.Prepare(ctx, c)
	switch {
	case errors.Is(err, loadgen.ErrUnreachable):
		hint := "is the relay running, and is this its address?"
		if host, without := noPort(c.Relay); without {
			hint = "give the relay's port too, such as --relay " + net.JoinHostPort(host, "3340")
		}
		return coded(exitBadInput, fmt.Errorf("load: %w", err), hint)
	case errors.Is(err, loadgen.ErrNotReached):
		return failed(fmt.Errorf("load: %w", err))
	case err != nil:
		return badInput(fmt.Errorf("load: %w", err))
	}
	defer session.Close()
	m, err := o.run(ctx, s, session)
	if err != nil {
		return failed(fmt.Errorf("load: %w", err))
	}
	if o.format == "json" {
		return json.NewEncoder(s.out).Encode(m)
	}
	title := session.Config().Describe()
	if c.Direct {
		title += ", no relay between"
	}
	table := results.LoadTable(title, m)
	relay := ""
	if set, ok := probe.ListenerCPUs(c.Relay); ok && !c.Direct {
		relay = set.String()
	}
	if !c.Direct {
		table.Notes = append(table.Notes, "Trust: "+results.LoadTrust(m, relay)+".")
	}
	return failed(table.Write(s.out, results.Terminal))
}

// noPort reports whether an address has no port, and which host it is of.
func noPort(addr string) (host string, without bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	return cmp.Or(host, "127.0.0.1"), err != nil || port == ""
}

// run runs a prepared load: at once, or when it is told to.
func (o *loadOutput) run(ctx context.Context, s *streams, session *loadgen.Session) (*measure.Load, error) {
	if !o.awaitStart {
		return session.Run(ctx, session.Start())
	}
	ctx, orders := awaitOrders(ctx, s.in)
	if _, err := fmt.Fprintln(s.out, `{"ready":true}`); err != nil {
		return nil, err
	}
	line, err := orders.next(ctx)
	if err != nil {
		return nil, fmt.Errorf("no start time on stdin: %w", err)
	}
	start, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("start time: %w", err)
	}
	if session.Config().Part.Of < 2 {
		return session.Run(ctx, start)
	}
	return runPart(ctx, s, session, orders, start)
}
