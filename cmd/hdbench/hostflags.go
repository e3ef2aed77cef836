package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hdbench/scenarios"
)

// hostFlags say which hosts a sweep runs on.
type hostFlags struct {
	relay, inventory string
	clients          []string
}

func (h *hostFlags) add(cmd *cobra.Command, o *scenarios.Sweep) {
	f := cmd.Flags()
	f.StringVar(&h.relay, "relay-host", "", "ssh destination of the relay's host, or local; with --nats the name of its agent")
	f.StringArrayVar(&h.clients, "client-host", nil, "ssh destination of a client host, or local; with --nats the name of an agent; may be repeated")
	f.StringVar(&o.Data, "data-addr", "", "IP address of the relay's host on the link that is measured; needed where a client is on another host")
	f.StringVar(&h.inventory, "inventory", "", "YAML file with the hosts instead: ssh, role, cpus, data, name")
	f.StringVar(&o.SSH.Config, "ssh-config", "", "configuration file for ssh instead of your own (ssh -F)")
	f.DurationVar(&o.HostWait, "host-wait", scenarios.DefaultHostWait, "how long to wait for a host that has gone before the sweep ends")
	natsFlags(f, &o.NATS)
	f.StringToStringVar(&o.Wanted.Labels, "label", nil, "with --nats: KEY=VALUE that the agents must have; may be repeated")
	for _, other := range []string{"relay-host", "client-host", "data-addr", "nats"} {
		cmd.MarkFlagsMutuallyExclusive("inventory", other)
	}
	cmd.MarkFlagsMutuallyExclusive("nats", "ssh-config")
}

// apply puts the hosts into the sweep, and returns the external relays that an
// inventory adds.
func (h *hostFlags) apply(o *scenarios.Sweep) (external []string, err error) {
	if o.Data != "" {
		if o.Data, err = scenarios.ParseAddr(o.Data); err != nil {
			return nil, fmt.Errorf("--data-addr: %w", err)
		}
	}
	if o.HostWait <= 0 {
		return nil, fmt.Errorf("--host-wait: %v: want more than nothing", o.HostWait)
	}
	switch {
	case o.NATS.Set():
		o.Wanted.Relay, o.Wanted.Clients = h.relay, h.clients
		return nil, o.NATS.Check()
	case len(o.Wanted.Labels) > 0 || o.NATS.Creds+o.NATS.NKey+o.NATS.CA+o.NATS.Cert+o.NATS.Key != "" || o.NATS.Plain:
		return nil, errors.New("--label, --creds, --nkey and --nats-... go with --nats URL")
	case h.inventory != "":
		inv, err := scenarios.LoadInventory(h.inventory)
		if err != nil {
			return nil, err
		}
		o.Members = inv.Members
		return inv.External, nil
	case h.relay != "" || len(h.clients) > 0:
		o.Members, err = scenarios.HostMembers(h.relay, h.clients)
		return nil, err
	}
	return nil, nil
}
