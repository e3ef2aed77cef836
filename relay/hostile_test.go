package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/tlsrec"
	"hdbench/internal/transport"
)

// hostile is a client that has logged in over TLS and then writes what it likes
// below its record layer.
type hostile struct {
	t    *testing.T
	conn net.Conn
	out  *tlsrec.Writer
	in   *tlsrec.Reader
}

func newHostile(t *testing.T, s *Server) *hostile {
	t.Helper()
	conn := plain(t, s)
	session, err := tlsrec.Handshake(context.Background(), conn, tlsrec.Client, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, conn: conn}
	if h.out, err = session.NewWriter(); err != nil {
		t.Fatal(err)
	}
	if h.in, err = session.NewReader(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := derp.WriteUpgradeRequest(&b, "x", true); err != nil {
		t.Fatal(err)
	}
	priv := keyOn(t, 0, 1)
	info, err := derp.SealClientInfo(priv, s.Key(), derp.ClientInfo{Version: derp.Version})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(derp.AppendFrame(nil, derp.FrameClientInfo, info))
	h.write(h.record(b.Bytes()))
	return h
}

func (h *hostile) record(b []byte) []byte {
	return h.out.Seal(make([]byte, 0, len(b)+tlsrec.Overhead), b)
}

func (h *hostile) write(b []byte) {
	h.t.Helper()
	if _, err := h.conn.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

// message is a record with a handshake message.
func (h *hostile) message(b []byte) []byte { return h.out.SealTyped(nil, tlsrec.TypeHandshake, b) }

// keyUpdates are n records, each under the keys that the one before it has begun.
func (h *hostile) keyUpdates(n int) (b []byte) {
	h.t.Helper()
	for range n {
		var err error
		if b, err = h.out.KeyUpdate(b, true); err != nil {
			h.t.Fatal(err)
		}
	}
	return b
}

// gone waits until the relay ends the connection.
func (h *hostile) gone() {
	h.t.Helper()
	if _, err := io.Copy(io.Discard, h.conn); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			h.t.Error("the relay did not end the connection")
		}
	}
}

// Whatever one client does to its records, it ends alone, within its deadline and
// with its counter, while ten other pairs lose nothing.
func TestHostileRecords(t *testing.T) { overEach(t, testHostileRecords) }

func testHostileRecords(t *testing.T, k transport.Kind) {
	if !k.Encrypted() {
		t.Run("TLS on a plain port", func(t *testing.T) { testTLSOnPlainPort(t, k) })
		return
	}
	ping := derp.AppendFrame(nil, derp.FramePing, make([]byte, derp.PingLen))
	decrypt := func(w WorkerSnapshot) uint64 { return w.DecryptErrors }
	for _, c := range []struct {
		name    string
		attack  func(h *hostile)
		counter func(WorkerSnapshot) uint64
	}{
		{"garbage", func(h *hostile) { h.write(bytes.Repeat([]byte("garbage"), 100)) }, decrypt},
		{"wrong tag", func(h *hostile) { b := h.record(ping); b[len(b)-1] ^= 1; h.write(b) }, decrypt},
		{"replay", func(h *hostile) { b := h.record(ping); h.write(b); h.write(b) }, decrypt},
		{"oversized", func(h *hostile) { h.write(append([]byte{tlsrec.TypeData, 3, 3, 0x50, 0}, make([]byte, 0x5000)...)) }, decrypt},
		{"too short", func(h *hostile) { h.write([]byte{tlsrec.TypeData, 3, 3, 0, 5, 1, 2, 3, 4, 5}) }, decrypt},
		{"half a record, then silence", func(h *hostile) { b := h.record(ping); h.write(b[:len(b)-3]) }, func(w WorkerSnapshot) uint64 { return w.RecordTimeouts }},
		{"half a header, then silence", func(h *hostile) { h.write(h.record(ping)[:3]) }, func(w WorkerSnapshot) uint64 { return w.RecordTimeouts }},
		{"key updates without end", func(h *hostile) { h.write(h.keyUpdates(1000)) }, func(w WorkerSnapshot) uint64 { return w.KeyUpdates }},
		{"a second ClientHello", func(h *hostile) { h.write(h.message([]byte{1, 0, 0, 0})) }, func(w WorkerSnapshot) uint64 { return w.UnexpectedRecords }},
		{"fatal alert", func(h *hostile) { h.write(h.out.SealAlert(make([]byte, 0, 100), tlsrec.AlertBadRecordMAC)) }, func(w WorkerSnapshot) uint64 { return w.TLSAlerts }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Config{Transport: k, RecordTimeout: 200 * time.Millisecond, KeepAlive: 100 * time.Millisecond})
			others := startPairs(t, s, 10)
			h := newHostile(t, s)
			eventually(t, "the hostile client is registered", func() bool { return snapshot(t, s).PerWorker[0].Peers == 21 })
			c.attack(h)
			h.gone()
			eventually(t, "its end is counted", func() bool { return c.counter(snapshot(t, s).PerWorker[0]) == 1 })
			others.check()
			w := snapshot(t, s).PerWorker[0]
			if n := w.DecryptErrors + w.RecordTimeouts + w.KeyUpdates + w.UnexpectedRecords + w.TLSAlerts; n != 1 || w.Peers != 20 {
				t.Errorf("%d counted, %d peers left", n, w.Peers)
			}
		})
	}
	t.Run("a record cut off by the end of the connection", func(t *testing.T) {
		s := start(t, Config{Transport: k})
		others := startPairs(t, s, 10)
		h := newHostile(t, s)
		eventually(t, "the hostile client is registered", func() bool { return snapshot(t, s).PerWorker[0].Peers == 21 })
		b := h.record(ping)
		h.write(b[:len(b)-3])
		if err := h.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has left", func() bool { return snapshot(t, s).PerWorker[0].Peers == 20 })
		others.check()
		// The kernel reports the end of the stream and not what was missing.
		if n := snapshot(t, s).PerWorker[0].DecryptErrors; n != 1 && k == transport.TLS {
			t.Errorf("%d decrypt errors", n)
		}
	})
	t.Run("plain text on a TLS port", func(t *testing.T) {
		s := start(t, Config{Transport: k})
		others := startPairs(t, s, 10)
		conn := plain(t, s)
		if err := derp.WriteUpgradeRequest(conn, "x", false); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.Contains(answer, []byte("speaks TLS")) {
			t.Errorf("answered with %q, %v", answer, err)
		}
		eventually(t, "it is counted", func() bool { return snapshot(t, s).Logins.NoTLS == 1 })
		others.check()
	})
}

// A peer may change its keys, and have the relay's changed, and nothing is lost.
func TestAPeerChangesItsKeys(t *testing.T) {
	s := start(t, Config{Transport: transport.TLS})
	others := startPairs(t, s, 3)
	h := newHostile(t, s)
	other := dial(t, s)
	eventually(t, "all are registered", func() bool { return snapshot(t, s).PerWorker[0].Peers == 8 })
	h.write(append(h.keyUpdates(2), h.record(derp.AppendFrame(nil, derp.FrameSendPacket, append(other.key[:], "under new keys"...)))...))
	from := derp.Key(other.next(derp.FrameRecvPacket)[:derp.KeyLen])
	other.send(from, []byte("and back"))
	var in, got []byte
	buf, dst := make([]byte, 4<<10), make([]byte, 64<<10)
	for !bytes.Contains(got, []byte("and back")) {
		n, err := h.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, buf[:n]...)
		n, used, err := h.in.Open(dst, in)
		if err != nil {
			t.Fatal(err)
		}
		got, in = append(got, dst[:n]...), in[used:]
	}
	if h.in.KeyUpdates != 1 {
		t.Errorf("%d answers, want one to both", h.in.KeyUpdates)
	}
	others.check()
	w := snapshot(t, s).PerWorker[0]
	if w.Records.KeyUpdates != 2 || w.KeyUpdates != 0 || w.Peers != 8 {
		t.Errorf("%d followed, %d ended, %d peers", w.Records.KeyUpdates, w.KeyUpdates, w.Peers)
	}
}

func testTLSOnPlainPort(t *testing.T, k transport.Kind) {
	s := start(t, Config{Transport: k})
	others := startPairs(t, s, 10)
	conn := plain(t, s)
	if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("a plain relay did a TLS handshake")
	}
	eventually(t, "it is counted", func() bool { return snapshot(t, s).Logins.Failed == 1 })
	others.check()
}

// pairs are clients that send to each other all the time.
type pairs struct {
	t    *testing.T
	stop chan struct{}
	wg   sync.WaitGroup
	sent []uint32 // by pair; to be read after wg
	recv []uint32
}

func startPairs(t *testing.T, s *Server, n int) *pairs {
	t.Helper()
	p := &pairs{t: t, stop: make(chan struct{}), sent: make([]uint32, n), recv: make([]uint32, n)}
	for i := range n {
		from, to := dial(t, s), dial(t, s)
		p.wg.Go(func() {
			for {
				select {
				case <-p.stop:
					// A packet that is no number ends the receiver.
					if _, err := from.conn.Write(derp.AppendFrame(nil, derp.FrameSendPacket, to.key[:])); err != nil {
						t.Error(err)
					}
					return
				default:
				}
				data := binary.BigEndian.AppendUint32(nil, p.sent[i])
				if _, err := from.conn.Write(derp.AppendFrame(nil, derp.FrameSendPacket, append(to.key[:], data...))); err != nil {
					t.Error(err)
					return
				}
				p.sent[i]++
				time.Sleep(10 * time.Millisecond) // the lab is slow
			}
		})
		p.wg.Go(func() {
			for {
				ft, b, err := derp.ReadFrame(to.br, nil, 1<<20)
				if err != nil {
					t.Error(err)
					return
				}
				switch {
				case ft != derp.FrameRecvPacket:
				case len(b) == derp.KeyLen:
					return
				case binary.BigEndian.Uint32(b[derp.KeyLen:]) == p.recv[i]:
					p.recv[i]++
				}
			}
		})
	}
	return p
}

// check stops the pairs and fails the test if one has lost anything.
func (p *pairs) check() {
	p.t.Helper()
	close(p.stop)
	p.wg.Wait()
	for i := range p.sent {
		if p.sent[i] == 0 || p.recv[i] != p.sent[i] {
			p.t.Errorf("pair %d: %d of %d arrived in order", i, p.recv[i], p.sent[i])
		}
	}
}
