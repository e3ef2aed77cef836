package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/loadgen"
	"hdbench/results"
)

// fitHosts chooses the CPUs of the relay and of clients beside it. A relay that
// has its machine for itself has all of it.
func (s *sweep) fitHosts(want CPUs, cores []cpu.Set) (Split, error) {
	if list := s.relayHost.Member().CPUs; want.Relay == "" {
		want.Relay = list
	}
	split, err := fitCPUs(want, cores)
	if err != nil || slices.ContainsFunc(s.clientHosts, s.relayHost.SameMachine) {
		return split, err
	}
	if want.Relay == "" {
		split.Relay = cpu.Of()
		for _, c := range cores {
			split.Relay = split.Relay.Union(c)
		}
	}
	split.Client, err = cpu.Parse(s.clientCPUs(s.clientHosts[0]))
	return split, err
}

// clientCPUs are the CPUs a client's threads run on: those asked for, its share
// of the relay's machine, or all that its own has.
func (s *sweep) clientCPUs(h *fleet.Host) string {
	switch {
	case h.Member().CPUs != "":
		return h.Member().CPUs
	case s.relayHost.SameMachine(h):
		return s.split.Client.String()
	case s.sc.CPUs.Client != "":
		return s.sc.CPUs.Client
	default:
		return h.Info().CPUs
	}
}

// part is the share of the i-th client.
func (s *sweep) part(i int) loadgen.Part {
	return loadgen.Part{Index: i, Of: len(s.clientHosts)}
}

// share is how many of a load's flows the i-th client has an end of: what it
// sends or what it receives, whichever is more.
func (s *sweep) share(i int, l results.Shape) int {
	return max(s.part(i).Flows(loadgen.Pattern(l.Pattern), l.Pairs))
}

// clients are the hosts of a load.
func (s *sweep) clients(l results.Shape, direct bool) []fleet.Client {
	var cs []fleet.Client
	for i, h := range s.clientHosts {
		// Without a relay each host sends as many flows as are its share; one that
		// has none has no limit.
		if n := s.share(i, l); n > 0 || !direct {
			cs = append(cs, fleet.Client{Host: h, CPUs: s.clientCPUs(h), Pairs: n})
		}
	}
	return cs
}

// clientNames are the client hosts, each once.
func (s *sweep) clientNames() string {
	var names []string
	for _, h := range s.clientHosts {
		names = append(names, h.Info().Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// allClientCPUs are the clients' CPUs: a CPU list if they are of one machine.
func (s *sweep) allClientCPUs() string {
	var lists []string
	union := cpu.Of()
	one := true
	for _, h := range s.clientHosts {
		list := s.clientCPUs(h)
		lists = append(lists, h.Member().Agent+": "+list)
		set, err := cpu.Parse(list)
		if one = one && err == nil && h.SameMachine(s.clientHosts[0]); one {
			union = union.Union(set)
		}
	}
	if one {
		return union.String()
	}
	return strings.Join(lists, "; ")
}

// clientLimit is the rate offered to the whole load at which the clients are at
// their own limit, bits per second: that of the first host to reach it. Zero is
// not known.
type clientLimit struct {
	all   float64
	hosts map[string]float64 // by agent, where there are several
}

// limitOf reads a calibration.
func limitOf(t *results.Trial) clientLimit {
	l := clientLimit{all: t.Load.DeliveredBps}
	if len(t.Load.Hosts) == 0 {
		return l
	}
	l.all, l.hosts = 0, map[string]float64{}
	for _, h := range t.Load.Hosts {
		l.hosts[h.Agent] = h.LimitBps
		if l.all == 0 || h.LimitBps < l.all {
			l.all = h.LimitBps
		}
	}
	return l
}

// noteHosts adds to a trial's hosts what is known of them: their limits and lines.
func (s *sweep) noteHosts(t *results.Trial) {
	t.LineToRelayBps, t.LineFromRelayBps = s.lineOfAll()
	limit := s.limits[clientOf(t.Point.Config)]
	for i, c := range s.clientHosts {
		at := slices.IndexFunc(t.Load.Hosts, func(h measure.ClientHost) bool { return h.Agent == c.Member().Agent })
		if at < 0 {
			continue
		}
		h := &t.Load.Hosts[at]
		h.SendFlows, h.ReceiveFlows = s.part(i).Flows(loadgen.Pattern(t.Point.Load.Pattern), t.Point.Load.Pairs)
		if t.Kind == results.KindCalibration {
			// It carried its share by itself; the load is so many times as large.
			h.LimitBps = h.DeliveredBps * float64(t.Point.Load.Pairs) / float64(s.share(i, t.Point.Load))
			continue
		}
		h.LimitBps = limit.hosts[h.Agent]
		if s.line != nil {
			h.LineToRelayBps, h.LineFromRelayBps = s.line.Of(h.Agent, true), s.line.Of(h.Agent, false)
		}
	}
}

// clockReading is what the hosts' clocks showed against the controller's.
type clockReading struct {
	at      int64 // of the controller's clock
	hosts   []*fleet.Host
	offsets []fleet.Offset
}

func (s *sweep) readClocks(ctx context.Context) (clockReading, error) {
	r := clockReading{at: s.fleet.Now(), hosts: append([]*fleet.Host{s.relayHost}, s.clientHosts...)}
	var err error
	if r.offsets, err = fleet.SyncClocks(ctx, r.hosts); err != nil {
		return r, fmt.Errorf("measure the hosts' clocks: %w", err)
	}
	return r, nil
}

// checkClocks reads the clocks again after a trial, unless all hosts have one,
// and notes how they have moved. What they moved is part of how far apart the
// windows may have been.
func (s *sweep) checkClocks(ctx context.Context, t *results.Trial, before clockReading) error {
	if !slices.ContainsFunc(s.clientHosts, func(h *fleet.Host) bool { return !h.SameClock(s.relayHost) }) {
		return nil
	}
	after, err := s.readClocks(ctx)
	if err != nil {
		return err
	}
	var most int64
	for i, h := range before.hosts {
		b, a := before.offsets[i], after.offsets[i]
		c := measure.ClockCheck{
			Agent: h.Member().Agent, AheadNS: int64(b.Ahead), BoundNS: int64(b.Bound),
			DriftNS: int64(a.Ahead - b.Ahead), EndBoundNS: int64(a.Bound), ElapsedNS: after.at - before.at,
		}
		most = max(most, c.DriftNS, -c.DriftNS)
		t.Clocks = append(t.Clocks, c)
	}
	t.ClockBoundNS += most
	return nil
}
