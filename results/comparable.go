package results

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/measure"
)

// Differences says in what two folders differ that their numbers cannot stand
// beside each other; none means that they can. What is under test, hd and other
// relays but the baseline, may differ.
func Differences(a, b *Set) []string {
	d := scenarioDifferences(a.Scenario, b.Scenario)
	d = append(d, hostDifferences(a.Environment.Hosts, b.Environment.Hosts)...)
	if va, vb := a.baselineVersion(), b.baselineVersion(); va != vb {
		d = append(d, fmt.Sprintf("TS baseline: %s, %s", va, vb))
	}
	if a.Environment.Seed != b.Environment.Seed && (a.manyWorkers() || b.manyWorkers()) {
		// The seed makes the peers' keys, and a key decides its peer's worker.
		d = append(d, fmt.Sprintf("seed: %d, %d: peers fall on other workers; give the scenario a seed of its own", a.Environment.Seed, b.Environment.Seed))
	}
	return d
}

// freeKeys are the keys of a scenario in which comparable sweeps may differ.
var freeKeys = []string{"about", "profile", "runs", "seed", "resolved"}

func scenarioDifferences(a, b []byte) []string {
	var ma, mb map[string]any
	if ea, eb := yaml.Unmarshal(a, &ma), yaml.Unmarshal(b, &mb); ea != nil || eb != nil {
		return []string{fmt.Sprintf("scenario: %s is not readable", FileScenario)}
	}
	var keys []string
	for _, m := range []map[string]any{ma, mb} {
		for k := range m {
			if !slices.Contains(freeKeys, k) && !slices.Contains(keys, k) && !reflect.DeepEqual(ma[k], mb[k]) {
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	var d []string
	for _, k := range keys {
		d = append(d, fmt.Sprintf("scenario, %s: %s, %s", k, flow(ma[k]), flow(mb[k])))
	}
	return d
}

// flow writes a YAML value on one line.
func flow(v any) string {
	if v == nil {
		return "not given"
	}
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	n.Style = yaml.FlowStyle
	b, err := yaml.Marshal(&n)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// hostFacts are what a host's numbers depend on.
var hostFacts = []struct {
	name string
	of   func(HostEntry) string
}{
	{"CPU model", func(h HostEntry) string { return h.Host.CPUModel }},
	{"CPUs given", func(h HostEntry) string { return h.CPUs }},
	{"CPUs there", func(h HostEntry) string { return h.Host.CPUs }},
	{"kernel", func(h HostEntry) string { return h.Host.Kernel + " " + h.Host.Arch }},
	{"memory", func(h HostEntry) string { return h.Host.GiB() }},
	{"virtualised", func(h HostEntry) string { return fmt.Sprint(h.Host.Virtual) }},
	{"TCP congestion control", func(h HostEntry) string { return h.Host.Congestion }},
}

func hostDifferences(a, b []HostEntry) []string {
	if len(a) != len(b) {
		return []string{fmt.Sprintf("hosts: %s, %s", plural(len(a), "agent"), plural(len(b), "agent"))}
	}
	var d []string
	for i := range a {
		role := strings.Join(a[i].Roles, " and ")
		if !slices.Equal(a[i].Roles, b[i].Roles) {
			return append(d, fmt.Sprintf("hosts: %s, %s", role, strings.Join(b[i].Roles, " and ")))
		}
		for _, f := range hostFacts {
			if fa, fb := f.of(a[i]), f.of(b[i]); fa != fb {
				d = append(d, fmt.Sprintf("%s, %s: %s, %s", role, f.name, fa, fb))
			}
		}
		d = append(d, worded(role, a[i].Host.Fingerprint.Differences(b[i].Host.Fingerprint))...)
	}
	if sa, sb := sameHost(a), sameHost(b); sa != sb {
		d = append(d, "hosts: relay and client share one in one folder and not in the other")
	}
	return d
}

// Drift says in what else the hosts of two comparable folders differ: settings
// that may move numbers, and need not.
func Drift(a, b *Set) []string {
	var d []string
	hosts := a.Environment.Hosts
	for i, h := range hosts {
		again := i > 0 && h.Host.Same(hosts[i-1].Host) // in another role
		if i < len(b.Environment.Hosts) && !again {
			role := strings.Join(h.Roles, " and ")
			d = append(d, worded(role, h.Host.Fingerprint.Drift(b.Environment.Hosts[i].Host.Fingerprint))...)
		}
	}
	return d
}

func worded(role string, ds []measure.Difference) []string {
	var d []string
	for _, x := range ds {
		d = append(d, fmt.Sprintf("%s, %s: %s, %s", role, x.Name, x.A, x.B))
	}
	return d
}

func sameHost(hs []HostEntry) bool {
	first := measure.Host{}
	if len(hs) > 0 {
		first = hs[0].Host
	}
	return !slices.ContainsFunc(hs, func(h HostEntry) bool { return !h.Host.Same(first) })
}

// baselineVersion is what the derper of a folder reports.
func (s *Set) baselineVersion() string {
	for _, r := range s.Environment.Relays {
		switch {
		case r.Name != RelayDerper:
		case r.NA != "":
			return "none (" + r.NA + ")"
		default:
			return r.Version
		}
	}
	return "none"
}

// manyWorkers reports whether some relay under test has several workers.
func (s *Set) manyWorkers() bool {
	return slices.ContainsFunc(s.Trials, func(t *Trial) bool { return t.Kind == KindTrial && underTest(t.Point.Config) && t.Point.Workers > 1 })
}

// underTest reports whether a configuration is of a relay that a comparison
// judges. The baseline is not: its changes are the hosts'.
func underTest(c Config) bool { return c.Relay != RelayDerper && c.Relay != RelayNone }
