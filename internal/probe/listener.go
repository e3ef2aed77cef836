package probe

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hdbench/internal/cpu"
)

// ListenerCPUs is where the process may run that listens at an address of this host:
// the CPUs that any of its threads is allowed. ok is false where the address is another
// host's, nobody listens there, or the process is not ours to look at.
func ListenerCPUs(addr string) (set cpu.Set, ok bool) {
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil || !isOwn(to.AddrPort().Addr().Unmap()) {
		return set, false
	}
	for _, pid := range holders(listening(to.AddrPort())) {
		files, _ := filepath.Glob(filepath.Join("/proc", pid, "task", "*", "status"))
		for _, f := range files {
			if allowed, err := cpu.Parse(statusOf(f, "Cpus_allowed_list")); err == nil {
				set, ok = set.Union(allowed), true
			}
		}
	}
	return set, ok
}

// isOwn reports whether an address is this host's.
func isOwn(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addrs, func(own net.Addr) bool {
		p, err := netip.ParsePrefix(own.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// tcpListen is TCP_LISTEN (include/net/tcp_states.h).
const tcpListen = "0A"

// listening are the inodes of the sockets that listen at an address, or at all.
func listening(at netip.AddrPort) []string {
	var inodes []string
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != tcpListen {
				continue
			}
			if a, ok := kernelAddr(f[1]); ok && a.Port() == at.Port() && (a.Addr().IsUnspecified() || a.Addr() == at.Addr().Unmap()) {
				inodes = append(inodes, f[9])
			}
		}
	}
	return inodes
}

// kernelAddr reads an address as /proc/net/tcp has it: words of four bytes in this
// host's order, here little endian, and the port.
func kernelAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}

// holders are the processes that have one of the sockets open, of those that can be
// looked at.
func holders(inodes []string) []string {
	if len(inodes) == 0 {
		return nil
	}
	var pids []string
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		pid := strings.Split(fd, "/")[2]
		if err != nil || slices.Contains(pids, pid) {
			continue
		}
		if slices.ContainsFunc(inodes, func(i string) bool { return to == fmt.Sprintf("socket:[%s]", i) }) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// statusOf is a field of a status file of /proc; empty if it is not there.
func statusOf(file, field string) string {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
