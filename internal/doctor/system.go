package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hdbench/internal/measure"
)

// fileSlack is how many files a relay or a load has open beside its peers': event
// loops, listeners, logs.
const fileSlack = 128

// minSwap is how much may be out on disk without a word: what nobody has touched
// since boot.
const minSwap = 64 << 20

func swap(p *patient) finding {
	if why := p.unread("swap_used_bytes"); why != "" {
		return na("%s", why)
	}
	switch used := p.now.SwapUsedBytes; {
	case used > minSwap:
		return warn("swapoff -a, or add memory", "%d MiB in use", used>>20)
	case p.f.Memory.SwapBytes == 0:
		return ok("none")
	default:
		return ok("%d MiB of %d in use", used>>20, p.f.Memory.SwapBytes>>20)
	}
}

// goodClocks are the clock sources that are read in user space (their vdso_clock_mode
// in the kernel's drivers).
var goodClocks = []string{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase", "tod", "riscv_clocksource"}

func clockSource(p *patient) finding {
	if why := p.gone("kernel.clock_source"); why != "" {
		return na("%s", why)
	}
	have := p.f.Kernel.ClockSource
	if slices.Contains(goodClocks, have) {
		return ok("%s", have)
	}
	for _, c := range goodClocks {
		if slices.Contains(p.f.Kernel.ClockSources, c) {
			return warn("echo "+c+" > /sys/devices/system/clocksource/clocksource0/current_clocksource", "%s", have)
		}
	}
	return warn("the kernel has no better one here ("+strings.Join(p.f.Kernel.ClockSources, ", ")+")", "%s", have)
}

// maxClockError is how far off a synchronised clock may be.
const maxClockError = 100 * time.Millisecond

// ntp matters little to figures: hosts' clocks are put in step over the control
// plane, by CLOCK_MONOTONIC.
func ntp(p *patient) finding {
	if why := p.unread("clock"); why != "" {
		return na("%s", why)
	}
	const mend = "start chronyd or systemd-timesyncd"
	switch c := p.now.Clock; {
	case !c.Synchronised && p.Clocks > 1:
		return warn(mend, "not synchronised, one of %d hosts", p.Clocks)
	case !c.Synchronised:
		return ok("not synchronised; there is one clock, so nothing to be apart from")
	case time.Duration(c.MaxErrorNS) > maxClockError:
		return warn(mend, "synchronised to %v", time.Duration(c.MaxErrorNS).Round(time.Millisecond))
	default:
		return ok("synchronised to %v", time.Duration(c.MaxErrorNS).Round(time.Microsecond))
	}
}

func files(p *patient) finding {
	if why := p.gone("limits.files"); why != "" {
		return na("%s", why)
	}
	have := p.f.Limits.FilesHard // Go raises the soft limit to it
	text := fmt.Sprint(have)
	if p.f.Limits.FilesSoft != have {
		text = fmt.Sprintf("%d, hard limit %d", p.f.Limits.FilesSoft, have)
	}
	if p.Connections == 0 {
		return na("limit %s; the scenario's peers are not known", text)
	}
	if need := uint64(p.Connections + fileSlack); have < need {
		return fail(fmt.Sprintf("ulimit -Hn %d, or LimitNOFILE= of the service", need), "limit %s, %d peers", text, p.Connections)
	}
	return ok("limit %s, %d peers", text, p.Connections)
}

// sysctl is a kernel setting as a number; of several, the last.
func (p *patient) sysctl(name string) (int64, string) {
	if why := p.gone("kernel.sysctls." + name); why != "" {
		return 0, why
	}
	words := strings.Fields(p.f.Kernel.Sysctls[name])
	if len(words) == 0 {
		return 0, name + " is empty"
	}
	n, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return 0, fmt.Sprintf("%s: %v", name, err)
	}
	return n, ""
}

// below lists the settings that are too low, with the command that raises them.
func (p *patient) below(want int64, names ...string) (low, mend []string, values []string, why string) {
	for _, name := range names {
		n, gone := p.sysctl(name)
		if gone != "" {
			return nil, nil, nil, gone
		}
		short := name[strings.LastIndexByte(name, '.')+1:]
		values = append(values, fmt.Sprintf("%s %d", short, n))
		if n < want {
			low = append(low, fmt.Sprintf("%s %d", short, n))
			mend = append(mend, fmt.Sprintf("%s=%d", name, want))
		}
	}
	return low, mend, values, ""
}

func socketBuffers(p *patient) finding {
	low, mend, values, why := p.below(int64(p.SocketBuffer), "net.core.rmem_max", "net.core.wmem_max")
	switch {
	case why != "":
		return na("%s", why)
	case len(low) > 0:
		return fail("sysctl -w "+strings.Join(mend, " "), "%s, asked for are %v", strings.Join(low, ", "), p.SocketBuffer)
	}
	return ok("%s", strings.Join(values, ", "))
}

// minNetdevBacklog is the kernel's default. Loopback goes through this queue.
const minNetdevBacklog = 1000

func backlog(p *patient) finding {
	low, mend, values, why := p.below(int64(p.Connections), "net.core.somaxconn")
	if why != "" {
		return na("%s", why)
	}
	low2, mend2, values2, why := p.below(minNetdevBacklog, "net.core.netdev_max_backlog")
	if why != "" {
		return na("%s", why)
	}
	if low = append(low, low2...); len(low) > 0 {
		return warn("sysctl -w "+strings.Join(append(mend, mend2...), " "), "%s, %d peers", strings.Join(low, ", "), p.Connections)
	}
	return ok("%s", strings.Join(append(values, values2...), ", "))
}

func ktls(p *patient) finding {
	switch k := p.f.KTLS; {
	case p.host.NoKTLS != "":
		v := warn("modprobe tls (CONFIG_TLS; it is there in distributions' kernels)", "none: %s", p.host.NoKTLS)
		if p.KTLS {
			v.value += "; this scenario has such points"
		}
		return v
	case k.Mode == "":
		return na("%s", p.gone("ktls"))
	case k.Mode == measure.KTLSNone:
		return warn("modprobe tls", "none: %s", k.Evidence)
	default:
		return ok("%s: %s", k.Mode, k.Evidence)
	}
}

func pmu(p *patient) finding {
	if why := p.unread("pmu_na"); why != "" {
		return na("%s", why)
	}
	if why := p.now.PMU; why != "" {
		mend := "measure on hardware, or have the hypervisor pass a virtual PMU on"
		if strings.Contains(why, "not permitted") {
			mend = "sysctl -w kernel.perf_event_paranoid=1"
		}
		return warn(mend, "%s", why)
	}
	return ok("counts cycles")
}

// maxParanoid is the highest perf_event_paranoid at which a process without
// privilege may count the kernel's events of its own (kernel: admin-guide/sysctl).
const maxParanoid = 1

func perfParanoid(p *patient) finding {
	n, why := p.sysctl("kernel.perf_event_paranoid")
	switch {
	case why != "":
		return na("%s", why)
	case p.now.Privileged:
		return ok("%d, which does not bind this process (CAP_PERFMON)", n)
	case p.unread("may_perf") != "":
		return na("%s", p.unread("may_perf"))
	case n > maxParanoid:
		return warn(fmt.Sprintf("sysctl -w kernel.perf_event_paranoid=%d, or give CAP_PERFMON", maxParanoid), "%d", n)
	default:
		return ok("%d", n)
	}
}
