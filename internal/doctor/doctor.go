// Package doctor judges whether a host is fit to measure on. In go what a host is
// (measure.Host with its fingerprint), what it is doing (measure.Readings) and what
// it is wanted for (Case); out come verdicts, one a check, always all of them and
// in the same order.
//
// Checks are functions of these three alone: they read no files and run nothing,
// so that a host can be judged from records, and tests know every answer. What
// was not known is n/a with the reason, never ok.
//
// docs/DOCTOR.md has every check with its bounds and where they come from.
package doctor

import (
	"fmt"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// Case is what a host is wanted for.
type Case struct {
	Relay, Client bool    // roles
	RelayCPUs     cpu.Set // of the role; empty without it
	ClientCPUs    cpu.Set
	Hosts         int // of the sweep that are apart: traffic between them leaves a host
	Clocks        int // that these have

	Scenario     string
	Connections  int         // that one relay has at once; 0: not known
	Rate         units.Rate  // highest offered, all flows together; 0: not known
	RateWhy      string      // without Rate: why
	SocketBuffer units.Bytes // largest that is asked for
	KTLS         bool        // some point needs it
	Congestion   bool        // every socket of the sweep has its own choice of congestion control
}

// patient is what a check sees.
type patient struct {
	host measure.Host
	f    *measure.Fingerprint
	now  *measure.Readings
	Case
}

// Examine makes every check.
func Examine(h measure.Host, now *measure.Readings, c Case) []measure.Verdict {
	p := &patient{host: h, f: h.Fingerprint, now: now, Case: c}
	if p.f == nil {
		p.f = &measure.Fingerprint{Missing: map[string]string{"": "the host's hdbench takes no fingerprint"}}
	}
	if p.now == nil {
		p.now = &measure.Readings{Missing: map[string]string{"": "no readings were taken"}}
	}
	var vs []measure.Verdict
	for _, k := range checks {
		f := k.judge(p)
		v := measure.Verdict{Check: k.name, Verdict: f.fitness, Value: f.value, Why: k.why}
		if f.fitness == measure.Warn || f.fitness == measure.Fail {
			v.Mend = f.mend
		}
		vs = append(vs, v)
	}
	return vs
}

// finding is what a check comes to.
type finding struct {
	fitness measure.Fitness
	value   string
	mend    string
}

func ok(format string, args ...any) finding {
	return finding{fitness: measure.Fit, value: fmt.Sprintf(format, args...)}
}

func na(format string, args ...any) finding {
	return finding{fitness: measure.Unknown, value: fmt.Sprintf(format, args...)}
}

func warn(mend, format string, args ...any) finding {
	return finding{measure.Warn, fmt.Sprintf(format, args...), mend}
}

func fail(mend, format string, args ...any) finding {
	return finding{measure.Fail, fmt.Sprintf(format, args...), mend}
}

// gone is why a field of the fingerprint is not known; empty if it is.
func (p *patient) gone(field string) string { return lookUp(p.f.Missing, field) }

// unread is why a field of the readings is not known; empty if it is.
func (p *patient) unread(field string) string { return lookUp(p.now.Missing, field) }

// lookUp finds a field, or what it is a part of.
func lookUp(missing map[string]string, field string) string {
	for {
		if why, there := missing[field]; there {
			return why
		}
		i := strings.LastIndexByte(field, '.')
		if i < 0 {
			return missing[""]
		}
		field = field[:i]
	}
}

// cpus are those of the host's roles.
func (p *patient) cpus() cpu.Set { return p.RelayCPUs.Union(p.ClientCPUs) }

// check is one question.
type check struct {
	name  string
	why   string
	judge func(*patient) finding
}

// checks are all of them, in the order they are shown.
var checks = []check{
	{"virtualised", "a guest shares CPUs, caches and network with strangers; figures hold for this guest, not for its hardware", virtualised},
	{"steal", "time the hypervisor gives to others is taken from relay and client, and comes in spells", steal},
	{"shared-cpus", "on one host relay and client share memory, caches and kernel, and are each other's neighbours", sharedCPUs},
	{"smt-siblings", "two threads of a core share its units: one side slows the other", smtSiblings},
	{"numa", "memory and network of another node are further away", numa},
	{"cpu-quota", "a quota stops all threads for the rest of a period, which looks like a stalling relay", cpuQuota},
	{"governor", "a governor that follows the load measures the frequency it chose", governor},
	{"turbo", "turbo depends on heat and on how many cores are busy: it drifts", turbo},
	{"thermal", "a CPU that is too hot is slowed down", thermal},
	{"power", "on battery, or told to save energy, CPUs are slower", power},
	{"load", "whatever else runs takes CPU time from relay and client", otherLoad},
	{"swap", "a page that comes back from disk takes milliseconds", swap},
	{"clock-source", "without a clock in user space every reading is a system call", clockSource},
	{"ntp", "records carry wall time, and hosts that are far apart are hard to put in order", ntp},
	{"files", "every peer is an open file of relay and client", files},
	{"socket-buffers", "the kernel cuts socket buffers to its limits without saying so", socketBuffers},
	{"backlog", "connections or packets beyond these queues are dropped", backlog},
	{"congestion", "what paces its packets, as BBR does even on loopback, sets the pace of the measurement", congestion},
	{"route", "traffic should take the link that is to be measured, and nothing on the way", route},
	{"nic-speed", "a relay cannot deliver more than its link carries", nicSpeed},
	{"irqs", "interrupts served on a worker's CPU take their time from the worker", irqs},
	{"ktls", "without kernel TLS, points over ktls cannot be measured", ktls},
	{"pmu", "without a PMU there are no cycles, cache misses or branch misses", pmu},
	{"perf-paranoid", "counters and samples of the kernel need the permission", perfParanoid},
}

// Names are the names of all checks.
func Names() []string {
	var ns []string
	for _, c := range checks {
		ns = append(ns, c.name)
	}
	return ns
}
