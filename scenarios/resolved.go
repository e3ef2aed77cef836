package scenarios

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/units"
	"hdbench/relay"
	"hdbench/results"
)

// Marshal writes a scenario as a file that Parse reads, the resolved part
// included.
func (s *Scenario) Marshal() ([]byte, error) {
	root := mapping()
	root.add("name", scalar(s.Name))
	if s.About != "" {
		root.add("about", scalar(s.About))
	}
	root.add("warmup", scalar(s.Warmup.String()))
	root.add("measure", scalar(s.Measure.String()))
	root.add("drain", scalar(s.Drain.String()))
	root.add("runs", s.Runs.node())
	if s.Seed > 0 {
		root.add("seed", scalar(strconv.FormatUint(s.Seed, 10)))
	}
	if s.CompareAt > 0 {
		root.add("compare-at", scalar(s.CompareAt.String()))
	}
	if s.Profile {
		root.add("profile", scalar("true"))
	}
	if s.CPUs != (CPUs{}) {
		root.add("cpus", s.CPUs.node())
	}
	root.add("load", s.Load.node())
	relays := sequence()
	for _, r := range s.Relays {
		relays.Content = append(relays.Content, r.node())
	}
	root.add("relays", relays)
	if s.Resolved != nil {
		root.add("resolved", s.Resolved.node())
	}
	b, err := yaml.Marshal(root.Node)
	if err != nil {
		return nil, fmt.Errorf("write scenario: %w", err)
	}
	return b, nil
}

func (c CPUs) node() *yaml.Node {
	auto := func(s string) string {
		if s == "" {
			return "auto"
		}
		return s
	}
	n := mapping()
	n.add("relay", scalar(auto(c.Relay)))
	n.add("client", scalar(auto(c.Client)))
	return n.Node
}

func (l LoadAxes) node() *yaml.Node {
	n := mapping()
	n.add("pattern", scalars(l.Pattern, func(s string) string { return s }))
	n.add("pairs", scalars(l.Pairs, strconv.Itoa))
	n.add("payload", scalars(l.Payload, units.Bytes.String))
	n.add("burst", scalars(l.Burst, func(s string) string { return s }))
	n.add("tick", scalars(l.Tick, time.Duration.String))
	if l.RTT {
		n.add("rtt", scalar("true"))
	}
	if l.Congestion != "" {
		n.add("congestion", scalar(l.Congestion))
	}
	if len(l.ClientTransport) > 0 {
		n.add("client-transport", scalars(l.ClientTransport, func(s string) string { return cmp.Or(s, "auto") }))
	}
	if len(l.FramesPerRecord) > 0 {
		n.add("frames-per-record", scalars(l.FramesPerRecord, strconv.Itoa))
	}
	if len(l.Rate) > 0 {
		n.add("rate", scalars(l.Rate, Rate.String))
	}
	if l.Search != nil {
		n.add("search", l.Search.node())
	}
	return n.Node
}

func (r RelayAxes) node() *yaml.Node {
	n := mapping()
	n.add("relay", scalar(r.Relay))
	if r.Version != "" {
		n.add("version", scalar(r.Version))
	}
	if r.Command != "" {
		n.add("command", scalar(r.Command))
	}
	n.add("transport", scalars(r.Transport, func(s string) string { return s }))
	if len(r.Workers) == 0 {
		n.add("workers", scalar("auto"))
	} else {
		n.add("workers", scalars(r.Workers, strconv.Itoa))
	}
	if len(r.OnFull) > 0 {
		n.add("on-full", scalars(r.OnFull, func(s string) string { return s }))
	}
	if len(r.Moderation) > 0 {
		n.add("moderation", scalars(r.Moderation, time.Duration.String))
	}
	if r.QueuePackets > 0 {
		n.add("queue-packets", scalar(strconv.Itoa(r.QueuePackets)))
	}
	if r.QueueBytes > 0 {
		n.add("queue-bytes", scalar(r.QueueBytes.String()))
	}
	if len(r.SocketBuffer) > 0 {
		n.add("socket-buffer", scalars(r.SocketBuffer, showSocketBuffer))
	}
	if r.Congestion != "" {
		n.add("congestion", scalar(r.Congestion))
	}
	return n.Node
}

func showSocketBuffer(b units.Bytes) string {
	if b == relay.SystemSocketBuffer {
		return "system"
	}
	return b.String()
}

// The resolved part lists every configuration flat, each with its rates.

func (r *Resolved) node() *yaml.Node {
	n := mapping()
	n.add("seed", scalar(strconv.FormatUint(r.Seed, 10)))
	n.add("cpus", r.CPUs.node())
	cs := sequence()
	for _, c := range r.Configurations {
		cs.Content = append(cs.Content, c.node())
	}
	n.add("configurations", cs)
	return n.Node
}

func (c Configuration) node() *yaml.Node {
	n := mapping()
	n.Style = yaml.FlowStyle
	add := func(key, value string, given bool) {
		if given {
			n.add(key, scalar(value))
		}
	}
	add("relay", c.Relay, true)
	add("version", c.Version, c.Version != "")
	add("transport", c.Transport, true)
	add("workers", strconv.Itoa(c.Workers), true)
	add("on-full", c.OnFull, c.OnFull != "")
	add("moderation", time.Duration(c.ModerationNS).String(), c.ModerationNS > 0)
	add("queue-packets", strconv.Itoa(c.QueuePackets), c.QueuePackets > 0)
	add("queue-bytes", units.Bytes(c.QueueBytes).String(), c.QueueBytes > 0)
	add("socket-buffer", showSocketBuffer(units.Bytes(c.SocketBuffer)), c.SocketBuffer != 0)
	add("congestion", c.Congestion, c.Congestion != "")
	l := c.Load
	add("pattern", l.Pattern, true)
	add("pairs", strconv.Itoa(l.Pairs), true)
	add("payload", units.Bytes(l.PayloadBytes).String(), true)
	add("burst", l.Burst, true)
	add("tick", time.Duration(l.TickNS).String(), true)
	add("rtt", "true", l.RTT)
	add("client-congestion", l.Congestion, l.Congestion != "")
	add("client-transport", c.ClientTransport, c.ClientTransport != "")
	add("frames-per-record", strconv.Itoa(c.FramesPerRecord), c.FramesPerRecord > 0)
	if len(c.Rates) > 0 {
		n.add("rates", scalars(c.Rates, Rate.String))
	}
	add("search-max", c.SearchMax.String(), c.SearchMax > 0)
	return n.Node
}

// resolved reads the resolved part.
func (d *decoder) resolved(n *yaml.Node, s *Scenario) {
	r := &Resolved{Line: n.Line}
	d.mapping(n, "resolved", fields{
		"seed":           one(d, "resolved.seed", &r.Seed, parseSeed),
		"cpus":           func(n *yaml.Node) { d.cpus(n, &r.CPUs) },
		"configurations": func(n *yaml.Node) { d.configurations(n, r) },
	})
	if r.Seed == 0 || r.CPUs.Relay == "" || r.CPUs.Client == "" || len(r.Configurations) == 0 {
		d.fail(n, "resolved: seed, both CPU lists and configurations must be given")
	}
	s.Resolved = r
}

func (d *decoder) configurations(n *yaml.Node, r *Resolved) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "resolved.configurations: want a list, have %s", kindName(n))
		return
	}
	for _, item := range n.Content {
		c := Configuration{Line: item.Line}
		before := len(d.errs)
		var moderation, tick time.Duration
		var queueBytes, buffer, payload units.Bytes
		d.mapping(item, "configuration", fields{
			"relay": one(d, "relay", &c.Relay, parseName), "version": one(d, "version", &c.Version, text),
			"transport":     one(d, "transport", &c.Transport, settings.transport),
			"workers":       one(d, "workers", &c.Workers, settings.workers),
			"on-full":       one(d, "on-full", &c.OnFull, settings.onFull),
			"moderation":    one(d, "moderation", &moderation, settings.moderation),
			"queue-packets": one(d, "queue-packets", &c.QueuePackets, settings.queuePackets),
			"queue-bytes":   one(d, "queue-bytes", &queueBytes, settings.queueBytes),
			"socket-buffer": one(d, "socket-buffer", &buffer, settings.socketBuffer),
			"congestion":    one(d, "congestion", &c.Congestion, text),
			"pattern":       one(d, "pattern", &c.Load.Pattern, settings.pattern),
			"pairs":         one(d, "pairs", &c.Load.Pairs, settings.pairs),
			"payload":       one(d, "payload", &payload, settings.payload),
			"burst":         one(d, "burst", &c.Load.Burst, settings.burst),
			"tick":          one(d, "tick", &tick, settings.tick),
			"rtt":           one(d, "rtt", &c.Load.RTT, strconv.ParseBool), "client-congestion": one(d, "client-congestion", &c.Load.Congestion, text),
			"client-transport":  one(d, "client-transport", &c.ClientTransport, settings.clientTransport),
			"frames-per-record": one(d, "frames-per-record", &c.FramesPerRecord, settings.framesPerRecord),
			"rates": list(d, "rates", &c.Rates, func(s string) (Rate, error) {
				r, err := units.ParseRate(s)
				return Rate{Fixed: r}, err
			}),
			"search-max": one(d, "search-max", &c.SearchMax, searchRate),
		})
		c.ModerationNS, c.Load.TickNS = int64(moderation), int64(tick)
		c.QueueBytes, c.SocketBuffer, c.Load.PayloadBytes = int64(queueBytes), int64(buffer), int(payload)
		switch l := c.Load; {
		case len(d.errs) > before:
		case len(c.Rates) == 0 && c.SearchMax == 0:
			d.fail(item, "configuration: rates are missing")
		case c.Relay == "" || c.Transport == "" || c.Workers == 0 || l.Pattern == "" || l.Pairs == 0 || l.PayloadBytes == 0 || l.Burst == "" || l.TickNS == 0:
			d.fail(item, "configuration: relay, transport, workers, pattern, pairs, payload, burst and tick must be given")
		}
		r.Configurations = append(r.Configurations, c)
	}
}

// checkResolved checks the configurations of the resolved part against the relays
// of the scenario, and each other.
func (d *decoder) checkResolved(s *Scenario) {
	first := map[results.Config]int{}
	for i := range s.Resolved.Configurations {
		c := &s.Resolved.Configurations[i]
		n := &yaml.Node{Line: c.Line}
		if line, again := first[c.Config]; again {
			d.fail(n, "configuration: it is listed twice (first on line %d)", line)
			continue
		}
		first[c.Config] = c.Line
		if c.Relay == "" {
			continue // said already
		}
		r := RelayAxes{
			Relay: c.Relay, Version: c.Version, Command: s.externalCommand(c.Relay),
			QueuePackets: c.QueuePackets, QueueBytes: units.Bytes(c.QueueBytes), Congestion: c.Congestion,
		}
		if c.OnFull != "" {
			r.OnFull = []string{c.OnFull}
		}
		if c.ModerationNS > 0 {
			r.Moderation = []time.Duration{time.Duration(c.ModerationNS)}
		}
		if c.SocketBuffer != 0 {
			r.SocketBuffer = []units.Bytes{units.Bytes(c.SocketBuffer)}
		}
		d.checkRelay(n, &r)
		c.Version = r.Version
	}
	if err := s.Resolved.checkSize(); err != nil {
		d.fail(&yaml.Node{Line: s.Resolved.Line}, "resolved: %v", err)
	}
}

// Builders of YAML nodes.

type mappingNode struct{ *yaml.Node }

func mapping() mappingNode { return mappingNode{&yaml.Node{Kind: yaml.MappingNode}} }

func (m mappingNode) add(key string, v *yaml.Node) {
	m.Content = append(m.Content, scalar(key), v)
}

func sequence() *yaml.Node { return &yaml.Node{Kind: yaml.SequenceNode} }

func scalar(s string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(s)
	n.Tag = "" // plain where that is possible: the reader takes every value as text
	return n
}

func scalars[T any](vs []T, show func(T) string) *yaml.Node {
	n := sequence()
	n.Style = yaml.FlowStyle
	for _, v := range vs {
		n.Content = append(n.Content, scalar(show(v)))
	}
	return n
}

// externalCommand is the command of a relay entry that is neither hd nor derper.
func (s *Scenario) externalCommand(relay string) string {
	for _, r := range s.Relays {
		if r.Relay == relay && relay != results.RelayHD && relay != results.RelayDerper {
			return r.Command
		}
	}
	return ""
}
