package measure

import (
	"slices"
	"strings"
)

// parameters are those of the kernel's command line that numbers may depend on
// (Documentation/admin-guide/kernel-parameters.txt). Others are not recorded: a
// command line may hold passwords, addresses and the names of disks.
var parameters = []string{
	// CPUs, and what runs on them.
	"isolcpus", "nohz", "nohz_full", "rcu_nocbs", "rcu_nocb_poll", "irqaffinity", "threadirqs", "nosmt", "maxcpus", "nr_cpus",
	"possible_cpus", "nosmp", "preempt", "skew_tick", "workqueue.unbound_cpus", "workqueue.power_efficient", "psi", "cgroup_disable",
	// Frequency, idle states, clocks.
	"idle", "intel_pstate", "amd_pstate", "intel_idle.max_cstate", "processor.max_cstate", "cpuidle.off", "cpuidle.governor",
	"cpufreq.off", "cpufreq.default_governor", "tsc", "clocksource", "hpet", "nohpet", "highres", "no_timer_check",
	"nmi_watchdog", "nowatchdog", "nosoftlockup",
	// Mitigations and hardening.
	"mitigations", "pti", "nopti", "kpti", "nospectre_v1", "nospectre_v2", "nospectre_bhb", "spectre_v2", "spectre_v2_user",
	"spectre_bhi", "spec_store_bypass_disable", "nospec_store_bypass_disable", "retbleed", "mds", "tsx", "tsx_async_abort", "l1tf",
	"l1d_flush", "mmio_stale_data", "srbds", "gather_data_sampling", "spec_rstack_overflow", "reg_file_data_sampling",
	"indirect_target_selection", "vmscape", "ssbd", "nokaslr", "randomize_kstack_offset", "init_on_alloc", "init_on_free",
	"slub_debug", "page_poison", "debug_pagealloc", "kasan", "kfence.sample_interval", "audit", "apparmor", "selinux", "security", "lsm",
	// Memory and devices.
	"transparent_hugepage", "hugepages", "hugepagesz", "default_hugepagesz", "numa", "numa_balancing", "mem", "swiotlb",
	"iommu", "iommu.passthrough", "iommu.strict", "intel_iommu", "amd_iommu", "pcie_aspm", "pci", "noapic", "nox2apic",
}

// KernelParameters is what of a kernel's command line may be recorded, and how
// many words of it are left out.
func KernelParameters(cmdline string) (kept string, leftOut int) {
	var keep []string
	inits := false // behind "--" all is init's
	for _, word := range kernelWords(cmdline) {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, `"`), "=")
		// The kernel takes - for _ in names.
		if inits = inits || word == "--"; !inits && slices.Contains(parameters, strings.ReplaceAll(name, "-", "_")) {
			keep = append(keep, word)
		} else {
			leftOut++
		}
	}
	return strings.Join(keep, " "), leftOut
}

// kernelWords splits a command line as the kernel does (next_arg in
// lib/cmdline.c): at white space that is not in quotes.
func kernelWords(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	})
}
