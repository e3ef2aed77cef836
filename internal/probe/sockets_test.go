package probe

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
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
