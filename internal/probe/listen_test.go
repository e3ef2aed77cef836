package probe

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// listen listens with SO_REUSEPORT.
func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return err
	}}
	ln, err := c.Listen(context.Background(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestListeners(t *testing.T) {
	count := func(at netip.AddrPort, want int) {
		t.Helper()
		inodes, err := Listeners(at)
		if err != nil {
			t.Fatal(err)
		}
		open, _ := Sockets([]int{os.Getpid()})
		ours := 0
		for _, i := range inodes {
			if open[i] {
				ours++
			}
			if pid, name := Holder(i); pid != os.Getpid() || name == "" {
				t.Errorf("%v: the holder of a socket of ours is %d (%s)", at, pid, name)
			}
		}
		if ours != want || len(inodes) != want {
			t.Errorf("%v: %d listeners, %d of them ours, want %d", at, len(inodes), ours, want)
		}
	}
	all := listen(t, "tcp4", "0.0.0.0:0")
	port := netip.MustParseAddrPort(all.Addr().String()).Port()
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	count(netip.AddrPortFrom(one, port), 1)
	exact := netip.AddrPortFrom(one, port)
	listen(t, "tcp4", exact.String())
	listen(t, "tcp4", exact.String())
	count(exact, 2) // the socket of all addresses gets nothing of this one's
	count(netip.AddrPortFrom(two, port), 1)
	all.Close()
	count(netip.AddrPortFrom(two, port), 0)
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil { // a host with IPv6
		defer six.Close()
		count(netip.MustParseAddrPort(six.Addr().String()), 1)
	}
}
