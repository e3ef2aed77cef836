package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/cpu"
	"hdbench/internal/doctor"
	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
	"hdbench/results"
)

// Doctor examines hosts for a scenario and runs nothing of it.
type Doctor struct {
	Scenario *Scenario
	Hosts    []string // ssh destinations, or local; none: this host
	SSH      fleet.SSH
	DataAddr string // where the relay would listen; empty: loopback
	Binary   string // hdbench, for agents
	Version  string // of it
	Log      func(string)
}

// sample is how long an examination looks at what hosts are doing.
const sample = 400 * time.Millisecond

// Run examines each host: for both roles where the data address is loopback, for
// the relay's where it is another address of that host, and else for a client's.
func (o Doctor) Run(ctx context.Context) (*measure.Examination, error) {
	hosts := o.Hosts
	if len(hosts) == 0 {
		hosts = []string{fleet.Local}
	}
	addr := cmp.Or(o.DataAddr, loopback)
	opts := fleet.Options{Binary: o.Binary, Version: o.Version, Purpose: "doctor", SSH: o.SSH, Log: o.Log}
	for i, h := range hosts {
		opts.Members = append(opts.Members, fleet.Member{Agent: fmt.Sprintf("host-%d", i+1), Role: fleet.RoleRelay, SSH: h})
	}
	f, err := fleet.Start(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	defer f.Close()
	var sides []examinee
	for _, h := range f.Hosts(fleet.RoleRelay) {
		cores, err := parseCores(h.Cores())
		if err != nil {
			return nil, err
		}
		split, err := fitCPUs(o.Scenario.CPUs, cores)
		if err != nil {
			return nil, badInput(err)
		}
		all := split.Relay.Union(split.Client)
		now, err := h.Readings(ctx, 0, addr)
		switch {
		case err != nil:
			return nil, err
		case isLoopback(addr):
			sides = append(sides, examinee{h, split.Relay, split.Client})
		case now.Route.Local:
			sides = append(sides, examinee{h, all, cpu.Of()})
		default:
			sides = append(sides, examinee{h, cpu.Of(), all})
		}
	}
	apart := 1 // every host by itself
	if !isLoopback(addr) {
		apart = max(2, len(sides))
	}
	return examine(ctx, o.Scenario, sides, apart, addr, o.Version)
}

func isLoopback(addr string) bool {
	a, err := netip.ParseAddr(addr)
	return err == nil && a.IsLoopback()
}

// examinee is an agent and the CPUs of its roles; none where it has not the role.
type examinee struct {
	agent         *fleet.Host
	relay, client cpu.Set
}

// examine looks at every host at the same time, agents of one host as one. hosts
// is how many the sweep has; not all of them need be there.
func examine(ctx context.Context, sc *Scenario, sides []examinee, hosts int, addr, version string) (*measure.Examination, error) {
	e := &measure.Examination{Taken: time.Now().UTC(), Hdbench: version, Scenario: sc.Name}
	groups := grouped(sides, (*fleet.Host).SameNetwork)
	base := sc.fitness()
	base.Hosts = hosts
	base.Clocks = min(hosts, len(grouped(sides, (*fleet.Host).SameClock)))
	e.Hosts = make([]measure.HostExamination, len(groups))
	var g errgroup.Group
	for i, group := range groups {
		g.Go(func() error {
			info, c := group[0].agent.Info(), base
			h := &e.Hosts[i]
			h.Name = info.Name
			for _, s := range group {
				h.Agents = append(h.Agents, s.agent.Member().Agent)
				c.RelayCPUs, c.ClientCPUs = c.RelayCPUs.Union(s.relay), c.ClientCPUs.Union(s.client)
			}
			if c.Relay = !c.RelayCPUs.IsEmpty(); c.Relay {
				h.Roles = append(h.Roles, string(fleet.RoleRelay))
			}
			if c.Client = !c.ClientCPUs.IsEmpty(); c.Client {
				h.Roles = append(h.Roles, string(fleet.RoleClient))
			}
			h.RelayCPUs, h.ClientCPUs = c.RelayCPUs.String(), c.ClientCPUs.String()
			var err error
			if h.Readings, err = group[0].agent.Readings(ctx, sample, addr); err != nil {
				return err
			}
			h.Verdicts = doctor.Examine(info, h.Readings, c)
			return nil
		})
	}
	return e, g.Wait()
}

// grouped puts agents together that share something.
func grouped(sides []examinee, same func(a, b *fleet.Host) bool) [][]examinee {
	var groups [][]examinee
	for _, s := range sides {
		i := slices.IndexFunc(groups, func(g []examinee) bool { return same(g[0].agent, s.agent) })
		if i < 0 {
			groups, i = append(groups, nil), len(groups)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// examineHosts is what a sweep does before its first trial. The fleet is there, its
// CPUs are given, and nothing runs yet.
func (s *sweep) examineHosts(ctx context.Context) error {
	sides := []examinee{{s.relayHost, s.split.Relay, cpu.Of()}}
	for _, h := range s.clientHosts {
		set, err := cpu.Parse(s.clientCPUs(h))
		if err != nil {
			return fmt.Errorf("CPUs of %s: %w", h.Member().Agent, err)
		}
		sides = append(sides, examinee{h, cpu.Of(), set})
	}
	var err error
	hosts := len(grouped(sides, (*fleet.Host).SameNetwork))
	if s.examined, err = examine(ctx, s.sc, sides, hosts, s.dataAddr, s.Version); err != nil {
		return err
	}
	for _, line := range results.DoctorLines(s.examined) {
		s.Progress.Note(line)
	}
	if n := s.examined.Count(measure.Fail); n > 0 && s.Strict {
		return badInput(fmt.Errorf("--strict: %d of the doctor's checks fail; hdbench doctor says what mends them", n))
	}
	return nil
}

// keepExamination stores it in the folder, or in both.
func (s *sweep) keepExamination() error {
	err := results.AppendExamination(s.dir, s.examined)
	if err == nil && s.base != nil {
		err = results.AppendExamination(s.base.dir, s.examined)
	}
	return err
}

// fitness is what a scenario asks of hosts.
func (s *Scenario) fitness() doctor.Case {
	c := doctor.Case{Scenario: s.Name, Congestion: s.Load.Congestion != "", SocketBuffer: loadgen.SendBuffer}
	for _, n := range s.Load.Pairs {
		peers := 2 * n
		if !slices.Contains(s.Load.Pattern, string(loadgen.Pairs)) {
			peers = n + 1 // all to one, or one to all
		}
		c.Connections = max(c.Connections, peers)
	}
	for _, r := range s.Relays {
		c.KTLS = c.KTLS || slices.Contains(r.Transport, "ktls")
		c.Congestion = c.Congestion && r.Congestion != ""
		if r.Relay == results.RelayHD {
			c.SocketBuffer = max(c.SocketBuffer, relay.DefaultSocketBuffer)
		}
		for _, b := range r.SocketBuffer {
			c.SocketBuffer = max(c.SocketBuffer, b)
		}
	}
	c.KTLS = c.KTLS || slices.Contains(s.Load.ClientTransport, "ktls")
	c.Rate, c.RateWhy = s.highestRate()
	return c
}

// highestRate is the most a scenario offers, if that is known before it is run.
func (s *Scenario) highestRate() (units.Rate, string) {
	rates := s.Load.Rate
	if s.Resolved != nil {
		rates = nil
		for _, c := range s.Resolved.Configurations {
			rates = append(rates, c.Rates...)
		}
	}
	var top units.Rate
	for _, r := range rates {
		if r.Auto || r.Percent > 0 || r.Fixed.IsMax() {
			return 0, "the scenario's rates go as far as the relay does"
		}
		top = max(top, r.Fixed)
	}
	if top == 0 {
		return 0, "the scenario searches for its rates"
	}
	return top, ""
}
