package loadgen

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"

	"hdbench/internal/cert"
	"hdbench/internal/tlsrec"
	"hdbench/internal/transport"
)

// A relay may change its keys in the midst of a run, and ask for the load's to be
// changed: nothing is lost by it.
func TestARelayThatChangesItsKeys(t *testing.T) {
	own, err := cert.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &rekeyingListener{Listener: tcp, cfg: &tls.Config{Certificates: []tls.Certificate{own.Certificate}}}
	relay := newFakeRelayOn(t, ln, nil)
	cfg := small(relay.addr())
	cfg.Transport, cfg.RTT = transport.TLS, true // with echoes both ends of a pair send
	clean(t, run(t, cfg))
	if asked, answered := ln.asked.Load(), ln.answered.Load(); asked < 8 || answered < 8 {
		t.Errorf("the load's keys were to be changed %d times, and were %d times", asked, answered)
	}
}

// rekeyingListener does TLS with connections that change their keys now and then.
type rekeyingListener struct {
	net.Listener
	cfg             *tls.Config
	asked, answered atomic.Uint64
}

func (l *rekeyingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &rekeyingConn{Conn: c, l: l}, nil
}

// rekeyingConn is read first; its handshake is then.
type rekeyingConn struct {
	net.Conn
	l      *rekeyingListener
	r      *tlsrec.Reader
	w      *tlsrec.Writer
	in     []byte // not opened yet
	opened []byte // not read yet
	writes int
}

// keyUpdatesOf one connection: fewer than may come in a row.
const keyUpdatesOf = 20

func (c *rekeyingConn) Read(p []byte) (int, error) {
	if c.r == nil {
		s, err := tlsrec.Handshake(context.Background(), c.Conn, tlsrec.Server, c.l.cfg)
		if err != nil {
			return 0, err
		}
		if c.w, err = s.NewWriter(); err != nil {
			return 0, err
		}
		if c.r, err = s.NewReader(); err != nil {
			return 0, err
		}
	}
	buf, dst := make([]byte, 32<<10), make([]byte, 64<<10)
	for len(c.opened) == 0 {
		n, err := c.Conn.Read(buf)
		if err != nil {
			return 0, err
		}
		c.in = append(c.in, buf[:n]...)
		before := c.r.KeyUpdates
		n, used, err := c.r.Open(dst, c.in)
		c.l.answered.Add(c.r.KeyUpdates - before)
		c.opened, c.in = append(c.opened, dst[:n]...), c.in[used:]
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, c.opened)
	c.opened = c.opened[n:]
	return n, nil
}

func (c *rekeyingConn) Write(p []byte) (int, error) {
	wire := c.w.SealTyped(nil, tlsrec.TypeData, p)
	if c.writes++; c.writes%20 == 0 && c.writes/20 <= keyUpdatesOf {
		var err error
		if wire, err = c.w.KeyUpdate(wire, true); err != nil {
			return 0, err
		}
		c.l.asked.Add(1)
	}
	if _, err := c.Conn.Write(wire); err != nil {
		return 0, err
	}
	return len(p), nil
}
