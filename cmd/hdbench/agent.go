package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hdbench/internal/fleet"
)

func newAgent(s *streams) *cobra.Command {
	var c fleet.AgentConfig
	var server fleet.External
	var role string
	var booted bool
	cmd := &cobra.Command{
		Use:   "agent --nats URL --role relay|client",
		Short: "serve the controllers of sweeps: start relays and loads on this host",
		Long: `Serve the controllers of sweeps on this host, one at a time, as they come to a
nats-server of your own. Without --nats a sweep starts its agents itself, here or
over ssh; then nothing needs to be installed or kept running.

Only what the protocol has can be ordered: relays and loads of this hdbench. A
derper, or another build of hdbench, is run only if --binary names it, and the
command of an external relay only with --allow-external.

An agent is a lease: when its controller has gone, or has been silent for 15 s,
it ends the relays and loads it has started, and waits for the next.

One sweep at a time runs on a host, whoever's it is: an agent that serves one
locks the host. If you have split a host into parts that do not disturb each
other, name a lock for each part: HDBENCH_LOCK=left in its agents' environment.`,
		Example: `  hdbench agent --nats tls://nats.example:4222 --nats-ca ca.pem --nkey relay.nk --role relay --data-addr 10.50.0.1 --label rack=b4
  hdbench agent --nats tls://nats.example:4222 --creds client.creds --role client --cpus 2-15`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			c.Version, c.Alone = version(), true
			// Who has split a host names the lock of each part.
			c.Lock = cmp.Or(os.Getenv("HDBENCH_LOCK"), fleet.DefaultHostLock)
			if c.Binary, err = os.Executable(); err != nil {
				return failed(fmt.Errorf("agent: %w", err))
			}
			if booted {
				return runBooted(cmd.Context(), s, c)
			}
			if c.Meta.Role, err = fleet.ParseRole(role); err != nil {
				return badInput(fmt.Errorf("agent: --role: %w", err))
			}
			if err := server.Check(); err != nil {
				return badInput(fmt.Errorf("agent: %w", err))
			}
			c.Name = fleet.AgentName(c.Name, c.Meta.Role)
			c.NATS = &server
			c.Log = func(line string) { fmt.Fprintf(s.err, "hdbench: agent %s: %s\n", c.Name, line) }
			if err := fleet.RunAgent(cmd.Context(), c); err != nil {
				return failed(fmt.Errorf("agent %s: %w", c.Name, err))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	natsFlags(f, &server)
	f.StringVar(&role, "role", "", "what this host is for: relay or client")
	f.StringVar(&c.Name, "name", "", "name of this agent, one for each; default the host's name and the role")
	f.StringToStringVar(&c.Meta.Labels, "label", nil, "KEY=VALUE for sweeps to choose by; may be repeated")
	f.StringVar(&c.Meta.Data, "data-addr", "", "IP address of this host on the link that carries the traffic")
	f.StringVar(&c.Meta.CPUs, "cpus", "", "CPUs for the role, such as 2-15; default all")
	f.StringArrayVar(&c.Own.Binaries, "binary", nil, "PATH of a derper or of another hdbench that may be run; may be repeated")
	f.BoolVar(&c.Own.External, "allow-external", false, "run the commands of external relays: whatever a controller sends, as this user")
	f.BoolVar(&booted, "stdio", false, "the connection is standard input and output, as a sweep starts its agents")
	f.MarkHidden("stdio")
	cmd.MarkFlagsOneRequired("nats", "stdio")
	cmd.MarkFlagsMutuallyExclusive("nats", "stdio")
	cmd.MarkFlagsRequiredTogether("nats", "role")
	return cmd
}

// runBooted is an agent that its controller has started: the first line of its
// input is its credential, and what follows its connection.
func runBooted(ctx context.Context, s *streams, c fleet.AgentConfig) error {
	conn, credential, err := fleet.Hello(s.in, s.out)
	if err == nil {
		c.Conn, c.Credential = conn, credential
		err = fleet.RunAgent(ctx, c)
	}
	if err != nil {
		return failed(fmt.Errorf("agent %s: %w", c.Name, err))
	}
	return nil
}
