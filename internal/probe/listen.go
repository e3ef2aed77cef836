package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"github.com/vishvananda/netlink"
)

// Listeners are the sockets of this network namespace that the kernel gives new
// connections to an address to, as inodes. With SO_REUSEPORT there may be several,
// of several processes; the kernel then shares connections out among them. A socket
// bound to the address itself goes before one of all addresses.
func Listeners(addr netip.AddrPort) ([]uint64, error) {
	want, best := addr.Addr().Unmap().WithZone(""), 0
	var found []uint64
	err := eachDiag(addr.Port(), netlink.TCP_LISTEN, func(d diagSocket) {
		rank := 0
		switch {
		case d.own.Addr() == want:
			rank = 3
		case d.all && d.four && want.Is4(), d.all && !d.four && !want.Is4():
			rank = 2
		case d.all && !d.four: // takes IPv4 too, unless told not to
			rank = 1
		}
		if rank > best {
			best, found = rank, nil
		}
		if rank > 0 && rank == best {
			found = append(found, uint64(d.inode))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list sockets: %w", err)
	}
	return found, nil
}

// Sockets are the inodes of the sockets that processes have open. all is false if
// some process would not show what it has open.
func Sockets(pids []int) (open map[uint64]bool, all bool) {
	open, all = map[uint64]bool{}, true
	for _, pid := range pids {
		if err := eachSocket(pid, func(inode uint64) { open[inode] = true }); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = false
		}
	}
	return open, all
}

// Holder is a process that has a socket open, 0 if none shows it, and its name.
func Holder(inode uint64) (pid int, name string) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return 0, ""
	}
	for _, p := range procs {
		has := false
		_ = eachSocket(p.PID, func(i uint64) { has = has || i == inode }) // gone, or not ours to look at
		if has {
			name, _ := p.Comm()
			return p.PID, name
		}
	}
	return 0, ""
}

// eachSocket calls f for every socket that a process has open.
func eachSocket(pid int, f func(inode uint64)) error {
	dir := filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(pid), "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		number, ok := strings.CutPrefix(to, "socket:[")
		if !ok {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			f(inode)
		}
	}
	return nil
}
