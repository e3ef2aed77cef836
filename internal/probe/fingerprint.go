package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"hdbench/internal/measure"
)

// Fingerprint reads all that a host's numbers may depend on. It does not fail:
// what cannot be read is in Missing, with the reason.
func (s Source) Fingerprint() *measure.Fingerprint {
	f := &measure.Fingerprint{}
	m := &missing{s: s}
	s.processor(&f.CPU, m)
	s.frequencies(&f.CPU, m)
	s.memory(&f.Memory, m)
	s.kernel(&f.Kernel, m)
	f.Hypervisor = s.hypervisor(m)
	f.NICs = s.nics(m)
	f.KTLS = s.ktls(f.NICs)
	s.limits(&f.Limits, m)
	f.Binary = thisBinary()
	f.Missing = m.of
	return f
}

func (s Source) memory(p *measure.MemoryPrint, m *missing) {
	if proc, err := s.proc(); err != nil {
		m.add("memory.total_bytes", err)
	} else {
		info, err := proc.Meminfo()
		m.add("memory.total_bytes", err)
		if info.MemTotalBytes != nil {
			p.TotalBytes = *info.MemTotalBytes
		}
		if info.SwapTotalBytes != nil {
			p.SwapBytes = *info.SwapTotalBytes
		}
	}
	thp, err := s.text("sys/kernel/mm/transparent_hugepage/enabled")
	m.add("memory.transparent_huge_pages", err)
	if _, chosen, ok := strings.Cut(thp, "["); ok { // always [madvise] never
		p.HugePages, _, _ = strings.Cut(chosen, "]")
	}
}

// hypervisor names what the host is a guest of. The CPU's own word comes first:
// firmware tables are the operator's to write.
func (s Source) hypervisor(m *missing) *measure.Hypervisor {
	flag := false
	if proc, err := s.proc(); err != nil {
		m.add("hypervisor", err)
	} else if infos, err := proc.CPUInfo(); err != nil {
		m.add("hypervisor", err)
	} else if len(infos) > 0 && infos[0].VendorID != "" {
		flag = slices.Contains(infos[0].Flags, "hypervisor")
	} else {
		m.add("hypervisor", errors.New("CPUs of this kind do not tell whether there is one"))
	}
	leaf := strings.Trim(s.Leaf(), "\x00 ")
	kind, _ := s.text("sys/hypervisor/type") // Xen's; not there elsewhere
	if kind != "" {
		delete(m.of, "hypervisor")
	}
	switch {
	case flag && leaf != "":
		return &measure.Hypervisor{Name: hypervisorName(leaf), How: fmt.Sprintf("CPUID leaf 0x40000000 says %q", leaf)}
	case flag:
		name := "unnamed"
		if product, err := s.text("sys/class/dmi/id/product_name"); err == nil && product != "" {
			name = product
		}
		return &measure.Hypervisor{Name: name, How: "flag hypervisor in /proc/cpuinfo"}
	case kind != "":
		return &measure.Hypervisor{Name: kind, How: "/sys/hypervisor/type"}
	}
	return nil
}

// hypervisorName is the usual name for a vendor text of the hypervisor leaf, as in
// the kernel's arch/x86 and in systemd-detect-virt; an unknown text is its own.
func hypervisorName(leaf string) string {
	for prefix, name := range map[string]string{
		"KVMKVMKVM": "KVM", "Linux KVM Hv": "KVM", "TCGTCGTCGTCG": "QEMU (emulated)", "VMwareVMware": "VMware",
		"Microsoft Hv": "Hyper-V", "XenVMMXenVMM": "Xen", "bhyve bhyve": "bhyve", "VBoxVBoxVBox": "VirtualBox",
		"ACRNACRNACRN": "ACRN", "lrpepyh vr": "Parallels", "prl hyperv": "Parallels", "QNXQVMBSQG": "QNX",
	} {
		if strings.HasPrefix(leaf, prefix) {
			return name
		}
	}
	return leaf
}

// ktls says who would seal records for this kernel's sockets.
func (s Source) ktls(nics []measure.NIC) measure.KTLSPrint {
	ulps, err := s.text("proc/sys/net/ipv4/tcp_available_ulp")
	_, statErr := os.Stat(s.path("proc/net/tls_stat"))
	switch there := slices.Contains(strings.Fields(ulps), "tls"); {
	case err != nil && statErr != nil:
		return measure.KTLSPrint{Mode: measure.KTLSNone, Evidence: s.reason(err)}
	case !there && statErr != nil:
		return measure.KTLSPrint{Mode: measure.KTLSNone, Evidence: "tcp_available_ulp: " + strings.Join(append(strings.Fields(ulps), "no tls"), ", ")}
	}
	for _, n := range nics {
		if n.Offloads["tls-hw-tx-offload"] {
			return measure.KTLSPrint{Mode: measure.KTLSDevice, Evidence: n.Name + " has tls-hw-tx-offload on"}
		}
	}
	return measure.KTLSPrint{Mode: measure.KTLSSoftware, Evidence: "the kernel has the ULP tls, no interface has tls-hw-tx-offload on"}
}

func (s Source) limits(l *measure.Limits, m *missing) {
	var err error
	l.FilesSoft, l.FilesHard, err = s.Files()
	m.add("limits.files", err)
	l.CPUs, err = s.quota()
	m.add("limits.cpu_quota", err)
}

// quota is how many CPUs the control groups of this process let it use, 0 for all:
// cpu.max of version 2 (kernel: admin-guide/cgroup-v2), the least of all levels.
func (s Source) quota() (float64, error) {
	groups, err := s.text("proc/self/cgroup")
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(s.path("sys/fs/cgroup")); err != nil {
		return 0, err
	}
	_, path, there := strings.Cut("\n"+groups, "\n0::")
	if !there {
		return 0, errors.New("/proc/self/cgroup names no group of version 2")
	}
	path, _, _ = strings.Cut(path, "\n")
	least := math.Inf(1)
	for part := path; ; part = part[:strings.LastIndexByte(part, '/')] {
		text, err := s.text("sys/fs/cgroup", part, "cpu.max")
		if err == nil {
			quota, period, _ := strings.Cut(text, " ")
			q, errQ := strconv.ParseFloat(quota, 64) // "max": none
			p, errP := strconv.ParseFloat(period, 64)
			if errQ == nil && errP == nil && p > 0 {
				least = min(least, q/p)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if !strings.Contains(part, "/") {
			break
		}
	}
	if math.IsInf(least, 1) {
		return 0, nil
	}
	return least, nil
}

// buildSettings are those of a build that move its numbers, or say what it is.
var buildSettings = []string{"GOAMD64", "GOARM64", "GOEXPERIMENT", "CGO_ENABLED", "-race", "-tags", "-pgo", "vcs.revision", "vcs.modified"}

func thisBinary() measure.Binary {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return measure.Binary{}
	}
	b := measure.Binary{Go: info.GoVersion, Settings: map[string]string{}}
	for _, set := range info.Settings {
		if slices.Contains(buildSettings, set.Key) {
			b.Settings[set.Key] = set.Value
		}
	}
	return b
}
