package probe

import (
	"encoding/binary"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// patience is how long an event of the kernel's may take to come.
const patience = 20 * time.Second

// pair is a connection over loopback; own is the end that is looked at.
func pair(t *testing.T, listen string) (own, other net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	other, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", port(t, ln.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	own, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Close() })
	return own, other
}

func port(t *testing.T, a net.Addr) string {
	t.Helper()
	_, p, err := net.SplitHostPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fill writes for as long as the connection is there.
func fill(c net.Conn) {
	go func() {
		b := make([]byte, 1<<20)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
}

// await waits until the one socket at an address is as wanted.
func await(t *testing.T, at net.Addr, wanted func(Socket) bool) Socket {
	t.Helper()
	s := only(t, at.String())
	for start := time.Now(); !wanted(s); s = only(t, at.String()) {
		if time.Since(start) > patience {
			t.Fatalf("it stays %+v", s)
		}
		time.Sleep(time.Millisecond)
	}
	return s
}

// only is the one socket at an address.
func only(t *testing.T, at string) Socket {
	t.Helper()
	found, err := Established(netip.MustParseAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("sockets %v, want one", found)
	}
	return slices.Collect(maps.Values(found))[0]
}

func TestReceiverThatDoesNotReadLimitsTheSocket(t *testing.T) {
	for name, listen := range map[string]string{"one address": "127.0.0.1:0", "all addresses": ":0"} {
		t.Run(name, func(t *testing.T) {
			own, _ := pair(t, listen)
			if s := only(t, own.LocalAddr().String()); s.RwndLimited != 0 || s.Unsent != 0 {
				t.Fatalf("before anything was written: %+v", s)
			}
			fill(own)
			s := await(t, own.LocalAddr(), func(s Socket) bool { return s.RwndLimited > 0 && s.Unsent > 0 })
			if s.Busy < s.RwndLimited || s.Unread != 0 {
				t.Errorf("%+v, want data that waited for the receiver's window", s)
			}
		})
	}
}

func TestProcessThatDoesNotReadLeavesBytesUnread(t *testing.T) {
	own, other := pair(t, "127.0.0.1:0")
	fill(other)
	s := await(t, own.LocalAddr(), func(s Socket) bool { return s.Unread > 0 })
	if s.Busy != 0 || s.RwndLimited != 0 || s.Unsent != 0 {
		t.Errorf("%+v, want nothing sent", s)
	}
	// The other end is the sender of it.
	if s := await(t, other.LocalAddr(), func(s Socket) bool { return s.Unsent > 0 }); s.Unread != 0 {
		t.Errorf("the other end: %+v", s)
	}
}

func TestEstablishedOfAnotherAddressOrNone(t *testing.T) {
	own, _ := pair(t, "127.0.0.1:0")
	at := netip.MustParseAddrPort(own.LocalAddr().String())
	for _, other := range []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port()),
		netip.AddrPortFrom(netip.MustParseAddr("::1"), at.Port()),
		netip.AddrPortFrom(at.Addr(), 1),
	} {
		if found, err := Established(other); err != nil || len(found) != 0 {
			t.Errorf("%v: %v, %v", other, found, err)
		}
	}
	own.Close() // it is not established any more
	if found, err := Established(at); err != nil || len(found) != 0 {
		t.Errorf("closed: %v, %v", found, err)
	}
}

// diagMsg is what a kernel says of a socket on 10.0.0.1:443 with the cookie {7, 8},
// 11 bytes unread and 22 unsent; attrs follow.
func diagMsg(attrs ...[]byte) []byte {
	b := make([]byte, diagMsgSize)
	b[0], b[1] = unix.AF_INET, netlink.TCP_ESTABLISHED
	binary.BigEndian.PutUint16(b[4:], 443)
	copy(b[8:], []byte{10, 0, 0, 1})
	for at, v := range map[int]uint32{44: 7, 48: 8, 56: 11, 60: 22, 68: 9} {
		binary.NativeEndian.PutUint32(b[at:], v)
	}
	return append(b, slices.Concat(attrs...)...)
}

func diagAttr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// tcpInfo is one of a size, with the three times in microseconds.
func tcpInfo(size int, busy, rwnd, sndbuf uint64) []byte {
	b := make([]byte, 1024)
	for at, v := range map[int]uint64{168: busy, 176: rwnd, 184: sndbuf} { // include/uapi/linux/tcp.h
		binary.NativeEndian.PutUint64(b[at:], v)
	}
	return b[:size]
}

func TestSocketsOfKernels(t *testing.T) {
	want := diagSocket{
		own: netip.MustParseAddrPort("10.0.0.1:443"), four: true, cookie: SocketCookie{7, 8}, inode: 9,
		Socket: Socket{3 * time.Millisecond, 2 * time.Millisecond, time.Millisecond, 11, 22},
	}
	for name, c := range map[string]struct {
		msg []byte
		ok  bool
	}{
		"4.10, the first to tell":      {diagMsg(diagAttr(2, tcpInfo(192, 3000, 2000, 1000))), true},
		"one with more to tell":        {diagMsg(diagAttr(2, tcpInfo(400, 3000, 2000, 1000))), true},
		"other attributes before":      {diagMsg(diagAttr(16, make([]byte, 44)), diagAttr(2, tcpInfo(248, 3000, 2000, 1000))), true},
		"before 4.10":                  {diagMsg(diagAttr(2, tcpInfo(160, 0, 0, 0))), false},
		"no tcp_info":                  {diagMsg(), false},
		"half a message":               {diagMsg()[:40], false},
		"an attribute without its end": {diagMsg(diagAttr(2, tcpInfo(192, 0, 0, 0))[:100]), false},
	} {
		got, err := parseDiag(c.msg)
		if (err == nil) != c.ok || c.ok && got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDiag(f *testing.F) {
	f.Add(diagMsg(diagAttr(2, tcpInfo(248, 1, 2, 3))))
	f.Add(diagMsg(diagAttr(2, nil), diagAttr(0, nil)))
	f.Add([]byte{unix.AF_INET6})
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDiag(b); err == nil && !d.own.IsValid() {
			t.Errorf("%x: %+v", b, d)
		}
	})
}
