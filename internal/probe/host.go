package probe

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// EnvLab is the environment variable by which the lab tells what it runs runs on.
const EnvLab = "HDBENCH_LAB"

// ThisHost looks at the host it runs on. What cannot be read stays empty.
func ThisHost() (measure.Host, error) {
	h := measure.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Lab: os.Getenv(EnvLab)}
	var err error
	if h.Name, err = os.Hostname(); err != nil {
		return h, fmt.Errorf("host name: %w", err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return h, fmt.Errorf("uname: %w", err)
	}
	h.Kernel = unix.ByteSliceToString(u.Release[:])
	set, err := cpu.Available()
	if err != nil {
		return h, err
	}
	h.CPUs = set.String()
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return h, err
	}
	if infos, err := fs.CPUInfo(); err == nil && len(infos) > 0 {
		h.CPUModel = infos[0].ModelName
		for _, f := range infos[0].Flags {
			h.Virtual = h.Virtual || f == "hypervisor"
		}
	}
	if mem, err := fs.Meminfo(); err == nil && mem.MemTotalBytes != nil {
		h.MemBytes = *mem.MemTotalBytes
	}
	if cc, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
		h.Congestion = strings.TrimSpace(string(cc))
	}
	h.Fingerprint = Here().Fingerprint()
	h.NoCPUTime, err = NoCPUTime()
	return h, err
}

// Siblings groups CPUs by the physical core they are threads of, in the order of
// their lowest numbers. A host that does not tell has one CPU a core.
func Siblings(set cpu.Set) []cpu.Set {
	var cores []cpu.Set
	seen := cpu.Of()
	for _, c := range set.List() {
		if seen.Contains(c) {
			continue
		}
		core := cpu.Of(c)
		b, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c))
		if err == nil {
			if all, err := cpu.Parse(strings.TrimSpace(string(b))); err == nil {
				core = all.Intersection(set)
			}
		}
		cores = append(cores, core)
		seen = seen.Union(core)
	}
	return cores
}
