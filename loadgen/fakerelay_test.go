package loadgen

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"hdbench/internal/cert"
	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// fakeRelay is a DERP server that does to packets what a test wants, written
// with nothing but blocking calls.
type fakeRelay struct {
	t    *testing.T
	ln   net.Listener
	priv derp.PrivateKey
	// pass gets each data packet of the load in the order of its flow and says
	// what the destination gets: the frames returned.
	pass func(h header, frame []byte) [][]byte
	// drop says which of the load's packets, of whatever kind, go no further.
	drop func(h header) bool

	deaf bool // guarded by mu; forwards nothing at all

	mu    sync.Mutex
	conns map[derp.Key]net.Conn // guarded by mu
	recv  uint64                // guarded by mu
	sent  uint64                // guarded by mu
	// Of data packets: how many, and what each was meant to leave at, flow by flow.
	dataIn   uint64             // guarded by mu
	dataOut  uint64             // guarded by mu
	intended map[uint32][]int64 // guarded by mu
	closed   bool               // guarded by mu
}

func newFakeRelay(t *testing.T, pass func(header, []byte) [][]byte) *fakeRelay {
	t.Helper()
	return newFakeRelayOver(t, transport.TCP, pass)
}

// newFakeRelayOver is a fake relay whose TLS, if any, is crypto/tls's.
func newFakeRelayOver(t *testing.T, k transport.Kind, pass func(header, []byte) [][]byte) *fakeRelay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if k.Encrypted() {
		own, err := cert.SelfSigned("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{own.Certificate}})
	}
	return newFakeRelayOn(t, ln, pass)
}

// newFakeRelayOn is a fake relay that serves a listener's connections.
func newFakeRelayOn(t *testing.T, ln net.Listener, pass func(header, []byte) [][]byte) *fakeRelay {
	t.Helper()
	priv, err := derp.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &fakeRelay{t: t, ln: ln, priv: priv, pass: pass, conns: map[derp.Key]net.Conn{}, intended: map[uint32][]int64{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.disconnectAll()
		wg.Wait()
	})
	return r
}

func (r *fakeRelay) addr() string { return r.ln.Addr().String() }

func (r *fakeRelay) disconnectAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.conns {
		c.Close()
	}
}

func (r *fakeRelay) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReaderSize(c, 128<<10)
	if _, err := http.ReadRequest(br); err != nil {
		return
	}
	if err := derp.WriteUpgradeResponse(c, r.priv.Public()); err != nil {
		return
	}
	key, _, si, err := derp.ServerLogin(br, c, r.priv)
	if err != nil {
		return
	}
	r.mu.Lock()
	if !r.closed {
		r.conns[key] = c
	}
	r.mu.Unlock()
	if _, err := c.Write(si); err != nil {
		return
	}
	buf := make([]byte, derp.MaxPacketFrame)
	for {
		if _, err := io.ReadFull(br, buf[:derp.HeaderLen]); err != nil {
			return
		}
		_, n, _ := derp.ParseHeader(buf)
		if _, err := io.ReadFull(br, buf[derp.HeaderLen:derp.HeaderLen+n]); err != nil {
			return
		}
		r.forward(key, buf[:derp.HeaderLen+n])
	}
}

func (r *fakeRelay) forward(src derp.Key, frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recv++
	head, v := openPayload(frame[derp.PacketOverhead:], 42)
	data := v == payloadOK && head.kind == kindData
	if data {
		r.dataIn++
		r.intended[head.flow] = append(r.intended[head.flow], head.intended)
	}
	dst := r.conns[derp.Key(frame[derp.HeaderLen:derp.PacketOverhead])]
	if dst == nil || r.deaf {
		return
	}
	if r.drop != nil && v == payloadOK && r.drop(head) {
		return
	}
	derp.RewriteSend(frame, &src)
	out := [][]byte{frame}
	if r.pass != nil && data {
		out = r.pass(head, frame)
	}
	for _, f := range out {
		if _, err := dst.Write(f); err != nil {
			return
		}
		r.sent++
		if data {
			r.dataOut++
		}
	}
}
