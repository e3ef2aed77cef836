package relay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

func TestDrainTellsThePeersAndSendsWhatIsQueued(t *testing.T) {
	overEach(t, testDrainTellsThePeersAndSendsWhatIsQueued)
}

func testDrainTellsThePeersAndSendsWhatIsQueued(t *testing.T, k transport.Kind) {
	s, stop := startStoppable(t, Config{Transport: k, Workers: 2})
	a, b := dialAs(t, s, keyOn(t, 0, 2)), dialAs(t, s, keyOn(t, 1, 2))
	// Fill b's socket until something is queued for it.
	data := bytes.Repeat([]byte("q"), 60_000)
	sent := 0
	for snapshot(t, s).Totals().QueuedPackets == 0 {
		a.send(b.key, data)
		sent++
	}
	eventually(t, "all is received", func() bool { return snapshot(t, s).Totals().ReceivedPackets == uint64(sent) })
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for range sent {
		b.expect(a.key, data)
	}
	p := b.next(derp.FrameRestarting)
	if in := binary.BigEndian.Uint32(p); in != reconnectIn || binary.BigEndian.Uint32(p[4:]) != tryFor {
		t.Errorf("restarting: % x", p)
	}
	a.next(derp.FrameRestarting)
	a.closed()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(context.Background()); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped relay's counters: %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("a stopped relay accepts connections")
	}
}

func TestDrainEndsLogins(t *testing.T) {
	_, stop := func() (*Server, func() error) {
		s, stop := startStoppable(t, Config{LoginTimeout: time.Hour})
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		eventually(t, "login under way", func() bool { return snapshot(t, s).Logins.Accepted == 1 })
		return s, stop
	}()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
