package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// patience bounds every wait in these tests; none waits that long when it passes.
const patience = 5 * time.Minute

// start runs a relay until the test ends.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, stop := startStoppable(t, cfg)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error("serve:", err)
		}
	})
	return s
}

// startStoppable runs a relay and returns what drains it.
func startStoppable(t *testing.T, cfg Config) (*Server, func() error) {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Workers == 0 {
		cfg.Workers = 1
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	return s, func() (err error) {
		once.Do(func() {
			cancel()
			select {
			case err = <-done:
			case <-time.After(patience):
				err = errors.New("did not stop")
			}
		})
		return err
	}
}

// overEach runs a test over every transport there is here.
func overEach(t *testing.T, test func(*testing.T, transport.Kind)) {
	for _, k := range kindsHere() {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

// client is a DERP client made of blocking calls.
type client struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
	priv derp.PrivateKey
	key  derp.Key
}

func dial(t *testing.T, s *Server) *client {
	t.Helper()
	priv, err := derp.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return dialAs(t, s, priv)
}

// plain opens a TCP connection that ends with the test.
func plain(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// connect opens a connection; over TLS, crypto/tls is the other side.
func connect(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn := plain(t, s)
	if s.Config().Transport.Encrypted() {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return conn
}

func dialAs(t *testing.T, s *Server, priv derp.PrivateKey) *client {
	t.Helper()
	conn := connect(t, s)
	c := &client{t: t, conn: conn, br: bufio.NewReaderSize(conn, 128<<10), priv: priv, key: priv.Public()}
	if err := derp.WriteUpgradeRequest(conn, "relay", false); err != nil {
		t.Fatal(err)
	}
	if err := derp.ReadUpgradeResponse(c.br); err != nil {
		t.Fatal(err)
	}
	key, _, err := derp.ClientLogin(c.br, conn, priv, derp.ClientInfo{Version: derp.Version})
	if err != nil {
		t.Fatal(err)
	}
	if key != s.Key() {
		t.Fatalf("relay's key is %v, want %v", key, s.Key())
	}
	return c
}

func (c *client) send(to derp.Key, data []byte) {
	c.t.Helper()
	c.write(derp.AppendFrame(nil, derp.FrameSendPacket, append(to[:], data...)))
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next frame of a type, skipping what else comes.
func (c *client) next(want derp.FrameType) []byte {
	c.t.Helper()
	for {
		ft, payload, err := derp.ReadFrame(c.br, nil, 1<<20)
		if err != nil {
			c.t.Fatalf("waiting for frame 0x%02x: %v", byte(want), err)
		}
		if ft == want {
			return payload
		}
		if ft == derp.FrameRecvPacket {
			c.t.Fatalf("got a packet, want frame 0x%02x", byte(want))
		}
	}
}

// expect reads a packet and checks it.
func (c *client) expect(from derp.Key, data []byte) {
	c.t.Helper()
	p := c.next(derp.FrameRecvPacket)
	if derp.Key(p[:derp.KeyLen]) != from {
		c.t.Fatalf("packet from %x, want %v", p[:derp.KeyLen], from)
	}
	if !bytes.Equal(p[derp.KeyLen:], data) {
		c.t.Fatalf("packet of %d bytes differs from the %d sent", len(p)-derp.KeyLen, len(data))
	}
}

// closed waits for the relay to end the connection.
func (c *client) closed() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.br); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the relay did not end the connection")
	}
}

func snapshot(t *testing.T, s *Server) Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	snap, err := s.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// eventually polls until ok; the conditions are steps other threads take.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func checkBalance(t *testing.T, s *Server) Totals {
	t.Helper()
	var tot Totals
	eventually(t, "received = forwarded + dropped, nothing queued", func() bool {
		tot = snapshot(t, s).Totals()
		return tot.Balanced() && tot.QueuedPackets == 0
	})
	return tot
}

// keyOn makes a key that hashes to worker i of n.
func keyOn(t *testing.T, i, n int) derp.PrivateKey {
	t.Helper()
	for {
		priv, err := derp.GeneratePrivateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pub := priv.Public()
		if shard(&pub, n) == i {
			return priv
		}
	}
}
