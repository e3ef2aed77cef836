package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
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

// Established are the established TCP connections of this network namespace whose
// own end is at an address, by sock_diag(7).
//
// The request is ours and netlink carries it: netlink.SocketDiagTCPInfo has the
// kernel list every socket, those that are closed too, and ends the list without an
// error at the first whose congestion control says something it does not know.
func Established(at netip.AddrPort) (map[SocketCookie]Socket, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	found := map[SocketCookie]Socket{}
	err := eachDiag(at.Port(), netlink.TCP_ESTABLISHED, func(d diagSocket) {
		if d.own == at {
			found[d.cookie] = d.Socket
		}
	})
	return found, err
}

// eachDiag calls f for every socket in a state whose own port is that one, those of
// IPv4 first. A listener on all addresses has IPv4 connections in IPv6 sockets.
func eachDiag(port uint16, state uint, f func(diagSocket)) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		req.AddRawData(diagRequest(family, port, state))
		var bad error
		err := req.ExecuteIter(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY, func(msg []byte) bool {
			var d diagSocket
			if d, bad = parseDiag(msg); bad == nil {
				f(d)
			}
			return bad == nil
		})
		switch err := errors.Join(err, bad); {
		case errors.Is(err, unix.ENOENT) && family == unix.AF_INET6: // a kernel without IPv6
		case errors.Is(err, unix.ENOENT):
			return fmt.Errorf("sock_diag: %w (the kernel has no CONFIG_INET_DIAG)", err)
		case err != nil:
			return fmt.Errorf("sock_diag: %w", err)
		}
	}
	return nil
}

// Sizes of include/uapi/linux/inet_diag.h: struct inet_diag_req_v2 and
// inet_diag_msg. Ports and addresses in them are in network order.
const (
	diagRequestSize = 56
	diagMsgSize     = 72
)

// diagRequest asks for tcp_info of the sockets of a family in a state, with a port of
// their own. The kernel looks at no others.
func diagRequest(family uint8, port uint16, state uint) []byte {
	b := make([]byte, diagRequestSize)
	b[0], b[1], b[2] = family, unix.IPPROTO_TCP, 1<<(netlink.INET_DIAG_INFO-1)
	binary.NativeEndian.PutUint32(b[4:], 1<<state)
	binary.BigEndian.PutUint16(b[8:], port)
	return b
}

type diagSocket struct {
	own    netip.AddrPort
	all    bool // bound to all addresses of its family
	four   bool // of IPv4
	cookie SocketCookie
	inode  uint32
	Socket
}

var errShortDiag = errors.New("the kernel's answer is too short")

// aligned is b with what its last attribute lacks to netlink's alignment: the library
// steps over that without looking.
func aligned(b []byte) []byte {
	if lacks := -len(b) & (unix.NLA_ALIGNTO - 1); lacks > 0 {
		return append(slices.Clip(b), make([]byte, lacks)...)
	}
	return b
}

// parseDiag reads one inet_diag_msg and the tcp_info after it.
func parseDiag(b []byte) (diagSocket, error) {
	var d diagSocket
	if len(b) < diagMsgSize {
		return d, errShortDiag
	}
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	addr := netip.AddrFrom4([4]byte(b[8:12]))
	if d.four = b[0] != unix.AF_INET6; !d.four {
		addr = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	}
	d.all, d.inode = addr.IsUnspecified(), u32(68)
	d.own = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[4:]))
	d.cookie = SocketCookie{u32(44), u32(48)}
	d.Unread, d.Unsent = u32(56), u32(60)
	attrs, err := nl.ParseRouteAttr(aligned(b[diagMsgSize:]))
	if err != nil {
		return d, fmt.Errorf("attributes of a socket: %w", err)
	}
	for _, a := range attrs {
		if a.Attr.Type != netlink.INET_DIAG_INFO {
			continue
		}
		var info unix.TCPInfo // of which the kernel may know less, or more
		const need = unsafe.Offsetof(info.Sndbuf_limited) + unsafe.Sizeof(info.Sndbuf_limited)
		if len(a.Value) < int(need) {
			return d, fmt.Errorf("%w: its tcp_info is before Linux 4.10", errShortDiag)
		}
		us := func(at uintptr) time.Duration {
			return time.Duration(binary.NativeEndian.Uint64(a.Value[at:])) * time.Microsecond
		}
		d.Busy = us(unsafe.Offsetof(info.Busy_time))
		d.RwndLimited = us(unsafe.Offsetof(info.Rwnd_limited))
		d.SndbufLimited = us(unsafe.Offsetof(info.Sndbuf_limited))
		return d, nil
	}
	return d, fmt.Errorf("%w: no tcp_info", errShortDiag)
}
