package relay

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// Connections that are only held open, at whatever point before the relay has
// spent anything on them, do not keep out a client that speaks.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) { overEach(t, testIdleConnectionsKeepNobodyOut) }

func testIdleConnectionsKeepNobodyOut(t *testing.T, k transport.Kind) {
	half := "GET /derp HTTP/1.1\r\nHost:"
	if k.Encrypted() {
		half = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // of a ClientHello
	}
	for name, said := range map[string]string{"silent": "", "half a greeting": half} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{Transport: k, LoginTimeout: time.Hour})
			const idle = DefaultMaxLogins + 50
			for range idle {
				conn := plain(t, s)
				if _, err := io.WriteString(conn, said); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "a client logs in", func() bool { return tryLogin(t, s) })
			eventually(t, "all have come", func() bool { return snapshot(t, s).Logins.Accepted > idle })
			if l := snapshot(t, s).Logins; l.Evicted == 0 || l.TimedOut > 0 {
				t.Errorf("%+v; want some evicted", l)
			}
		})
	}
}

// Who has stalled further on is evicted too, when nobody is silent.
func TestStalledHandshakesKeepNobodyOut(t *testing.T) {
	s := start(t, Config{Transport: transport.TLS, LoginTimeout: time.Hour, MaxLogins: 8})
	for range 8 {
		conn := plain(t, s)
		go tls.Client(helloOnly{conn}, &tls.Config{InsecureSkipVerify: true}).Handshake()
	}
	eventually(t, "eight handshakes are half done", func() bool {
		s.logins.mu.Lock()
		defer s.logins.mu.Unlock()
		return s.logins.at[stageHello].Len() == 8
	})
	eventually(t, "a client logs in", func() bool { return tryLogin(t, s) })
	if n := snapshot(t, s).Logins.Evicted; n == 0 {
		t.Error("none evicted")
	}
}

// helloOnly lets a ClientHello out and no answer in.
type helloOnly struct{ net.Conn }

func (helloOnly) Read([]byte) (int, error) { select {} }

// tryLogin logs in, and reports whether the relay let it.
func tryLogin(t *testing.T, s *Server) bool {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close()
	priv := keyOn(t, 0, 1)
	if derp.WriteUpgradeRequest(conn, "x", true) != nil {
		return false
	}
	_, _, err := derp.ClientLogin(conn, conn, priv, derp.ClientInfo{Version: derp.Version})
	return err == nil
}

func TestWhoseSlotIsTaken(t *testing.T) {
	var closed []string
	now := time.Unix(1000, 0)
	s := newSlots(4)
	spoken := map[string]bool{}
	s.spoke = func(c net.Conn) bool { return spoken[c.(*namedConn).name] }
	logins := map[string]*slot{}
	take := func(name string, want ...string) {
		t.Helper()
		closed = nil
		now = now.Add(time.Millisecond)
		c := &namedConn{name: name}
		c.closed = func() {
			closed = append(closed, name)
			// As its goroutine does; not here, for take holds the lock.
			go s.release(logins[name])
		}
		l := s.take(context.Background(), c, now)
		if l != nil {
			logins[name] = l
		} else {
			closed = append(closed, "refused")
		}
		if len(closed) != len(want) || len(want) == 1 && closed[0] != want[0] {
			t.Errorf("%s comes: %v, want %v", name, closed, want)
		}
	}
	reached := func(name string, to stage) { s.reached(logins[name], to, now) }
	for _, name := range []string{"a", "b", "c", "d"} {
		take(name)
	}
	reached("a", stageAsked)
	take("e", "b") // the oldest of the silent, although a is older
	if !s.wasEvicted(logins["b"]) || s.wasEvicted(logins["a"]) {
		t.Error("it is not known who was evicted")
	}
	spoken["c"] = true
	take("f", "d") // c has spoken, and was not heard yet
	reached("e", stageHello)
	reached("f", stageSecured)
	take("g", "refused") // a, c, e and f all get on
	now = now.Add(stallTime)
	reached("c", stageSecured)
	take("h", "e") // the earliest stage where one has stalled
	reached("h", stageHello)
	take("i", "f") // h has just spoken; c is at f's stage since later
	reached("i", stageHello)
	take("j", "a") // stalled at the end
	reached("j", stageHello)
	take("k", "refused")
	now = now.Add(stallTime)
	take("l", "h")
	s.release(logins["c"])
	take("m")
	s.close()
	if closed == nil || s.take(context.Background(), &namedConn{closed: func() {}}, now) != nil {
		t.Errorf("closed, %v are ended", closed)
	}
}

// namedConn is a connection that can only be closed.
type namedConn struct {
	net.Conn
	name   string
	closed func()
}

func (c *namedConn) Close() error {
	c.closed()
	return nil
}
