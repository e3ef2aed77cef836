package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Socket is what the kernel says of one end of a TCP connection: times since it was
// made, and what waits in it now.
type Socket struct {
	Busy          time.Duration // with data to send
	RwndLimited   time.Duration // of it, the other end's window was full
	SndbufLimited time.Duration // of it, its own send buffer was
	Unread        uint32        // bytes received that its process has not read
	Unsent        uint32        // bytes its process wrote that are not acknowledged
}

// SocketCookie is what tells sockets apart, for as long as the host is up.
type SocketCookie [2]uint32

// Established are the established TCP connections whose own end is at an address,
// of this network namespace. The kernel lists all sockets of the namespace for
// that: some 2 µs a socket.
func Established(at netip.AddrPort) (map[SocketCookie]Socket, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	found := map[SocketCookie]Socket{}
	// A listener on all addresses has IPv4 connections in IPv6 sockets.
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		list, err := netlink.SocketDiagTCPInfo(family)
		switch {
		case family == unix.AF_INET6 && errors.Is(err, unix.ENOENT): // a kernel without IPv6
			continue
		case errors.Is(err, unix.ENOENT):
			return nil, fmt.Errorf("sock_diag: %w (the kernel has no CONFIG_INET_DIAG)", err)
		case err != nil:
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		for _, s := range list {
			m, info := s.InetDiagMsg, s.TCPInfo
			if m.ID.SourcePort != at.Port() || m.State != netlink.TCP_ESTABLISHED || info == nil {
				continue
			}
			if own, ok := netip.AddrFromSlice(m.ID.Source); !ok || own.Unmap() != at.Addr() {
				continue
			}
			found[m.ID.Cookie] = Socket{
				Busy:          time.Duration(info.Busy_time) * time.Microsecond,
				RwndLimited:   time.Duration(info.Rwnd_limited) * time.Microsecond,
				SndbufLimited: time.Duration(info.Sndbuf_limited) * time.Microsecond,
				Unread:        m.RQueue, Unsent: m.WQueue,
			}
		}
	}
	return found, nil
}
