package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cert"
	"hdbench/internal/tlsrec"
)

// end is one end of a connection, and the buffers of the thread that owns it.
type end struct {
	Socket
	io *Scratch
}

func (e *end) recv(b []byte) (int, error)   { return e.Recv(e.io, b) }
func (e *end) send(b []byte) (int, error)   { return e.Send(e.io, b) }
func (e *end) sendV(iov []IOV) (int, error) { return e.SendV(e.io, iov) }

// accepting are the options of a server: it needs a certificate.
func accepting(t *testing.T, o Options) Options {
	t.Helper()
	own, err := cert.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{own.Certificate}}
	return o
}

// connected is two Sockets with a connection between them.
func connected(t *testing.T, k Kind, o Options) (a, b *end) {
	t.Helper()
	return connectedAs(t, k, k, o)
}

// connectedAs connects a client of one kind to a server of another.
func connectedAs(t *testing.T, client, server Kind, o Options) (a, b *end) {
	t.Helper()
	a, b = &end{io: NewScratch(client)}, &end{io: NewScratch(server)}
	accept := accepting(t, o)
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
		c, err := Accepted(server, nc.(*net.TCPConn), accept)
		if err != nil {
			t.Error(err)
			return
		}
		s, _, err := c.Detach(nil)
		if err != nil {
			t.Error(err)
		}
		accepted <- s
	}()
	c, err := Dial(context.Background(), client, ln.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	a.Socket, _, err = c.Detach(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Socket = <-accepted
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// recvAll reads n bytes, waiting for them.
func recvAll(t *testing.T, s *end, n int) []byte {
	t.Helper()
	buf := make([]byte, n+128<<10) // with room for records
	for at := 0; at < n; {
		m, err := s.recv(buf[at:])
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
	return buf[:n]
}

func TestSendAndReceive(t *testing.T) {
	for _, k := range kindsHere() {
		a, b := connected(t, k, Options{})
		if n, err := b.recv(make([]byte, 1<<10)); n != 0 || err != nil {
			t.Fatalf("%s: nothing sent, received %d, %v", k, n, err)
		}
		if n, err := a.send([]byte("hello")); n != 5 || err != nil {
			t.Fatalf("%s: sent %d, %v", k, n, err)
		}
		if got := recvAll(t, b, 5); string(got) != "hello" {
			t.Fatalf("%s: got %q", k, got)
		}
		iov := make([]IOV, 3)
		for i, s := range []string{"one ", "two ", "three"} {
			SetIOV(&iov[i], []byte(s))
		}
		if n, err := a.sendV(iov); n != 13 || err != nil {
			t.Fatalf("%s: sent %d, %v", k, n, err)
		}
		if got := recvAll(t, b, 13); string(got) != "one two three" {
			t.Fatalf("%s: got %q", k, got)
		}
	}
}

func TestFullSocketTakesPart(t *testing.T) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) {
			a, b := connected(t, k, Options{SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
			big := bytes.Repeat([]byte("0123456789abcde"), 300_000)
			sent := 0
			for {
				n, err := a.send(big[sent:])
				if err != nil {
					t.Fatal(err)
				}
				sent += n
				if n == 0 {
					break
				}
			}
			if sent == 0 || sent == len(big) {
				t.Fatalf("the socket took %d of %d bytes", sent, len(big))
			}
			if k == TLS && !a.Pending() {
				t.Error("nothing is pending in a full socket")
			}
			got := make([]byte, 0, sent)
			buf := make([]byte, 128<<10)
			for deadline := time.Now().Add(5 * time.Minute); len(got) < sent; {
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d bytes", len(got), sent)
				}
				if _, err := a.send(nil); err != nil { // what is pending goes on
					t.Fatal(err)
				}
				n, err := b.recv(buf)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, buf[:n]...)
			}
			if !bytes.Equal(got, big[:sent]) || a.Pending() {
				t.Errorf("bytes differ, or something is still pending (%v)", a.Pending())
			}
		})
	}
}

// Whatever is sent, by whatever calls, arrives; with a record unit in records of
// that much.
func TestManySends(t *testing.T) {
	for _, k := range kindsHere() {
		for _, unit := range []int{0, 1400, 40_000} {
			t.Run(fmt.Sprintf("%s/%d", k, unit), func(t *testing.T) {
				a, b := connected(t, k, Options{RecordUnit: unit})
				rng := rand.New(rand.NewPCG(1, 2))
				data := make([]byte, 3<<20)
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				want := bytes.Clone(data)
				var got []byte
				buf := make([]byte, 200<<10)
				deadline := time.Now().Add(5 * time.Minute)
				for sent := 0; len(got) < len(want); {
					if time.Now().After(deadline) {
						t.Fatalf("%d of %d bytes", len(got), len(want))
					}
					n, err := 0, error(nil)
					part := data[sent:min(len(data), sent+1+rng.IntN(150<<10))]
					if rng.IntN(2) == 0 || len(part) < 10 {
						n, err = a.send(part)
					} else {
						var iov []IOV
						for len(part) > 0 {
							m := min(len(part), 1+rng.IntN(30_000))
							iov = append(iov, IOV{})
							SetIOV(&iov[len(iov)-1], part[:m])
							part = part[m:]
						}
						n, err = a.sendV(iov)
					}
					if err != nil {
						t.Fatal(err)
					}
					sent += n
					if n, err = b.recv(buf); err != nil {
						t.Fatal(err)
					}
					got = append(got, buf[:n]...)
				}
				if !bytes.Equal(got, want) || !bytes.Equal(data, want) {
					t.Error("what arrived, or what was sent, has changed")
				}
				if k != TLS {
					return
				}
				if a.io.Records.Out != b.io.Records.In || a.io.Records.OutBytes != uint64(len(want)) {
					t.Errorf("records sent %+v, received %+v", a.io.Records, b.io.Records)
				}
				if least := uint64(len(want)) / 1400; unit == 1400 && a.io.Records.Out < least {
					t.Errorf("%d records, want %d at least", a.io.Records.Out, least)
				}
			})
		}
	}
}

// What the two sides of a login say before the event loop takes over must not be
// lost on the way, wherever records end.
func TestDetachKeepsWhatHasArrived(t *testing.T) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			all := bytes.Repeat([]byte("line of a login\n"), 4000)
			accept := accepting(t, Options{})
			failed := make(chan error, 1)
			go func() {
				failed <- func() error {
					nc, err := ln.Accept()
					if err != nil {
						return err
					}
					c, err := Accepted(k, nc.(*net.TCPConn), accept)
					if err != nil {
						return err
					}
					defer c.Close()
					if _, err := c.Write(all); err != nil {
						return err
					}
					_, err = io.ReadFull(c, make([]byte, 4))
					return err
				}()
			}()
			c, err := Dial(context.Background(), k, ln.Addr().String(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if encrypted := c.Suite() != ""; encrypted != k.Encrypted() {
				t.Errorf("suite %q", c.Suite())
			}
			br := bufio.NewReader(c)
			first, err := br.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("done")); err != nil {
				t.Fatal(err)
			}
			sock, unread, err := c.Detach(br)
			if err != nil {
				t.Fatal(err)
			}
			e := &end{sock, NewScratch(k)}
			defer e.Close()
			got := append(first, unread...)
			got = append(got, recvAll(t, e, len(all)-len(got))...)
			if !bytes.Equal(got, all) {
				t.Error("bytes differ")
			}
			if err := <-failed; err != nil {
				t.Error(err)
			}
		})
	}
}

// A record that is damaged ends the connection, on both ends, with the reason.
func TestDamagedRecord(t *testing.T) {
	for _, k := range kindsHere() {
		if !k.Encrypted() {
			continue
		}
		t.Run(string(k), func(t *testing.T) {
			a, b := connectedAs(t, TLS, k, Options{})
			if _, err := a.send([]byte("good")); err != nil {
				t.Fatal(err)
			}
			recvAll(t, b, 4)
			if err := raw(t, a, []byte{tlsrec.TypeData, 3, 3, 0, 30}, make([]byte, 30)); err != nil {
				t.Fatal(err)
			}
			if err := failure(t, b); !errors.Is(err, tlsrec.ErrDecrypt) {
				t.Errorf("%v, want a decrypt error", err)
			}
			b.Close()
			// The kernel sends nothing more after an error of its own: its peer finds
			// the connection closed.
			if err := failure(t, a); k == TLS && !errors.Is(err, tlsrec.ErrAlert) {
				t.Errorf("the other end: %v, want an alert", err)
			}
		})
	}
}

func TestHalfARecordIsNoticed(t *testing.T) {
	for _, k := range kindsHere() {
		if !k.Encrypted() {
			continue
		}
		t.Run(string(k), func(t *testing.T) {
			a, b := connectedAs(t, TLS, k, Options{})
			if b.Unfinished() {
				t.Error("unfinished before anything was sent")
			}
			if err := raw(t, a, []byte{tlsrec.TypeData, 3, 3, 0, 100}, make([]byte, 50)); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(5 * time.Minute); !b.Unfinished(); {
				if n, err := b.recv(make([]byte, 1<<10)); n != 0 || err != nil || time.Now().After(deadline) {
					t.Fatalf("%d bytes, %v; want half a record to be noticed", n, err)
				}
			}
			a.Socket.rec.over = true // no goodbye
			a.Close()
			if k == KTLS {
				return // the kernel reports the end of the stream, not what is missing
			}
			if err := failure(t, b); !errors.Is(err, tlsrec.ErrDecrypt) {
				t.Errorf("%v, want a decrypt error", err)
			}
		})
	}
}

// raw puts bytes on the wire below the record layer of user space.
func raw(t *testing.T, e *end, parts ...[]byte) error {
	t.Helper()
	for _, p := range parts {
		if n, err := send(e.FD(), p); err != nil || n != len(p) {
			return fmt.Errorf("%d of %d bytes: %w", n, len(p), err)
		}
	}
	return nil
}

// failure waits for the error that ends a connection.
func failure(t *testing.T, e *end) error {
	t.Helper()
	buf := make([]byte, 64<<10)
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); {
		if _, err := e.recv(buf); err != nil {
			return err
		}
	}
	t.Fatal("the connection goes on")
	return nil
}

func TestClosedByTheOtherSide(t *testing.T) {
	for _, k := range kindsHere() {
		a, b := connected(t, k, Options{})
		a.Close()
		if err := failure(t, b); err != io.EOF {
			t.Errorf("%s: %v, want EOF", k, err)
		}
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
	for _, k := range kindsHere() {
		before := openFDs(t)
		a, b := connected(t, k, Options{})
		if got := openFDs(t); got != before+2 {
			t.Errorf("%s: %d descriptors for two sockets", k, got-before)
		}
		a.Close()
		b.Close()
		if got := openFDs(t); got != before {
			t.Errorf("%s: %d descriptors left", k, got-before)
		}
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
	for _, k := range kindsHere() {
		for _, size := range []int{1000, 17_000} {
			a, b := connected(t, k, Options{})
			msg, buf := make([]byte, size), make([]byte, 128<<10)
			iov := make([]IOV, 2)
			SetIOV(&iov[0], msg)
			SetIOV(&iov[1], msg)
			if n := testing.AllocsPerRun(100, func() {
				a.send(msg)
				a.sendV(iov)
				for got := 0; got < 3*size; {
					n, err := b.recv(buf)
					if err != nil {
						t.Fatal(err)
					}
					got += n
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations a round of %d bytes", k, n, size)
			}
		}
	}
}
