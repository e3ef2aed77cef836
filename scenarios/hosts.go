package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hdbench/internal/fleet"
	"hdbench/results"
)

// start boots the fleet, or finds it.
func (o Sweep) start(ctx context.Context) (*fleet.Fleet, error) {
	opts := fleet.Options{Members: o.Members, Binary: o.Binary, Version: o.Version, Purpose: o.purpose(), SSH: o.SSH, Log: o.Log}
	switch {
	case o.NATS.Set():
		if err := o.NATS.Check(); err != nil {
			return nil, badInput(err)
		}
		found, err := o.NATS.Discover(ctx)
		if err != nil {
			return nil, err
		}
		if opts.Members, err = o.Wanted.Choose(found); err != nil {
			return nil, badInput(err)
		}
		opts.NATS = &o.NATS
	case len(opts.Members) == 0:
		opts.Members = hereOnly()
	}
	if o.Data != "" {
		opts.Members = slices.Clone(opts.Members)
		for i, m := range opts.Members {
			if m.Role == fleet.RoleRelay {
				opts.Members[i].Data = o.Data
			}
		}
	}
	return fleet.Start(ctx, opts)
}

// purpose tells those who find a host in use what it is used for.
func (o Sweep) purpose() string {
	if o.Scenario == nil {
		return "resumed sweep of " + o.Resume
	}
	return "scenario " + o.Scenario.Name
}

// loopback is where a relay listens for clients of its own host.
const loopback = "127.0.0.1"

// dataAddress is where the relay listens: the address given, which must be one of
// its host's. Between hosts there is no default: the way the orders go is seldom
// the link that is to be measured, and nobody would see it in the numbers.
func dataAddress(relay *fleet.Host, clients []*fleet.Host) (string, error) {
	given := relay.Member().Data
	elsewhere := slices.ContainsFunc(clients, func(c *fleet.Host) bool { return !c.SameNetwork(relay) })
	if given == "" {
		if !elsewhere {
			return loopback, nil
		}
		return "", fmt.Errorf("clients are on other hosts than the relay: say which of the relay's addresses the traffic takes, with --data-addr (or data in the inventory); agent %s has %s",
			relay.Member().Agent, addresses(relay))
	}
	want, err := netip.ParseAddr(given)
	if err != nil {
		return "", err
	}
	for _, i := range relay.Interfaces() {
		for _, text := range i.Addresses {
			if has, err := netip.ParseAddr(text); err == nil && has.Unmap() == want.Unmap() {
				if elsewhere && has.IsLoopback() {
					return "", fmt.Errorf("data address %s: clients on other hosts cannot reach the relay there; agent %s has %s", given, relay.Member().Agent, addresses(relay))
				}
				return given, nil
			}
		}
	}
	return "", fmt.Errorf("data address %s: agent %s does not have it, it has %s", given, relay.Member().Agent, addresses(relay))
}

// addresses tells which addresses a host has, but for loopback and what is good
// for one link only.
func addresses(h *fleet.Host) string {
	var texts []string
	for _, i := range h.Interfaces() {
		for _, text := range i.Addresses {
			if a, err := netip.ParseAddr(text); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
				texts = append(texts, fmt.Sprintf("%s on %s", text, i.Name))
			}
		}
	}
	if len(texts) == 0 {
		return "none that others could reach"
	}
	return strings.Join(texts, ", ")
}

// hostEntry is a host as the record has it. Who the user is there is nobody's
// business.
func (s *sweep) hostEntry(h *fleet.Host, cpus, data string) results.HostEntry {
	m := h.Member()
	e := results.HostEntry{Agent: m.Agent, Roles: []string{string(m.Role)}, CPUs: cpus, Data: data, Host: h.Info(), Limits: h.Limits()}
	switch {
	case s.NATS.Set():
		e.NATS = s.NATS.URL
	case m.Remote():
		e.SSH = fleet.ShownDestination(m.SSH)
	}
	return e
}
