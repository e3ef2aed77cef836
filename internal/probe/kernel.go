package probe

import (
	"errors"
	"os"
	"strings"

	"hdbench/internal/measure"
)

// sysctls are those that numbers may depend on.
var sysctls = []string{
	"net.core.rmem_default", "net.core.rmem_max", "net.core.wmem_default", "net.core.wmem_max",
	"net.core.netdev_max_backlog", "net.core.netdev_budget", "net.core.somaxconn", "net.core.default_qdisc",
	"net.core.busy_poll", "net.core.busy_read", "net.core.rps_sock_flow_entries", "net.core.optmem_max",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_congestion_control", "net.ipv4.tcp_available_congestion_control", "net.ipv4.tcp_available_ulp",
	"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_moderate_rcvbuf", "net.ipv4.tcp_notsent_lowat",
	"net.ipv4.tcp_autocorking", "net.ipv4.tcp_ecn", "net.ipv4.tcp_timestamps", "net.ipv4.tcp_sack",
	"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.ip_local_port_range",
	"kernel.perf_event_paranoid", "kernel.perf_event_max_sample_rate", "kernel.perf_event_mlock_kb",
	"kernel.kptr_restrict", "kernel.nmi_watchdog", "kernel.numa_balancing", "kernel.sched_autogroup_enabled",
	"kernel.sched_rt_runtime_us", "kernel.timer_migration", "kernel.randomize_va_space",
	"vm.swappiness", "vm.overcommit_memory", "vm.zone_reclaim_mode", "fs.file-max", "fs.nr_open",
}

func (s Source) kernel(k *measure.KernelPrint, m *missing) {
	var err error
	k.Version, err = s.text("proc/sys/kernel/version")
	m.add("kernel.version", err)
	cmdline, err := s.text("proc/cmdline")
	m.add("kernel.cmdline", err)
	k.Cmdline, k.CmdlineLeftOut = measure.KernelParameters(cmdline)
	k.Sysctls = map[string]string{}
	for _, name := range sysctls {
		text, err := s.text("proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err != nil {
			m.add("kernel.sysctls."+name, err)
			continue
		}
		k.Sysctls[name] = list(strings.Fields(text))
	}
	if sys, err := s.sys(); err != nil {
		m.add("kernel.clock_source", err)
	} else if _, err := os.Stat(s.path("sys/devices/system/clocksource")); err != nil {
		m.add("kernel.clock_source", err)
	} else if sources, err := sys.ClockSources(); err != nil {
		m.add("kernel.clock_source", err)
	} else if len(sources) > 0 {
		k.ClockSource, k.ClockSources = sources[0].Current, sources[0].Available
	} else {
		m.add("kernel.clock_source", errors.New("/sys/devices/system/clocksource has none"))
	}
}
