package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connected is two Sockets with a TCP connection between them.
func connected(t *testing.T, k Kind, o Options) (a, b Socket) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan Socket, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c, err := Accepted(k, nc.(*net.TCPConn), o)
		if err != nil {
			t.Error(err)
			return
		}
		s, err := c.Detach()
		if err != nil {
			t.Error(err)
		}
		accepted <- s
	}()
	c, err := Dial(context.Background(), k, ln.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	a, err = c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	b = <-accepted
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// recvAll reads n bytes, waiting for them.
func recvAll(t *testing.T, s *Socket, n int) []byte {
	t.Helper()
	buf := make([]byte, n)
	for at := 0; at < n; {
		m, err := s.Recv(buf[at:])
		if err != nil {
			t.Fatalf("after %d bytes: %v", at, err)
		}
		if at += m; m == 0 {
			fds := []unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds, 10_000); err != nil || n == 0 {
				t.Fatalf("after %d bytes: no more within 10 s (%v)", at, err)
			}
		}
	}
	return buf
}

func TestSendAndReceive(t *testing.T) {
	for _, k := range Kinds() {
		a, b := connected(t, k, Options{})
		if n, err := b.Recv(make([]byte, 10)); n != 0 || err != nil {
			t.Fatalf("%s: nothing sent, received %d, %v", k, n, err)
		}
		if n, err := a.Send([]byte("hello")); n != 5 || err != nil {
			t.Fatalf("%s: sent %d, %v", k, n, err)
		}
		if got := recvAll(t, &b, 5); string(got) != "hello" {
			t.Fatalf("%s: got %q", k, got)
		}
		iov := make([]IOV, 3)
		for i, s := range []string{"one ", "two ", "three"} {
			SetIOV(&iov[i], []byte(s))
		}
		if n, err := a.SendV(iov); n != 13 || err != nil {
			t.Fatalf("%s: sent %d, %v", k, n, err)
		}
		if got := recvAll(t, &b, 13); string(got) != "one two three" {
			t.Fatalf("%s: got %q", k, got)
		}
	}
}

func TestFullSocketTakesPart(t *testing.T) {
	a, b := connected(t, TCP, Options{SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
	big := bytes.Repeat([]byte("x"), 4<<20)
	sent := 0
	for {
		n, err := a.Send(big[sent:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		sent += n
	}
	if sent == 0 || sent == len(big) {
		t.Fatalf("the socket took %d of %d bytes", sent, len(big))
	}
	if got := recvAll(t, &b, sent); !bytes.Equal(got, big[:sent]) {
		t.Fatal("bytes differ")
	}
}

func TestClosedByTheOtherSide(t *testing.T) {
	a, b := connected(t, TCP, Options{})
	a.Close()
	for {
		n, err := b.Recv(make([]byte, 10))
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || n != 0 {
			t.Fatalf("received %d, %v; want EOF", n, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestOptions(t *testing.T) {
	a, _ := connected(t, TCP, Options{Congestion: "reno", UserTimeout: 3 * time.Second, SendBuffer: 64 << 10})
	if got, err := unix.GetsockoptString(a.FD(), unix.IPPROTO_TCP, unix.TCP_CONGESTION); err != nil || got != "reno" {
		t.Errorf("congestion control %q, %v", got, err)
	}
	if got, err := unix.GetsockoptInt(a.FD(), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); err != nil || got != 3000 {
		t.Errorf("user timeout %d ms, %v", got, err)
	}
	if got, err := unix.GetsockoptInt(a.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF); err != nil || got != 2*64<<10 {
		t.Errorf("send buffer %d, %v; want what was asked for, doubled", got, err)
	}
	if err := CheckCongestion("no-such-thing"); err == nil || !strings.Contains(err.Error(), "tcp_available_congestion_control") {
		t.Errorf("unknown congestion control: %v", err)
	}
	if err := CheckCongestion(""); err != nil {
		t.Errorf("the default congestion control: %v", err)
	}
}

func TestUnknownTransport(t *testing.T) {
	for _, s := range []string{"", "udp", "TCP"} {
		if _, err := ParseKind(s); !errors.Is(err, ErrNotSupported) {
			t.Errorf("ParseKind(%q): %v, want ErrNotSupported", s, err)
		}
	}
}

func TestDetachLeavesOneDescriptor(t *testing.T) {
	connected(t, TCP, Options{}) // the runtime opens its poller with the first
	before := openFDs(t)
	a, b := connected(t, TCP, Options{})
	if got := openFDs(t); got != before+2 {
		t.Errorf("%d descriptors for two sockets", got-before)
	}
	a.Close()
	b.Close()
	if got := openFDs(t); got != before {
		t.Errorf("%d descriptors left", got-before)
	}
}

func openFDs(t *testing.T) int {
	t.Helper()
	n := 0
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

func TestSendAndReceiveDoNotAllocate(t *testing.T) {
	a, b := connected(t, TCP, Options{})
	msg, buf := make([]byte, 1000), make([]byte, 4000)
	iov := make([]IOV, 2)
	SetIOV(&iov[0], msg)
	SetIOV(&iov[1], msg)
	if n := testing.AllocsPerRun(100, func() {
		a.Send(msg)
		a.SendV(iov)
		for got := 0; got < 3000; {
			n, err := b.Recv(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n != 0 {
		t.Fatalf("%v allocations a round", n)
	}
}
