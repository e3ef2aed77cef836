package doctor

import (
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// change is a host that is fit but for one thing.
type change func(h *measure.Host, now *measure.Readings, c *Case)

func TestVerdictsAtTheirBounds(t *testing.T) {
	yes, no := true, false
	metal := func(h *measure.Host, now *measure.Readings, c *Case) { // two hosts, the relay's
		h.Fingerprint.NICs = []measure.NIC{{Name: "eth1", Physical: true, Mbps: 25000, Addresses: []string{"10.0.0.1/24"}, IRQs: []measure.IRQ{{Number: 1, CPUs: "2"}}}}
		now.Route = measure.Route{To: "10.0.0.1", Device: "lo", Local: true}
		c.Client, c.Hosts, c.Rate = false, 2, 10*units.Gbps
	}
	client := func(h *measure.Host, now *measure.Readings, c *Case) {
		metal(h, now, c)
		now.Route = measure.Route{To: "10.0.0.2", Device: "eth1"}
		c.Relay, c.Client = false, true
	}
	for _, k := range []struct {
		check string
		what  string
		want  measure.Fitness
		do    change
	}{
		{"virtualised", "a guest", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) {
			h.Fingerprint.Hypervisor = &measure.Hypervisor{Name: "KVM", How: "it says so"}
		}},
		{"virtualised", "a machine", measure.Fit, func(h *measure.Host, _ *measure.Readings, _ *Case) {}},
		{"steal", "a machine", measure.Unknown, func(*measure.Host, *measure.Readings, *Case) {}},
		{"steal", "at the bound", measure.Fit, stealing(98, 2)},
		{"steal", "over it", measure.Warn, stealing(97, 3)},
		{"steal", "far over it", measure.Fail, stealing(70, 30)},
		{"shared-cpus", "one role", measure.Fit, metal},
		{"shared-cpus", "two roles", measure.Warn, func(*measure.Host, *measure.Readings, *Case) {}},
		{"shared-cpus", "on one CPU", measure.Fail, func(_ *measure.Host, _ *measure.Readings, c *Case) { c.ClientCPUs = c.RelayCPUs }},
		{"shared-cpus", "in the lab", measure.Warn, func(h *measure.Host, _ *measure.Readings, c *Case) {
			h.Lab, c.ClientCPUs = "user-mode Linux", c.RelayCPUs
		}},
		{"smt-siblings", "none", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"smt-siblings", "of one side", measure.Fit, func(h *measure.Host, _ *measure.Readings, c *Case) {
			h.Fingerprint.CPU.ThreadSiblings = []string{"0,2", "1,3"}
			c.RelayCPUs, c.ClientCPUs = set(t, "0,2"), set(t, "1,3")
		}},
		{"smt-siblings", "of both sides", measure.Fail, func(h *measure.Host, _ *measure.Readings, _ *Case) {
			h.Fingerprint.CPU.ThreadSiblings = []string{"0-1"}
		}},
		{"numa", "both on one of two", measure.Fit, func(h *measure.Host, _ *measure.Readings, _ *Case) {
			h.Fingerprint.CPU.Nodes = []measure.NUMANode{{ID: 0, CPUs: "0-1"}, {ID: 1, CPUs: "2-3"}}
		}},
		{"numa", "a side on two", measure.Warn, func(h *measure.Host, _ *measure.Readings, c *Case) {
			h.Fingerprint.CPU.Nodes = []measure.NUMANode{{ID: 0, CPUs: "0-1"}, {ID: 1, CPUs: "2-3"}}
			c.RelayCPUs = set(t, "0,2")
		}},
		{"numa", "its network on the other", measure.Warn, func(h *measure.Host, now *measure.Readings, c *Case) {
			metal(h, now, c)
			c.ClientCPUs = set(t, "")
			one := 1
			h.Fingerprint.NICs[0].Node = &one
			h.Fingerprint.CPU.Nodes = []measure.NUMANode{{ID: 0, CPUs: "0-1"}, {ID: 1, CPUs: "2-3"}}
		}},
		{"cpu-quota", "as many as CPUs", measure.Fit, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Limits.CPUs = 2 }},
		{"cpu-quota", "fewer", measure.Fail, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Limits.CPUs = 1.5 }},
		{"governor", "performance", measure.Fit, governed("performance", "0-1")},
		{"governor", "another", measure.Warn, governed("schedutil", "0-1")},
		{"governor", "another on other CPUs", measure.Fit, governed("schedutil", "2-3")},
		{"turbo", "on", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.CPU.Turbo = &yes }},
		{"turbo", "off", measure.Fit, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.CPU.Turbo = &no }},
		{"turbo", "not told", measure.Unknown, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.CPU.Turbo = nil }},
		{"thermal", "never", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"thermal", "once", measure.Warn, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.Throttle = 1 }},
		{"power", "battery", measure.Fail, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.Battery = true }},
		{"power", "preference", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) {
			h.Fingerprint.CPU.Frequencies = []measure.Frequency{{CPUs: "0-1", Driver: "intel_pstate", Governor: "powersave", EPP: "balance_power"}}
		}},
		{"load", "at the bound", measure.Fit, busy(0.04, 0.06)},
		{"load", "over it", measure.Warn, busy(0.10, 0.02)},
		{"load", "far over it", measure.Fail, busy(0.60, 0.50)},
		{"load", "on other CPUs", measure.Fit, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.CPUs[7] = measure.CPUShare{Busy: 1} }},
		{"swap", "at the bound", measure.Fit, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.SwapUsedBytes = minSwap }},
		{"swap", "over it", measure.Warn, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.SwapUsedBytes = minSwap + 1<<20 }},
		{"clock-source", "tsc", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"clock-source", "hpet", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Kernel.ClockSource = "hpet" }},
		{"ntp", "not synchronised, alone", measure.Fit, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.Clock.Synchronised = false }},
		{"ntp", "not synchronised, one of two", measure.Warn, func(_ *measure.Host, now *measure.Readings, c *Case) { now.Clock.Synchronised, c.Clocks = false, 2 }},
		{"ntp", "badly synchronised", measure.Warn, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.Clock.MaxErrorNS = 101e6 }},
		{"files", "just enough", measure.Fit, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Limits.FilesHard = 20 + fileSlack }},
		{"files", "one too few", measure.Fail, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Limits.FilesHard = 19 + fileSlack }},
		{"socket-buffers", "as asked for", measure.Fit, sysctl("net.core.wmem_max", "131072")},
		{"socket-buffers", "less", measure.Fail, sysctl("net.core.wmem_max", "131071")},
		{"socket-buffers", "rubbish", measure.Unknown, sysctl("net.core.wmem_max", "plenty")},
		{"backlog", "as many as peers", measure.Fit, sysctl("net.core.somaxconn", "20")},
		{"backlog", "fewer", measure.Warn, sysctl("net.core.somaxconn", "19")},
		{"backlog", "of packets", measure.Warn, sysctl("net.core.netdev_max_backlog", "999")},
		{"congestion", "BBR", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Congestion = "bbr" }},
		{"congestion", "BBR, and a choice", measure.Fit, func(h *measure.Host, _ *measure.Readings, c *Case) { h.Congestion, c.Congestion = "bbr", true }},
		{"route", "loopback", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"route", "the relay's own link", measure.Fit, metal},
		{"route", "the relay on loopback, clients elsewhere", measure.Fail, func(_ *measure.Host, _ *measure.Readings, c *Case) { c.Client, c.Hosts = false, 2 }},
		{"route", "a client that is the relay's address", measure.Fail, func(_ *measure.Host, _ *measure.Readings, c *Case) { c.Relay, c.Hosts = false, 2 }},
		{"route", "a client's link", measure.Fit, client},
		{"route", "a router between", measure.Warn, func(h *measure.Host, now *measure.Readings, c *Case) {
			client(h, now, c)
			now.Route.Gateway = "10.0.0.254"
		}},
		{"route", "a bridge", measure.Warn, func(h *measure.Host, now *measure.Readings, c *Case) {
			client(h, now, c)
			h.Fingerprint.NICs[0].Physical = false
		}},
		{"nic-speed", "loopback", measure.Unknown, func(*measure.Host, *measure.Readings, *Case) {}},
		{"nic-speed", "room enough", measure.Fit, metal},
		{"nic-speed", "no room for headers", measure.Warn, func(h *measure.Host, now *measure.Readings, c *Case) { metal(h, now, c); c.Rate = 24 * units.Gbps }},
		{"nic-speed", "too slow", measure.Fail, func(h *measure.Host, now *measure.Readings, c *Case) { client(h, now, c); c.Rate = 30 * units.Gbps }},
		{"nic-speed", "rates not known", measure.Unknown, func(h *measure.Host, now *measure.Readings, c *Case) { metal(h, now, c); c.Rate = 0 }},
		{"irqs", "on other CPUs", measure.Fit, metal},
		{"irqs", "on a worker's", measure.Warn, func(h *measure.Host, now *measure.Readings, c *Case) {
			metal(h, now, c)
			h.Fingerprint.NICs[0].IRQs[0].CPUs = "0"
		}},
		{"irqs", "a client", measure.Unknown, client},
		{"ktls", "software", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"ktls", "none", measure.Warn, func(h *measure.Host, _ *measure.Readings, _ *Case) { h.NoKTLS = "no module" }},
		{"pmu", "there", measure.Fit, func(*measure.Host, *measure.Readings, *Case) {}},
		{"pmu", "not there", measure.Warn, func(_ *measure.Host, now *measure.Readings, _ *Case) { now.PMU = "no PMU" }},
		{"perf-paranoid", "1", measure.Fit, sysctl("kernel.perf_event_paranoid", "1")},
		{"perf-paranoid", "2", measure.Warn, sysctl("kernel.perf_event_paranoid", "2")},
		{"perf-paranoid", "4, privileged", measure.Fit, func(h *measure.Host, now *measure.Readings, c *Case) {
			sysctl("kernel.perf_event_paranoid", "4")(h, now, c)
			now.Privileged = true
		}},
	} {
		h, now, c := fit(), quiet(), here(t)
		k.do(&h, now, &c)
		for _, v := range Examine(h, now, c) {
			if v.Check != k.check {
				continue
			}
			if v.Verdict != k.want {
				t.Errorf("%s, %s: %s (%s), want %s", k.check, k.what, v.Verdict, v.Value, k.want)
			}
			wrong := v.Verdict == measure.Warn || v.Verdict == measure.Fail
			if wrong != (v.Mend != "") && h.Lab == "" {
				t.Errorf("%s, %s: %s with mend %q", k.check, k.what, v.Verdict, v.Mend)
			}
		}
	}
}

// fit is a host without a fault.
func fit() measure.Host {
	off := false
	return measure.Host{Congestion: "cubic", Fingerprint: &measure.Fingerprint{
		CPU: measure.CPUPrint{Turbo: &off, Nodes: []measure.NUMANode{{CPUs: "0-1"}}},
		Kernel: measure.KernelPrint{ClockSource: "tsc", ClockSources: []string{"tsc", "hpet"}, Sysctls: map[string]string{
			"net.core.rmem_max": "212992", "net.core.wmem_max": "212992", "net.core.somaxconn": "4096", "net.core.netdev_max_backlog": "1000",
			"kernel.perf_event_paranoid": "0",
		}},
		KTLS:   measure.KTLSPrint{Mode: measure.KTLSSoftware, Evidence: "the kernel has the ULP tls"},
		Limits: measure.Limits{FilesSoft: 4096, FilesHard: 4096},
	}}
}

func stealing(busy, steal float64) change {
	return func(h *measure.Host, now *measure.Readings, _ *Case) {
		h.Fingerprint.Hypervisor = &measure.Hypervisor{Name: "KVM", How: "it says so"}
		now.SinceBoot = measure.CPUShare{Busy: busy / 200, Steal: steal / 200}
	}
}

func governed(by, cpus string) change {
	return func(h *measure.Host, _ *measure.Readings, _ *Case) {
		h.Fingerprint.CPU.Frequencies = []measure.Frequency{{CPUs: cpus, Driver: "acpi-cpufreq", Governor: by}}
	}
}

func busy(a, b float64) change {
	return func(_ *measure.Host, now *measure.Readings, _ *Case) {
		now.CPUs = map[int]measure.CPUShare{0: {Busy: a}, 1: {Busy: b}}
	}
}

func sysctl(name, value string) change {
	return func(h *measure.Host, _ *measure.Readings, _ *Case) { h.Fingerprint.Kernel.Sysctls[name] = value }
}
