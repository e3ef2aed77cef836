package doctor

import (
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// The bounds of steal: of the CPU time that was wanted (used or taken).
const (
	maxSteal     = 0.02
	badSteal     = 0.25
	maxOtherLoad = 0.05 // of the roles' CPUs
	badOtherLoad = 0.50
)

func virtualised(p *patient) finding {
	if h := p.f.Hypervisor; h != nil {
		return warn("measure on a machine of its own where figures are to hold for hardware", "%s (%s)", h.Name, h.How)
	}
	if why := p.gone("hypervisor"); why != "" {
		return na("%s", why)
	}
	return ok("no hypervisor shows itself")
}

func steal(p *patient) finding {
	if p.f.Hypervisor == nil && p.gone("hypervisor") == "" {
		return na("no hypervisor shows itself")
	}
	if why := p.unread("cpus"); why != "" {
		return na("%s", why)
	}
	wanted := func(s measure.CPUShare) float64 {
		if s.Busy+s.Steal == 0 {
			return 0
		}
		return s.Steal / (s.Busy + s.Steal)
	}
	boot := wanted(p.now.SinceBoot)
	text := fmt.Sprintf("%.1f %% of the CPU time wanted since boot", 100*boot)
	const mend = "choose a guest with CPUs of its own (dedicated, pinned), or repeat and compare in turn"
	switch {
	case boot > badSteal:
		return fail(mend, "%s", text)
	case boot > maxSteal:
		return warn(mend, "%s", text)
	}
	return ok("%s", text)
}

func sharedCPUs(p *patient) finding {
	switch {
	case !p.Relay || !p.Client:
		return ok("the host has one role")
	case p.host.Lab != "": // which has none to spare, and whose folders say so
		return warn("", "relay and client share CPUs %s: the lab's", p.cpus())
	case !p.RelayCPUs.Intersection(p.ClientCPUs).IsEmpty():
		return fail("give each its own CPUs (cpus in the scenario), or the client a host of its own", "relay and client share CPU %s", p.RelayCPUs.Intersection(p.ClientCPUs))
	}
	return warn("give the client a host of its own", "relay on CPU %s, client on CPU %s of one host", p.RelayCPUs, p.ClientCPUs)
}

func smtSiblings(p *patient) finding {
	if !p.Relay || !p.Client {
		return ok("the host has one role")
	}
	if why := p.gone("cpu.topology"); why != "" {
		return na("%s", why)
	}
	if len(p.f.CPU.ThreadSiblings) == 0 {
		return ok("one thread a core")
	}
	var split []string
	for _, list := range p.f.CPU.ThreadSiblings {
		core, err := cpu.Parse(list)
		if err != nil {
			return na("thread siblings: %v", err)
		}
		// A CPU that both have is the concern of shared-cpus.
		relay, client := core.Intersection(p.RelayCPUs.Difference(p.ClientCPUs)), core.Intersection(p.ClientCPUs.Difference(p.RelayCPUs))
		if !relay.IsEmpty() && !client.IsEmpty() {
			split = append(split, list)
		}
	}
	if len(split) > 0 {
		return fail("give whole cores to each side (cpus: auto in the scenario does)", "relay and client each have a thread of %s %s", plural(len(split), "core", "cores"), strings.Join(split, " "))
	}
	return ok("no core works for both")
}

func numa(p *patient) finding {
	if why := p.gone("cpu.numa_nodes"); why != "" {
		return na("%s", why)
	}
	nodes := p.f.CPU.Nodes
	if len(nodes) < 2 {
		return ok("one node")
	}
	var says []string
	for _, side := range []struct {
		name string
		cpus cpu.Set
	}{{"relay", p.RelayCPUs}, {"client", p.ClientCPUs}} {
		var on []string
		for _, n := range nodes {
			set, err := cpu.Parse(n.CPUs)
			if err != nil {
				return na("CPUs of node %d: %v", n.ID, err)
			}
			if !set.Intersection(side.cpus).IsEmpty() {
				on = append(on, fmt.Sprint(n.ID))
			}
		}
		if len(on) > 1 {
			says = append(says, fmt.Sprintf("%s on nodes %s", side.name, strings.Join(on, ", ")))
		}
		if nic := p.dataNIC(); nic != nil && nic.Node != nil && len(on) == 1 && on[0] != fmt.Sprint(*nic.Node) {
			says = append(says, fmt.Sprintf("%s on node %s, %s on node %d", side.name, on[0], nic.Name, *nic.Node))
		}
	}
	if len(says) > 0 {
		return warn("choose CPUs of the network interface's node (cpus in the scenario)", "%s", strings.Join(says, "; "))
	}
	return ok("%d nodes, each side on one, near its network", len(nodes))
}

func cpuQuota(p *patient) finding {
	if why := p.gone("limits.cpu_quota"); why != "" {
		return na("%s", why)
	}
	q := p.f.Limits.CPUs
	switch n := p.cpus().Size(); {
	case q == 0:
		return ok("none")
	case n > 0 && q < float64(n):
		return fail("lift the limit of the control group (docker: --cpus; Kubernetes: whole CPUs and the static CPU manager policy)", "%.2g CPUs of time for %d CPUs", q, n)
	default:
		return ok("%.2g CPUs of time", q)
	}
}

func governor(p *patient) finding {
	if why := p.gone("cpu.frequencies"); why != "" {
		return na("%s", why)
	}
	var says []string
	for _, f := range p.f.CPU.Frequencies {
		set, err := cpu.Parse(f.CPUs)
		if err != nil || set.Intersection(p.cpus()).IsEmpty() {
			continue
		}
		if g := f.Governor + " (" + f.Driver + ")"; f.Governor != "performance" && !slices.Contains(says, g) {
			says = append(says, g)
		}
	}
	if len(says) > 0 {
		return warn("cpupower frequency-set -g performance", "%s", strings.Join(says, ", "))
	}
	return ok("performance")
}

func turbo(p *patient) finding {
	if why := p.gone("cpu.turbo"); why != "" {
		return na("%s", why)
	}
	switch t := p.f.CPU.Turbo; {
	case t == nil:
		return na("not told")
	case *t:
		mend := "echo 0 > /sys/devices/system/cpu/cpufreq/boost"
		if slices.ContainsFunc(p.f.CPU.Frequencies, func(f measure.Frequency) bool { return strings.HasPrefix(f.Driver, "intel_") }) {
			mend = "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
		}
		return warn(mend, "on")
	default:
		return ok("off")
	}
}

func thermal(p *patient) finding {
	if why := p.unread("throttled"); why != "" {
		return na("%s", why)
	}
	if n := p.now.Throttle; n > 0 {
		return warn("see to its cooling; turbo off helps", "throttled %s since boot", plural(int(n), "time", "times"))
	}
	return ok("never throttled since boot")
}

func power(p *patient) finding {
	if p.now.Battery {
		return fail("plug it in", "on battery")
	}
	for _, f := range p.f.CPU.Frequencies {
		if f.EPP != "" && f.EPP != "performance" && f.Governor != "performance" {
			return warn("cpupower set --epp performance", "energy preference %s", f.EPP)
		}
	}
	if why := p.unread("on_battery"); why != "" {
		return na("%s", why)
	}
	return ok("not on battery")
}

// otherLoad is what ran on the roles' CPUs during the sample, before anything of
// the sweep did.
func otherLoad(p *patient) finding {
	if why := p.unread("cpus"); why != "" {
		return na("%s", why)
	}
	busy, n := 0.0, 0
	for c, s := range p.now.CPUs {
		if p.cpus().Contains(c) {
			busy, n = busy+s.Busy, n+1
		}
	}
	if n == 0 {
		return na("no reading of CPUs %s", p.cpus())
	}
	busy /= float64(n)
	text := fmt.Sprintf("CPUs %s %.0f %% busy, load average %.2f", p.cpus(), 100*busy, p.now.Load1)
	const mend = "find it with top and end it, or wait"
	switch {
	case busy > badOtherLoad:
		return fail(mend, "%s", text)
	case busy > maxOtherLoad:
		return warn(mend, "%s", text)
	}
	return ok("%s", text)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
