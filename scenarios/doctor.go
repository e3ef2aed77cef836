package scenarios

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/cpu"
	"hdbench/internal/doctor"
	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/internal/probe"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
	"hdbench/results"
)

// Doctor examines hosts for a scenario and runs nothing of it.
type Doctor struct {
	Scenario *Scenario
	DataAddr string // where the relay would listen; empty: loopback
	Binary   string // hdbench, for agents
	Version  string // of it
}

// sample is how long an examination looks at what hosts are doing.
const sample = 400 * time.Millisecond

// Run examines this host: for both roles where the data address is loopback, for
// the relay's where it is another address of this host, and else for the client's.
func (o Doctor) Run(ctx context.Context) (*measure.Examination, error) {
	addr := o.DataAddr
	if addr == "" {
		addr = loopback
	}
	f, err := fleet.Start(ctx, fleet.Options{Members: hereOnly(), Binary: o.Binary})
	if err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	defer f.Close()
	relay, client := f.Hosts(fleet.RoleRelay)[0], f.Hosts(fleet.RoleClient)[0]
	avail, err := parseAvailable(relay.Info().CPUs)
	if err != nil {
		return nil, err
	}
	split, err := fitCPUs(o.Scenario.CPUs, probe.Siblings(avail))
	if err != nil {
		return nil, badInput(err)
	}
	now, err := relay.Readings(ctx, 0, addr)
	if err != nil {
		return nil, err
	}
	sides := []examinee{{relay, split.Relay}, {client, split.Client}}
	hosts := 1
	switch to := now.Route; {
	case to.Local && !net.ParseIP(addr).IsLoopback():
		sides, hosts = []examinee{{relay, avail}}, 2
	case !to.Local && to.Device != "":
		sides, hosts = []examinee{{client, avail}}, 2
	}
	return examine(ctx, o.Scenario, sides, hosts, addr, o.Version)
}

// examinee is an agent and the CPUs of its role.
type examinee struct {
	host *fleet.Host
	cpus cpu.Set
}

// examine looks at every host at the same time, agents of one host as one. hosts
// is how many the sweep has, should they not all be there.
func examine(ctx context.Context, sc *Scenario, sides []examinee, hosts int, addr, version string) (*measure.Examination, error) {
	e := &measure.Examination{Taken: time.Now().UTC(), Hdbench: version, Scenario: sc.Name}
	var groups [][]examinee
	for _, s := range sides {
		i := slices.IndexFunc(groups, func(g []examinee) bool { return g[0].host.Info().Same(s.host.Info()) })
		if i < 0 {
			groups = append(groups, []examinee{s})
			continue
		}
		groups[i] = append(groups[i], s)
	}
	base := sc.fitness()
	base.Hosts = max(hosts, len(groups))
	e.Hosts = make([]measure.HostExamination, len(groups))
	var g errgroup.Group
	for i, group := range groups {
		g.Go(func() error {
			info, c := group[0].host.Info(), base
			h := &e.Hosts[i]
			h.Name = info.Name
			for _, s := range group {
				m := s.host.Member()
				h.Agents, h.Roles = append(h.Agents, m.Agent), append(h.Roles, string(m.Role))
				if m.Role == fleet.RoleRelay {
					c.Relay, c.RelayCPUs = true, c.RelayCPUs.Union(s.cpus)
				} else {
					c.Client, c.ClientCPUs = true, c.ClientCPUs.Union(s.cpus)
				}
			}
			h.RelayCPUs, h.ClientCPUs = c.RelayCPUs.String(), c.ClientCPUs.String()
			var err error
			if h.Readings, err = group[0].host.Readings(ctx, sample, addr); err != nil {
				return err
			}
			h.Verdicts = doctor.Examine(info, h.Readings, c)
			return nil
		})
	}
	return e, g.Wait()
}

// examineHosts is what a sweep does before its first trial. The fleet is there, its
// CPUs are given, and nothing runs yet.
func (s *sweep) examineHosts(ctx context.Context) error {
	sides := []examinee{{s.relayHost, s.split.Relay}, {s.clientHost, s.split.Client}}
	var err error
	if s.examined, err = examine(ctx, s.sc, sides, 1, s.dataAddr, s.Version); err != nil {
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
