package probe

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhoListensHereIsFoundAndWhereItMayRun(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err) // a host without IPv6
			continue
		}
		set, ok := ListenerCPUs(l.Addr().String())
		if !ok || set.IsEmpty() {
			t.Errorf("%s: not found", l.Addr())
		}
		var own unix.CPUSet
		if err := unix.SchedGetaffinity(os.Getpid(), &own); err != nil {
			t.Fatal(err)
		}
		if set.Size() < own.Count() {
			t.Errorf("%s may run on %s, and is allowed %d CPUs", l.Addr(), set, own.Count())
		}
		addr := l.Addr().String()
		l.Close()
		if _, ok := ListenerCPUs(addr); ok {
			t.Errorf("%s: found, and closed", addr)
		}
	}
	if _, ok := ListenerCPUs("192.0.2.1:3340"); ok { // TEST-NET-1: nobody's
		t.Error("another host's relay was found here")
	}
}
