package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"hdbench/internal/tlsrec"
)

func session() *tlsrec.Session {
	return &tlsrec.Session{Suite: tlsrec.AES128GCM, In: bytes.Repeat([]byte{1}, 32), Out: bytes.Repeat([]byte{2}, 32)}
}

// The record layer has its own of a session; what the handshake left is wiped, even
// if the kernel refuses it.
func TestSecretsOfTheHandshakeAreWiped(t *testing.T) {
	refusal := errors.New("no such kernel")
	for _, c := range []struct {
		name   string
		kind   Kind
		suite  tlsrec.Suite
		enable func(*tlsrec.Session) error
		fails  bool
	}{
		{"tls", TLS, tlsrec.AES128GCM, nil, false},
		{"no such suite", TLS, 0, nil, true},
		{"ktls", KTLS, tlsrec.AES128GCM, func(s *tlsrec.Session) error {
			if s.In[0] != 1 || s.Out[0] != 2 {
				t.Error("wiped before the kernel has the keys")
			}
			return nil
		}, false},
		{"ktls refused", KTLS, tlsrec.AES128GCM, func(*tlsrec.Session) error { return refusal }, true},
	} {
		s := session()
		s.Suite = c.suite
		if _, err := newRecords(c.kind, s, Options{}, c.enable); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
		if !bytes.Equal(s.In, make([]byte, 32)) || !bytes.Equal(s.Out, make([]byte, 32)) {
			t.Errorf("%s: the secrets are still there: %x, %x", c.name, s.In, s.Out)
		}
	}
}

// sealsAlike reports whether two record layers have the same keys for what they send.
// Nothing else outside tlsrec can tell.
func sealsAlike(a, b *records) bool {
	seal := func(r *records) []byte { return r.out.SealAlert(make([]byte, 0, 100), tlsrec.AlertCloseNotify) }
	return bytes.Equal(seal(a), seal(b))
}

// The keys go with the connection: from the Conn to the Socket, and away when
// that is closed, or when a login is given up.
func TestKeysAreWipedAtTheEnd(t *testing.T) {
	layer := func() *records {
		r, err := newRecords(TLS, session(), Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	conn := func() *Conn {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := nc.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		return &Conn{TCPConn: nc.(*net.TCPConn), raw: raw, sock: Socket{rec: layer()}}
	}
	if !sealsAlike(layer(), layer()) {
		t.Fatal("one session's keys are not alike")
	}

	given := conn()
	r := given.sock.rec
	given.Close()
	if sealsAlike(r, layer()) {
		t.Error("a login that was given up has left its keys")
	}

	detached := conn()
	r = detached.sock.rec
	sock, _, err := detached.Detach(nil)
	if err != nil {
		t.Fatal(err)
	}
	detached.Close()
	if !sealsAlike(r, layer()) || sock.rec != r {
		t.Error("the Socket has lost its keys with the Conn")
	}
	sock.Close()
	after := layer()
	sealsAlike(after, after) // as many records as r has sealed
	if sealsAlike(r, after) {
		t.Error("a Socket that was closed has left its keys")
	}
}

// Either end may change its keys at any time, also with much under way, and ask the
// other to. Sockets of both ends go on.
func TestKeyUpdates(t *testing.T) {
	a, b := connected(t, TLS, Options{SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
	update := func(e *end, request bool) {
		t.Helper()
		wire, err := e.rec.out.KeyUpdate(nil, request)
		if err == nil {
			err = raw(t, e, wire)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pass := func(from, to *end, n int) {
		t.Helper()
		data := bytes.Repeat([]byte("data under some keys. "), n/22+1)
		want := bytes.Clone(data)
		var got []byte
		buf := make([]byte, 128<<10)
		deadline := time.Now().Add(20 * time.Second)
		for sent := 0; len(got) < len(want); {
			n, err := from.send(data[sent:])
			if err != nil {
				t.Fatal(err)
			}
			sent += n
			if n, err = to.recv(buf); err != nil || time.Now().After(deadline) {
				t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("bytes differ")
		}
	}
	pass(a, b, 100)
	update(a, false)
	pass(a, b, 100_000)
	if b.rec.in.Asked || a.io.Records.KeyUpdates+b.io.Records.KeyUpdates != 1 {
		t.Errorf("asked %v, counts %+v, %+v", b.rec.in.Asked, a.io.Records, b.io.Records)
	}
	update(a, true)
	update(a, true)
	pass(a, b, 100_000)
	if n := b.io.Records.KeyUpdates; n != 3 || !b.rec.in.Asked {
		t.Errorf("%d key updates, asked %v", n, b.rec.in.Asked)
	}
	pass(b, a, 500_000) // one answer to both, in front of it
	pass(b, a, 100)
	if n := a.io.Records.KeyUpdates; n != 1 || b.rec.in.Asked || a.rec.in.Asked {
		t.Errorf("%d answers, asked %v", n, b.rec.in.Asked)
	}
	pass(a, b, 100)
}

// During a login too, when both ends are Conns.
func TestKeyUpdateDuringALogin(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accept := accepting(t, Options{})
	served := make(chan error, 1)
	go func() {
		served <- func() error {
			nc, err := ln.Accept()
			if err != nil {
				return err
			}
			c, err := Accepted(TLS, nc.(*net.TCPConn), accept)
			if err != nil {
				return err
			}
			defer c.Close()
			b := make([]byte, 5)
			if _, err := c.Read(b); err != nil {
				return err
			}
			_, err = c.Write(b)
			return err
		}()
	}()
	c, err := Dial(context.Background(), TLS, ln.Addr().String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wire, err := c.sock.rec.out.KeyUpdate(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.TCPConn.Write(wire); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b); err != nil || string(b) != "hello" || c.sock.rec.in.KeyUpdates != 1 {
		t.Errorf("%q, %d answers, %v", b, c.sock.rec.in.KeyUpdates, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
