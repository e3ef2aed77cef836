package probe

import (
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// ListenerCPUs is where the processes may run that listen at an address of this host.
// ok is false where the address is another host's, nobody listens there, or who does
// is not ours to look at.
func ListenerCPUs(addr string) (set cpu.Set, ok bool) {
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil || !isOwn(to.AddrPort().Addr().Unmap()) {
		return set, false
	}
	inodes, err := Listeners(to.AddrPort())
	if err != nil {
		return set, false
	}
	for _, inode := range inodes {
		pid, _ := Holder(inode)
		if pid == 0 {
			continue
		}
		tids, err := TreeThreads(pid)
		if err != nil {
			continue
		}
		for _, tid := range tids {
			var allowed unix.CPUSet
			if unix.SchedGetaffinity(tid, &allowed) != nil {
				continue // it has ended
			}
			for n := range cpu.Max {
				if allowed.IsSet(n) {
					set, ok = set.Union(cpu.Of(n)), true
				}
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
