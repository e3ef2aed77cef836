package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// bench is a relay whose workers are driven by hand, one round at a time, so
// that what a packet costs can be counted.
type bench struct {
	t        testing.TB
	s        *Server
	k        transport.Kind
	src, dst transport.Socket // the far ends
	io       *transport.Scratch
	dstKey   derp.Key
	buf      []byte
	buffers  int  // of the sockets of further peers; 0 is the system's
	inMemory bool // further peers are joined by pairs of sockets instead of TCP
	marker   *net.UDPConn
}

// newBench has a source on worker 0 and a destination on the last worker.
func newBench(t testing.TB, k transport.Kind, workers int, onFull OnFull) *bench {
	t.Helper()
	s, err := New(Config{Listen: "127.0.0.1:0", Transport: k, Workers: workers, OnFull: onFull})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, s: s, k: k, io: transport.NewScratch(k), buf: make([]byte, 1<<20)}
	t.Cleanup(func() {
		for _, w := range s.workers {
			w.stop()
		}
		s.closeWorkers()
		s.ln.Close()
	})
	b.dstKey = derp.Key{0: byte(workers - 1), 1: 0, 31: 2} // little endian modulo n: the last worker
	b.src = b.adopt(s.workers[0], derp.Key{31: 1})
	b.dst = b.adopt(s.workers[workers-1], b.dstKey)
	return b
}

func (b *bench) adopt(w *worker, key derp.Key) transport.Socket {
	b.t.Helper()
	if b.s.workerOf(&key) != w {
		b.t.Fatalf("key %v is not of worker %d", key, w.id)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer ln.Close()
	var far transport.Socket
	dialed := make(chan error, 1)
	go func() {
		c, err := transport.Dial(context.Background(), b.k, ln.Addr().String(), transport.Options{RecordUnit: derp.PacketOverhead + 1400, SendBuffer: b.buffers, RecvBuffer: b.buffers})
		if err == nil {
			far, _, err = c.Detach(nil)
		}
		dialed <- err
	}()
	nc, err := ln.Accept()
	if err != nil {
		b.t.Fatal(err)
	}
	a, err := transport.Accepted(b.k, nc.(*net.TCPConn), transport.Options{TLS: b.s.tls, SendBuffer: b.buffers, RecvBuffer: b.buffers})
	if err != nil {
		b.t.Fatal(err)
	}
	near, _, err := a.Detach(nil)
	if err := errors.Join(err, <-dialed); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { far.Close() })
	if b.inMemory {
		b.joinInMemory(&near, &far)
	}
	w.adopt(login{sock: near, key: key, serverInfo: derp.AppendFrame(nil, derp.FrameServerInfo, nil)})
	b.drain(&far, derp.HeaderLen)
	return far
}

// joinInMemory puts a pair of sockets in the place of two ends of TCP. What is sent
// has arrived, and there is room as soon as it is read: no window, acknowledgement or
// timer of TCP has a part in who gets how much.
func (b *bench) joinInMemory(near, far *transport.Socket) {
	b.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, end := range []*transport.Socket{near, far} {
		err := errors.Join(
			unix.SetsockoptInt(pair[i], unix.SOL_SOCKET, unix.SO_SNDBUF, b.buffers),
			unix.Dup3(pair[i], end.FD(), unix.O_CLOEXEC),
			unix.Close(pair[i]))
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// drain reads n bytes that are there or about to be.
func (b *bench) drain(s *transport.Socket, n int) {
	for n > 0 {
		room := b.buf
		if b.k == transport.TCP { // with records there is nothing else to come
			room = b.buf[:min(n, len(b.buf))]
		}
		m, err := s.Recv(b.io, room)
		if err != nil {
			b.t.Fatal(err)
		}
		n -= m
	}
}

// arrive waits until all that was sent has arrived. On a busy machine the kernel takes
// its time over loopback, but it keeps the order: a datagram that was sent last, to
// oneself, is the last to arrive.
func (b *bench) arrive() {
	if b.marker == nil {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.t.Fatal(err)
		}
		b.marker = c
		b.t.Cleanup(func() { c.Close() })
	}
	var back [1]byte
	if _, err := b.marker.WriteTo(back[:], b.marker.LocalAddr()); err != nil {
		b.t.Fatal(err)
	}
	if _, _, err := b.marker.ReadFrom(back[:]); err != nil {
		b.t.Fatal(err)
	}
}

// turn runs one round of every worker.
func (b *bench) turn() {
	for _, w := range b.s.workers {
		events, err := w.poll.Poll()
		if err != nil {
			b.t.Fatal(err)
		}
		w.now = w.clock.Now()
		w.round(events)
	}
}

func (b *bench) packets(n, data int) []byte {
	return bytes.Repeat(derp.AppendFrame(nil, derp.FrameSendPacket, append(b.dstKey[:], make([]byte, data)...)), n)
}

// forward sends n frames through the relay and takes them out again.
func (b *bench) forward(frames []byte, n int) {
	last := b.s.workers[len(b.s.workers)-1]
	want := last.c.forwardedPackets + uint64(n)
	for sent := 0; sent < len(frames); {
		m, err := b.src.Send(b.io, frames[sent:])
		if err != nil {
			b.t.Fatal(err)
		}
		sent += m
		b.turn()
	}
	for last.c.forwardedPackets < want {
		b.turn()
	}
	b.drain(&b.dst, len(frames))
}

func TestForwardingDoesNotAllocate(t *testing.T) { overEach(t, testForwardingDoesNotAllocate) }

func testForwardingDoesNotAllocate(t *testing.T, k transport.Kind) {
	for _, c := range []struct {
		name    string
		workers int
	}{{"same worker", 1}, {"across workers", 2}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, k, c.workers, Pause)
			for _, n := range []int{1, 40} {
				frames := b.packets(n, 1400)
				b.forward(frames, n)
				if a := testing.AllocsPerRun(200, func() { b.forward(frames, n) }); a != 0 {
					t.Errorf("%d packets at once: %v allocations", n, a)
				}
			}
		})
	}
}

// Queueing a packet and sending it later must not allocate either, once the
// buffers are there, nor must dropping one.
func TestQueueingDoesNotAllocate(t *testing.T) {
	for _, onFull := range OnFullPolicies() {
		b := newBench(t, transport.TCP, 1, onFull)
		w := b.s.workers[0]
		p := w.peers[1]
		frame := derp.AppendFrame(nil, derp.FrameRecvPacket, make([]byte, derp.KeyLen+1400))
		// Two more than fit, so that every round drops or pauses too.
		n := w.cfg.QueueBytes/len(frame) + 2
		round := func() {
			for range n {
				w.enqueue(p, frame, 1400, w.peers[0].ref)
			}
			for !p.q.empty() {
				p.q.sent(min(p.q.bytes(), 1<<16))
			}
			p.q.release(&w.pool)
			w.unhold(p)
			w.letIn()
		}
		round()
		if a := testing.AllocsPerRun(20, round); a != 0 {
			t.Errorf("%s: %v allocations for %d packets", onFull, a, n)
		}
	}
}

func benchmarkForward(b *testing.B, k transport.Kind, workers, packets int) {
	h := newBench(b, k, workers, Pause)
	frames := h.packets(packets, 1400)
	b.SetBytes(int64(packets) * 1400)
	b.ReportAllocs()
	for b.Loop() {
		h.forward(frames, packets)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*packets), "ns/packet")
}

func BenchmarkForward(b *testing.B) {
	for _, k := range kindsHere() {
		for _, workers := range []int{1, 2} {
			for _, packets := range []int{1, 45} {
				b.Run(fmt.Sprintf("transport=%s/workers=%d/packets=%d", k, workers, packets), func(b *testing.B) { benchmarkForward(b, k, workers, packets) })
			}
		}
	}
}

// BenchmarkParse is the relay's own share: finding and rewriting packets in a
// receive buffer, without sockets.
func BenchmarkParse(b *testing.B) {
	h := newBench(b, transport.TCP, 1, Pause)
	w := h.s.workers[0]
	p := w.peers[0]
	frames := h.packets(45, 1400)
	work := make([]byte, len(frames))
	b.SetBytes(45 * 1400)
	b.ReportAllocs()
	for b.Loop() {
		copy(work, frames)
		if _, err := w.forward(p, work); err != nil {
			b.Fatal(err)
		}
		for _, d := range w.dirty { // as a flush, but for the sending
			d.runs, d.dirty = runList{noRun, noRun}, false
		}
		w.dirty, w.runs = w.dirty[:0], w.runs[:0]
	}
}
