package scenarios

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/transport"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
	"hdbench/results"
)

// Load reads an embedded scenario by name, or a file.
func Load(nameOrFile string) (*Scenario, error) {
	if b, err := embedded.ReadFile(embeddedPath(nameOrFile)); err == nil {
		return Parse(nameOrFile+".yaml", b)
	}
	if !strings.ContainsAny(nameOrFile, "/.") {
		return nil, fmt.Errorf("scenario %q: there is no such scenario (embedded: %s), and no file of that name has a dot or slash in it", nameOrFile, strings.Join(Names(), ", "))
	}
	b, err := os.ReadFile(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(nameOrFile, b)
}

// Parse reads a scenario. The error names file and line of everything wrong.
func Parse(file string, b []byte) (*Scenario, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: the file is empty", file)
	}
	d := &decoder{file: file}
	s := &Scenario{Drain: loadgen.DefaultDrain, Runs: fixedRuns(1), Warmup: 500 * time.Millisecond}
	root := doc.Content[0]
	d.mapping(root, "scenario", fields{
		"name":       one(d, "name", &s.Name, parseName),
		"about":      one(d, "about", &s.About, text),
		"warmup":     one(d, "warmup", &s.Warmup, durationIn(0, time.Hour)),
		"measure":    one(d, "measure", &s.Measure, durationIn(loadgen.IntervalLen, 24*time.Hour)),
		"drain":      one(d, "drain", &s.Drain, durationIn(0, time.Hour)),
		"runs":       func(n *yaml.Node) { d.runs(n, &s.Runs) },
		"seed":       one(d, "seed", &s.Seed, parseSeed),
		"compare-at": one(d, "compare-at", &s.CompareAt, fixedRate),
		"profile":    one(d, "profile", &s.Profile, strconv.ParseBool),
		"cpus":       func(n *yaml.Node) { d.cpus(n, &s.CPUs) },
		"load":       func(n *yaml.Node) { d.load(n, &s.Load) },
		"relays":     func(n *yaml.Node) { d.relays(n, s) },
		"resolved":   func(n *yaml.Node) { d.resolved(n, s) },
	})
	if root.Kind == yaml.MappingNode {
		d.complete(root, s)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// complete checks what the keys must have given together, and fills in defaults.
func (d *decoder) complete(root *yaml.Node, s *Scenario) {
	// A value that was refused is not missing, too.
	if s.Name == "" && !given(root, "name") {
		d.fail(root, "scenario: name is missing")
	}
	if s.Measure == 0 && len(s.Load.Rate) == 0 && s.Load.Search != nil {
		s.Measure = s.Load.Search.Final // there is nothing else to measure
	}
	if s.Measure == 0 && !given(root, "measure") {
		d.fail(root, "scenario: measure is missing: how long is the measuring window?")
	}
	if len(s.Load.Rate) == 0 && s.Load.Search == nil && !given(root, "load", "rate") && !given(root, "load", "search") {
		d.fail(root, "scenario: load.rate is missing: auto, or a list of rates such as [1Gbps, 5Gbps]; or else load.search: ndr-pdr")
	}
	if len(s.Relays) == 0 && !given(root, "relays") {
		d.fail(root, "scenario: relays is missing: which relays are measured?")
	}
	l := &s.Load
	l.Pattern = orDefault(l.Pattern, string(loadgen.Pairs))
	l.Pairs = orDefault(l.Pairs, 10)
	l.Payload = orDefault(l.Payload, 1400)
	l.Burst = orDefault(l.Burst, "tick")
	l.Tick = orDefault(l.Tick, loadgen.DefaultTick)
	if s.Resolved != nil {
		d.checkResolved(s)
	}
}

func orDefault[T any](have []T, def T) []T {
	if len(have) == 0 {
		return []T{def}
	}
	return have
}

func (d *decoder) cpus(n *yaml.Node, c *CPUs) {
	d.mapping(n, "cpus", fields{
		"relay":  one(d, "cpus.relay", &c.Relay, cpuList),
		"client": one(d, "cpus.client", &c.Client, cpuList),
	})
}

func (d *decoder) load(n *yaml.Node, l *LoadAxes) {
	d.mapping(n, "load", fields{
		"pattern":    list(d, "load.pattern", &l.Pattern, settings.pattern),
		"pairs":      list(d, "load.pairs", &l.Pairs, settings.pairs),
		"payload":    list(d, "load.payload", &l.Payload, settings.payload),
		"burst":      list(d, "load.burst", &l.Burst, settings.burst),
		"tick":       list(d, "load.tick", &l.Tick, settings.tick),
		"rtt":        one(d, "load.rtt", &l.RTT, strconv.ParseBool),
		"congestion": one(d, "load.congestion", &l.Congestion, text),
		"rate":       list(d, "load.rate", &l.Rate, parseRate),

		"client-transport":  list(d, "load.client-transport", &l.ClientTransport, settings.clientTransport),
		"frames-per-record": list(d, "load.frames-per-record", &l.FramesPerRecord, settings.framesPerRecord),
		"search":            func(n *yaml.Node) { d.search(n, &l.Search) },
	})
}

func (d *decoder) relays(n *yaml.Node, s *Scenario) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "relays: want a list, have %s", kindName(n))
		return
	}
	for _, item := range n.Content {
		r := RelayAxes{Line: item.Line}
		d.mapping(item, "relays", fields{
			"relay":         one(d, "relay", &r.Relay, parseName),
			"version":       one(d, "version", &r.Version, text),
			"command":       one(d, "command", &r.Command, command),
			"transport":     list(d, "transport", &r.Transport, settings.transport),
			"workers":       d.workers(&r.Workers),
			"on-full":       list(d, "on-full", &r.OnFull, settings.onFull),
			"moderation":    list(d, "moderation", &r.Moderation, settings.moderation),
			"queue-packets": one(d, "queue-packets", &r.QueuePackets, settings.queuePackets),
			"queue-bytes":   one(d, "queue-bytes", &r.QueueBytes, settings.queueBytes),
			"socket-buffer": list(d, "socket-buffer", &r.SocketBuffer, settings.socketBuffer),
			"congestion":    one(d, "congestion", &r.Congestion, text),
		})
		if item.Kind == yaml.MappingNode {
			d.checkRelay(item, &r)
			s.Relays = append(s.Relays, r)
		}
	}
}

// checkRelay finds settings that the kind of relay does not have.
func (d *decoder) checkRelay(n *yaml.Node, r *RelayAxes) {
	hdOnly := len(r.OnFull)+len(r.Moderation)+len(r.SocketBuffer)+r.QueuePackets+int(r.QueueBytes)+len(r.Congestion) > 0
	switch r.Relay {
	case "":
		if !given(n, "relay") {
			d.fail(n, "relays: relay is missing: hd, derper, or a name for another DERP server")
		}
	case results.RelayNone:
		d.fail(n, "relays: %q is the client's calibration, it runs by itself", r.Relay)
	case results.RelayHD:
		if r.Command != "" || r.Version != "" {
			d.fail(n, "relays: hd takes neither command nor version: it is this hdbench")
		}
	case results.RelayDerper:
		if r.Command != "" {
			d.fail(n, "relays: derper takes no command; give another relay a name of its own")
		}
		if r.Version == "" {
			r.Version = DefaultDerper
		}
	default:
		if r.Command == "" {
			d.fail(n, "relays: %q is neither hd nor derper: it needs a command with {addr} or {port}", r.Relay)
		}
		if r.Version != "" {
			d.fail(n, "relays: version chooses a derper; %q is started by its command", r.Relay)
		}
	}
	if hdOnly && r.Relay != results.RelayHD {
		d.fail(n, "relays: on-full, moderation, queue-packets, queue-bytes, socket-buffer and congestion are settings of hd, not of %s", r.Relay)
	}
	r.Transport = orDefault(r.Transport, "tcp")
}

// workers reads worker counts, or auto.
func (d *decoder) workers(to *[]int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Value == "auto" {
			return
		}
		list(d, "workers", to, settings.workers)(n)
	}
}

// Readers of single values.

func text(s string) (string, error) { return strings.TrimSpace(s), nil }

func parseName(s string) (string, error) {
	ok := s != ""
	for _, r := range s {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '+')
	}
	if !ok {
		return "", fmt.Errorf("name %q: want letters, digits, _ . and + only, as it goes into file and benchmark names", s)
	}
	return s, nil
}

func parseSeed(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q: want a whole number from 1", s)
	}
	return n, nil
}

func intIn(lo, hi int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			return 0, fmt.Errorf("%q: want a whole number from %d to %d", s, lo, hi)
		}
		return n, nil
	}
}

func durationIn(lo, hi time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q: want a duration with its unit, such as 500ms or 2s", s)
		}
		if v < lo || v > hi {
			return 0, fmt.Errorf("%q: want %v to %v", s, lo, hi)
		}
		return v, nil
	}
}

func bytesIn(lo, hi units.Bytes) func(string) (units.Bytes, error) {
	return func(s string) (units.Bytes, error) {
		v, err := units.ParseBytes(s)
		if err == nil && (v < lo || v > hi) {
			err = fmt.Errorf("%q: want %v to %v", s, lo, hi)
		}
		return v, err
	}
}

func fixedRate(s string) (units.Rate, error) {
	r, err := units.ParseRate(s)
	if err == nil && r.IsMax() {
		err = errors.New("max is no rate to compare at")
	}
	return r, err
}

func parseRate(s string) (Rate, error) {
	if s == "auto" {
		return Rate{Auto: true}, nil
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v >= 1 && v <= 1000) {
			return Rate{}, fmt.Errorf("rate %q: want 1%% to 1000%% of what the configuration carries", s)
		}
		return Rate{Percent: v}, nil
	}
	r, err := units.ParseRate(s)
	if err != nil {
		return Rate{}, fmt.Errorf("%w; a scenario may also say auto, or a share such as 50%%", err)
	}
	return Rate{Fixed: r}, nil
}

func formatPercent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + "%" }

// cpuList reads a CPU list; auto is the empty string.
func cpuList(s string) (string, error) {
	if s == "auto" {
		return "", nil
	}
	set, err := cpu.Parse(s)
	if err == nil && set.IsEmpty() {
		err = fmt.Errorf("CPU list %q is empty", s)
	}
	return set.String(), err
}

// knownTransport reads the word for a transport; whether these hosts have it is
// found out when the sweep runs.
func knownTransport(s string) (string, error) {
	if _, err := transport.ParseKind(s); err != nil {
		return "", fmt.Errorf("%q: want one of %v", s, transport.Kinds())
	}
	return s, nil
}

// clientTransport reads the client's own transport over TLS; auto is empty.
func clientTransport(s string) (string, error) {
	switch s {
	case "auto":
		return "", nil
	case string(transport.TLS), string(transport.KTLS):
		return s, nil
	}
	return "", fmt.Errorf("%q: want auto, tls or ktls: how the client carries a relay's tls and ktls", s)
}

func onFull(s string) (string, error) {
	if !slices.Contains(relay.OnFullPolicies(), relay.OnFull(s)) {
		return "", fmt.Errorf("%q: want one of %v", s, relay.OnFullPolicies())
	}
	return s, nil
}

func socketBuffer(s string) (units.Bytes, error) {
	if s == "system" {
		return relay.SystemSocketBuffer, nil
	}
	v, err := units.ParseBytes(s)
	if err == nil && v < 4<<10 {
		err = fmt.Errorf("%q: want 4KiB at least, or system", s)
	}
	return v, err
}

func command(s string) (string, error) { return s, fleet.CheckCommand(s) }
