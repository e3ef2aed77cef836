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

// Counters that were asked for while the relay stops are given: nobody waits for
// a worker that has gone.
func TestCountersAskedForAtTheLastMoment(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := s.Snapshot(ctx)
		asked <- err
	}()
	for _, w := range s.workers { // none has ever run, so none has looked at its mail
		eventually(t, "the worker is asked", w.mail.waiting.Load)
	}
	for _, w := range s.workers {
		w.stop()
	}
	s.closeWorkers()
	if err := <-asked; err != nil {
		t.Errorf("counters: %v", err)
	}
	if _, err := s.Snapshot(ctx); !errors.Is(err, ErrStopped) {
		t.Errorf("counters of a relay that has stopped: %v", err)
	}
}

// A worker is woken while its mailbox is still open, never after: by then its
// eventfd is closed, and the number may be somebody else's.
func TestNobodyIsWokenOnceTheMailboxIsClosed(t *testing.T) {
	wakes, closed := 0, false
	var m mailbox
	m.wake = func() {
		wakes++
		if m.mu.TryLock() {
			m.mu.Unlock()
			t.Error("a worker is woken while its mailbox may be closed")
		}
		if closed {
			t.Error("a worker is woken after its mailbox was closed")
		}
	}
	if !m.put(message{kind: msgChores}) || wakes != 1 {
		t.Errorf("an open mailbox: woken %d times, want 1", wakes)
	}
	if got := m.close(); len(got) != 1 {
		t.Errorf("%d messages were left, want 1", len(got))
	}
	closed = true
	if m.put(message{kind: msgAdopt}) || wakes != 1 {
		t.Errorf("a closed mailbox took a message, or its worker was woken %d times", wakes)
	}
}
