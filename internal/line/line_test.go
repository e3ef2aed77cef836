package line

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
)

func server(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(t.Context(), "127.0.0.1", "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A buffer that is emptied at once is no line of 400 Gbit/s.
func TestReceiverThatWasKeptFromReceivingHasNoRate(t *testing.T) {
	for _, tt := range []struct {
		ns   int64
		want error
	}{{0, errNothing}, {1e6, ErrBrief}, {3.9e8, ErrBrief}, {4.1e8, nil}, {8e8, nil}, {2e9, nil}} {
		err := (received{Bytes: 6 << 20, NS: tt.ns}).judge(time.Second)
		if !errors.Is(err, tt.want) {
			t.Errorf("%d ns: %v, want %v", tt.ns, err, tt.want)
		}
		// Only these are looked at again, and are n/a in the end; others end a sweep.
		if err != nil && !errors.Is(err, ErrBrief) {
			t.Errorf("%d ns: %v ends the sweep", tt.ns, err)
		}
	}
}

// patiently looks until the machine was not too busy to look, as a look says itself.
func patiently(look func() (measure.LineRun, error)) (r measure.LineRun, err error) {
	for range 20 {
		if r, err = look(); !errors.Is(err, ErrBrief) {
			break
		}
	}
	return r, err
}

func TestBothDirectionsAndSeveralStreams(t *testing.T) {
	s := server(t)
	for _, toServer := range []bool{true, false} {
		for _, n := range []int{1, 4} {
			start := make(chan time.Time)
			close(start)
			r, err := patiently(func() (measure.LineRun, error) {
				return Run(t.Context(), Look{s.Addr(), "secret", toServer, n, 500 * time.Millisecond, start})
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Bps <= 0 || r.Seconds <= 0 || r.Streams != n || r.ToRelay != toServer || r.MSS <= 0 || r.PathMTU <= 0 || r.MTU <= 0 || r.Congestion == "" {
				t.Errorf("%+v", r)
			}
		}
	}
}

// What the receiver took is what counts, without the beginning.
func TestRateIsTheReceivers(t *testing.T) {
	a, b := tcpPair(t)
	const blocks = 40
	go func() {
		block := make([]byte, blockLen)
		for i := range blocks {
			if i == blocks-1 {
				block[0] = blockLast
				copy(block[1:], "{\"retransmits\":7}\n")
			}
			if _, err := a.Write(block); err != nil {
				return
			}
		}
	}()
	how, got, err := newStream(b).receive(5 * time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	// Two reads at most are the beginning: the first, and the one it ends with.
	if got.Bytes < (blocks-2)*blockLen || got.Bytes >= blocks*blockLen || got.NS <= 0 || how.Retransmits != 7 {
		t.Errorf("%+v, %+v", how, got)
	}
	var told received
	if err := newStream(a).hear(&told); err != nil || told != got {
		t.Errorf("the sender is told %+v, %v", told, err)
	}
}

func TestServerServesOnlyWhoHasTheToken(t *testing.T) {
	s := server(t)
	for name, first := range map[string]any{
		"another token": hello{"guess", true, time.Second},
		"none":          hello{"", false, time.Second},
		"too long":      hello{"secret", true, MaxDuration + 1},
		"no time":       hello{"secret", true, 0},
		"nonsense":      "GET / HTTP/1.1",
		"a long line":   strings.Repeat("x", 2*maxMessage),
	} {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(first)
		c.Write(append(b, '\n'))
		c.SetDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(c); len(got) > 0 {
			t.Errorf("%s: answered %q, %v", name, got, err)
		}
		c.Close()
	}
}

func TestBadLooks(t *testing.T) {
	s := server(t)
	good := Look{s.Addr(), "secret", true, 1, time.Second, nil}
	for name, change := range map[string]func(*Look){
		"no streams":  func(l *Look) { l.Streams = 0 },
		"too many":    func(l *Look) { l.Streams = MaxStreams + 1 },
		"too long":    func(l *Look) { l.Duration = MaxDuration + 1 },
		"no token":    func(l *Look) { l.Token = "" },
		"nobody home": func(l *Look) { l.Addr = "127.0.0.1:1" },
	} {
		l := good
		change(&l)
		if r, err := Run(t.Context(), l); err == nil || r.Bps != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good.Start = make(chan time.Time)
	if _, err := Run(ctx, good); err == nil {
		t.Error("cancelled, and there is a result")
	}
	if _, err := Listen(t.Context(), "127.0.0.1", ""); err == nil {
		t.Error("a server without a token")
	}
}

func TestCloseEndsStreams(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1", "secret")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Run(t.Context(), Look{s.Addr(), "secret", false, 2, MaxDuration, nil})
		done <- err
	}()
	for {
		s.mu.Lock()
		n := len(s.conns)
		s.mu.Unlock()
		if n == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.Close()
	if err := <-done; err == nil {
		t.Error("a look at a closed server succeeds")
	}
}

func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}
