package measure

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one thing in which two hosts differ.
type Difference struct{ Name, A, B string }

// fact is something of a host that decides whether numbers of two hosts can stand
// beside each other. A fact that one of them does not tell decides nothing.
type fact struct {
	name string
	of   func(*Fingerprint) string
}

// identity are the facts that make a host another one: what changes how fast its
// CPUs do the same work.
var identity = []fact{
	{"microcode", func(f *Fingerprint) string { return f.CPU.Microcode }},
	{"SMT", func(f *Fingerprint) string { return f.CPU.SMT }},
	{"frequency driver and governor", func(f *Fingerprint) string { return governors(f) }},
	{"turbo", func(f *Fingerprint) string { return OnOff(f.CPU.Turbo) }},
	{"hypervisor", func(f *Fingerprint) string {
		if f.Hypervisor == nil {
			return ""
		}
		return f.Hypervisor.Name
	}},
}

// recorded are facts that may move numbers and need not: what is said of them is
// a warning.
var recorded = []fact{
	{"kernel build", func(f *Fingerprint) string { return f.Kernel.Version }},
	{"kernel command line", commandLine},
	{"clock source", func(f *Fingerprint) string { return f.Kernel.ClockSource }},
	{"transparent huge pages", func(f *Fingerprint) string { return f.Memory.HugePages }},
	{"kernel TLS", func(f *Fingerprint) string { return f.KTLS.Mode }},
}

// commandLine is what may matter of the kernel's command line. A record of an older
// version has the whole of it.
func commandLine(f *Fingerprint) string {
	kept, leftOut := KernelParameters(f.Kernel.Cmdline)
	if kept == "" && leftOut+f.Kernel.CmdlineLeftOut > 0 {
		return "nothing that matters"
	}
	return kept
}

// Differences are what makes two hosts' CPUs do the same work at another speed.
// Nil is a host of an older record, which tells nothing.
func (f *Fingerprint) Differences(o *Fingerprint) []Difference {
	if f == nil || o == nil {
		return nil
	}
	d := differing(identity, f, o)
	return append(d, differingKeys("mitigation ", f.CPU.Vulnerabilities, o.CPU.Vulnerabilities)...)
}

// Drift is what else differs: recorded, and perhaps without consequence. Of a
// network interface it is said where both hosts have it.
func (f *Fingerprint) Drift(o *Fingerprint) []Difference {
	if f == nil || o == nil {
		return nil
	}
	d := differing(recorded, f, o)
	d = append(d, differingKeys("", f.Kernel.Sysctls, o.Kernel.Sysctls)...)
	for _, a := range f.NICs {
		i := slices.IndexFunc(o.NICs, func(b NIC) bool { return b.Name == a.Name })
		if i >= 0 {
			d = append(d, differingKeys(a.Name+" ", a.settings(), o.NICs[i].settings())...)
		}
	}
	return d
}

func differing(facts []fact, f, o *Fingerprint) []Difference {
	var d []Difference
	for _, fact := range facts {
		if a, b := fact.of(f), fact.of(o); a != b && a != "" && b != "" {
			d = append(d, Difference{fact.name, a, b})
		}
	}
	return d
}

func differingKeys(prefix string, a, b map[string]string) []Difference {
	var d []Difference
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if v, there := b[k]; there && v != a[k] {
			d = append(d, Difference{prefix + k, a[k], v})
		}
	}
	return d
}

// governors are the distinct settings in the order of their CPUs.
func governors(f *Fingerprint) string {
	var gs []string
	for _, q := range f.CPU.Frequencies {
		g := q.Driver + " " + q.Governor
		if q.EPP != "" {
			g += " " + q.EPP
		}
		if !slices.Contains(gs, g) {
			gs = append(gs, g)
		}
	}
	return strings.Join(gs, ", ")
}

// OnOff is a switch in a word; empty if it is not known.
func OnOff(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "on"
	default:
		return "off"
	}
}

// settings are an interface's, by name.
func (n *NIC) settings() map[string]string {
	s := map[string]string{"driver": n.Driver, "firmware": n.Firmware, "speed": fmt.Sprint(n.Mbps, " Mbit/s"), "MTU": fmt.Sprint(n.MTU)}
	for prefix, m := range map[string]map[string]uint32{"ring ": n.Rings, "coalescing ": n.Coalesce, "channels ": n.Channels} {
		for k, v := range m {
			s[prefix+k] = fmt.Sprint(v)
		}
	}
	for k, on := range n.Offloads {
		s["offload "+k] = OnOff(&on)
	}
	return s
}

// GiB is the memory, rounded: a guest's changes by itself.
func (h Host) GiB() string { return fmt.Sprintf("%.0f GiB", float64(h.MemBytes)/(1<<30)) }

// Same reports whether two looks were at one host, in a state that measures alike.
func (h Host) Same(o Host) bool {
	return h.Name == o.Name && h.OS == o.OS && h.Kernel == o.Kernel && h.Arch == o.Arch &&
		h.CPUModel == o.CPUModel && h.CPUs == o.CPUs && h.GiB() == o.GiB() && h.Congestion == o.Congestion &&
		h.Virtual == o.Virtual && h.Go == o.Go && h.Lab == o.Lab && h.NoCPUTime == o.NoCPUTime && h.NoKTLS == o.NoKTLS &&
		len(h.Fingerprint.Differences(o.Fingerprint)) == 0
}
