package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/transport"
	"hdbench/internal/units"
	"hdbench/loadgen"
)

// The flag types of hdbench. Each is checked when it is parsed, so that the error
// names the flag.

// value adapts a parser and a printer to pflag.
type value[T any] struct {
	p     *T
	parse func(string) (T, error)
	show  func(T) string
	kind  string
}

func (v value[T]) String() string {
	if v.p == nil {
		return ""
	}
	return v.show(*v.p)
}

func (v value[T]) Set(s string) (err error) {
	x, err := v.parse(s)
	if err == nil {
		*v.p = x
	}
	return err
}

func (v value[T]) Type() string { return v.kind }

func rateFlag(f *pflag.FlagSet, p *units.Rate, name string, def units.Rate, usage string) {
	*p = def
	f.Var(value[units.Rate]{p, units.ParseRate, units.Rate.String, "RATE"}, name, usage)
}

func bytesFlag[T ~int | ~int64](f *pflag.FlagSet, p *T, name string, def T, usage string) {
	*p = def
	f.Var(value[T]{p, func(s string) (T, error) {
		b, err := units.ParseBytes(s)
		return T(b), err
	}, func(n T) string { return units.Bytes(n).String() }, "BYTES"}, name, usage)
}

func cpusFlag(f *pflag.FlagSet, p *cpu.Set, usage string) {
	f.Var(value[cpu.Set]{p, cpu.ParseList, cpu.Set.String, "LIST"}, "cpus", usage)
}

func transportFlag(f *pflag.FlagSet, p *transport.Kind) {
	*p = transport.TCP
	f.Var(value[transport.Kind]{p, transport.ParseKind, func(k transport.Kind) string { return string(k) }, "NAME"},
		"transport", fmt.Sprintf("what carries DERP on the wire: one of %v", transport.Kinds()))
}

// loadFlags are those that load and calibrate share.
func loadFlags(cmd *cobra.Command, c *loadgen.Config) {
	f := cmd.Flags()
	f.SortFlags = false
	transportFlag(f, &c.Transport)
	c.Pattern = loadgen.Pairs
	f.Var(value[loadgen.Pattern]{&c.Pattern, loadgen.ParsePattern, func(p loadgen.Pattern) string { return string(p) }, "NAME"},
		"pattern", fmt.Sprintf("who sends to whom: one of %v", loadgen.Patterns()))
	f.IntVar(&c.Pairs, "pairs", 10, "number of flows; with pairs each has two peers of its own")
	bytesFlag(f, &c.Payload, "payload", 1400, "data bytes of a packet")
	rateFlag(f, &c.Rate, "rate", units.Gbps, "offered payload bit rate, all flows together, or max")
	f.Var(value[loadgen.Burst]{&c.Burst, loadgen.ParseBurst, loadgen.Burst.String, "BURST"},
		"burst", "frames of a flow in one write: tick (all due at a tick, at most 64KiB), a number, or a size")
	f.DurationVar(&c.Tick, "tick", loadgen.DefaultTick, "resolution of the schedule")
	f.DurationVar(&c.Warmup, "warmup", 500e6, "time before the measuring window")
	f.DurationVar(&c.Measure, "measure", 5e9, "the measuring window")
	f.DurationVar(&c.Drain, "drain", loadgen.DefaultDrain, "at most, for what is under way when the window ends")
	cpusFlag(f, &c.CPUs, "CPUs of the load's threads, such as 2-5; default all")
	f.StringVar(&c.Congestion, "congestion", "", "TCP congestion control of the load's sockets; default the system's")
	f.IntVar(&c.FramesPerRecord, "frames-per-record", loadgen.DefaultFramesPerRecord, "over TLS: frames that share a record, where a write has so many; a real client's is 1")
	f.Uint64Var(&c.Seed, "seed", 1, "of the peers' keys: the same seed makes the same peers")
}

// natsFlags say how to reach a nats-server of the user's own.
func natsFlags(f *pflag.FlagSet, e *fleet.External) {
	f.StringVar(&e.URL, "nats", "", "URL of your nats-server, tls://HOST:PORT; several with commas between")
	f.StringVar(&e.CA, "nats-ca", "", "file with the certificates the server's is checked against; default the system's")
	f.StringVar(&e.Creds, "creds", "", "file with a NATS user's credentials (JWT and seed)")
	f.StringVar(&e.NKey, "nkey", "", "file with a NATS user's nkey seed")
	f.StringVar(&e.Cert, "nats-cert", "", "file with a certificate to show the server")
	f.StringVar(&e.Key, "nats-key", "", "file with that certificate's key")
	f.BoolVar(&e.Plain, "nats-plain", false, "connect to another host without TLS: who is on the way can then give orders")
}
