package probe

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// UserLimits says what hdbench cannot do on this host because of who it runs as;
// empty: nothing.
func UserLimits() string {
	if os.Geteuid() == 0 {
		return ""
	}
	var lacks []string
	if level, err := perfParanoid(); err == nil && level > 1 && !hasCapability(unix.CAP_PERFMON) && !hasCapability(unix.CAP_SYS_ADMIN) {
		lacks = append(lacks, fmt.Sprintf("no counters or samples of the kernel's part (kernel.perf_event_paranoid is %d; 1 allows them)", level))
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil && files.Max < 1<<20 {
		lacks = append(lacks, fmt.Sprintf("at most %d sockets of a process (ulimit -Hn)", files.Max))
	}
	if !hasCapability(unix.CAP_SYS_PTRACE) {
		lacks = append(lacks, "no look into processes of other users")
	}
	if len(lacks) == 0 {
		return ""
	}
	return "not root: " + strings.Join(lacks, "; ")
}

// perfParanoid is who may use perf: -1 everybody, for everything, up to 3 nobody.
func perfParanoid() (int, error) {
	b, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// hasCapability reports whether this process has a capability in effect.
func hasCapability(c int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}
