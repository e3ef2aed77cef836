package relay

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

func TestLoginDeadline(t *testing.T) { overEach(t, testLoginDeadline) }

func testLoginDeadline(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, LoginTimeout: 50 * time.Millisecond})
	for _, said := range []string{"", "GET /derp HTTP/1.1\r\n", "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\n\r\n"} {
		conn := connect(t, s)
		if said != "" { // which over TLS would be a handshake
			io.WriteString(conn, said)
		}
		if c, ok := conn.(*tls.Conn); ok && said == "" {
			conn = c.NetConn()
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %q the relay waits for ever", said)
		}
	}
	eventually(t, "three logins time out", func() bool { return snapshot(t, s).Logins.TimedOut == 3 })
}

// What is logging in and gets on keeps its slot; others are refused.
func TestLoginCap(t *testing.T) { overEach(t, testLoginCap) }

func testLoginCap(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, MaxLogins: 1, LoginTimeout: time.Hour})
	s.logins.mu.Lock()
	s.logins.stall = time.Hour // whatever the machine is busy with
	s.logins.mu.Unlock()
	held := connect(t, s)
	if err := derp.WriteUpgradeRequest(held, "x", false); err != nil {
		t.Fatal(err)
	}
	if err := derp.ReadUpgradeResponse(bufio.NewReader(held)); err != nil {
		t.Fatal(err)
	}
	refused := plain(t, s)
	if n, err := refused.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the second login was not refused: %d, %v", n, err)
	}
	eventually(t, "it is counted", func() bool { return snapshot(t, s).Logins.Refused == 1 })
	held.Close()
	eventually(t, "room again", func() bool { return snapshot(t, s).Logins.Failed == 1 })
	dial(t, s)
}

func TestMaxPeers(t *testing.T) { overEach(t, testMaxPeers) }

func testMaxPeers(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, MaxPeers: 1})
	first := dial(t, s)
	conn := connect(t, s)
	if err := derp.WriteUpgradeRequest(conn, "x", false); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the second peer got %v, %v", resp, err)
	}
	first.conn.Close()
	eventually(t, "the first peer leaves", func() bool { return s.peers.Load() == 0 })
	dial(t, s)
}

func TestFastStartAndEagerClient(t *testing.T) { overEach(t, testFastStartAndEagerClient) }

func testFastStartAndEagerClient(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k})
	dst := dial(t, s)
	priv, _ := derp.GeneratePrivateKey(rand.Reader)
	conn := connect(t, s)
	// A client that knows the relay's key says everything at once: request,
	// ClientInfo and a packet.
	var b bytes.Buffer
	if err := derp.WriteUpgradeRequest(&b, "x", true); err != nil {
		t.Fatal(err)
	}
	ci, err := derp.SealClientInfo(priv, s.Key(), derp.ClientInfo{Version: derp.Version})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(derp.AppendFrame(nil, derp.FrameClientInfo, ci))
	b.Write(derp.AppendFrame(nil, derp.FrameSendPacket, append(dst.key[:], "early"...)))
	conn.Write(b.Bytes())
	dst.expect(priv.Public(), []byte("early"))
}

func TestKeepAlive(t *testing.T) { overEach(t, testKeepAlive) }

func testKeepAlive(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k, KeepAlive: time.Millisecond})
	dial(t, s).next(derp.FrameKeepAlive)
}

func TestBadConfig(t *testing.T) {
	good := Config{Listen: "127.0.0.1:0", Workers: 1}
	for want, change := range map[string]func(*Config){
		"workers":       func(c *Config) { c.Workers = 0 },
		"transport":     func(c *Config) { c.Transport = "pigeon" },
		"on-full":       func(c *Config) { c.OnFull = "explode" },
		"queue-packets": func(c *Config) { c.QueuePackets = -1 },
		"queue-bytes":   func(c *Config) { c.QueueBytes = 1000 },
		"socket-buffer": func(c *Config) { c.SocketBuffer = 7 },
		"moderation":    func(c *Config) { c.Moderation = time.Minute },
		"max-peers":     func(c *Config) { c.MaxPeers = -1 },
		"congestion":    func(c *Config) { c.Congestion = "nope" },
		"listen":        func(c *Config) { c.Listen = "256.0.0.1:1" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	s, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	defer s.ln.Close()
	taken := good
	taken.Listen = s.Addr().String()
	if _, err := New(taken); err == nil {
		t.Error("a port in use is not refused")
	}
	s.closeWorkers()
}
