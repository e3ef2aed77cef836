package relay

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/derp"
	"hdbench/internal/epoll"
	"hdbench/internal/mono"
	"hdbench/internal/tlsrec"
	"hdbench/internal/transport"
)

const (
	// arenaBytes is a worker's receive buffer. A round reads several sockets
	// into it, one behind the other, and sends from there. Small enough to stay
	// in the L2 cache, large enough for a few of a sender's 64 KiB bursts.
	arenaBytes = 256 << 10
	// recvRoom is the least room a read is given: what may have been carried
	// over, and a whole burst.
	recvRoom = derp.MaxPacketFrame + 64<<10

	// A source whose first destination is not known yet is read little: it may be
	// one that is full. A TLS socket needs room for a whole record.
	firstRead    = 2 << 10
	firstReadTLS = 2<<10 + tlsrec.MaxRecord

	eventBatch = 256
)

// worker is one event loop. Everything in it but mail and asleep belongs to its
// thread.
type worker struct {
	id  int
	srv *Server
	cfg *Config
	log *slog.Logger

	mail   mailbox
	asleep atomic.Bool // waiting in epoll, or about to
	poll   *epoll.Poller
	io     *transport.Scratch
	clock  mono.Clock
	now    int64 // CLOCK_MONOTONIC ns at the start of this round

	table table
	peers []*peer // by slot; nil is free
	gens  []int32 // by slot: generation of its next or present peer
	free  []int32
	heard hearing

	arena     []byte
	used      int
	firstRead int
	runs      []run
	dirty     []*peer // have runs
	iov       []transport.IOV
	pool      bufPool

	in      []inlet // from worker i
	taken   int     // bytes of the rings to be sent by the next flush
	pass    passState
	out     []*ring // to worker i; nil for itself
	spills  []spill // beside out
	spilled int     // spills that hold something
	behind  int     // and those whose ring says that somebody waits
	toWake  []bool  // workers given something this round

	far          map[derp.Key]*gate // of other workers' peers that are full
	opening      []*gate            // have let in some of those who wait, not yet all
	stillOpening []*gate            // its other half
	spareWaiting *waiting

	first      int // of a round's events, modulo their number
	messages   []message
	goneKeys   []derp.Key // have left in this round; their hearers here are still to be told
	farewells  []farewell // and the other workers
	held       []*peer    // not read for a while: see inVain
	heldSince  int64
	lastWake   int64
	pressed    bool // packets come faster than Moderation allows wake-ups
	backlog    bool // something was left to be read in this round
	draining   bool
	drainSince int64

	c counters
}

func newWorker(id int, s *Server) (*worker, error) {
	poll, err := epoll.New(eventBatch)
	if err != nil {
		return nil, err
	}
	w := &worker{
		id: id, srv: s, cfg: &s.cfg, log: s.cfg.Log.With("worker", id),
		poll: poll, io: transport.NewScratch(s.cfg.Transport), clock: mono.New(),
		table: newTable(), heard: newHearing(),
		arena: make([]byte, arenaBytes),
		runs:  make([]run, 0, 1024), iov: make([]transport.IOV, 0, transport.MaxIOV),
		toWake: make([]bool, s.cfg.Workers),
		pass:   passState{number: 1},
		far:    make(map[derp.Key]*gate),
	}
	w.mail.wake = poll.Wake
	w.firstRead = firstRead
	if s.cfg.Transport.Encrypted() {
		w.firstRead = firstReadTLS
	}
	return w, nil
}

// run is the worker's life: until a drain is done.
func (w *worker) run() error {
	runtime.LockOSThread() // never unlocked: the pinned thread ends with the worker
	defer w.stop()
	if cpus := w.cfg.CPUs.List(); len(cpus) > 0 {
		if err := cpu.Pin(cpu.Of(cpus[w.id%len(cpus)])); err != nil {
			return err
		}
	}
	// Sleeps for moderation are tens of microseconds; the default slack is 50.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	for {
		events, err := w.wait()
		if err != nil {
			return err
		}
		w.now = w.clock.Now()
		if w.round(events) {
			return nil
		}
		w.slow()
	}
}

// round is one turn of the loop; done says that a drain has finished.
func (w *worker) round(events []epoll.Event) (done bool) {
	w.lookAgain()
	w.pass.skipped, w.pass.moved = false, false
	for i := range events {
		w.drainable(&events[i])
	}
	// Who is first finds the room that was made since. So nobody is always first.
	w.first++
	w.takeFirst(len(events))
	for i := range events {
		w.event(&events[(i+w.first)%len(events)])
		w.takeBetween()
		if w.mail.waiting.Load() {
			w.flush() // counters are copied when all is accounted for
			w.readMail()
		}
	}
	w.takeOver()
	w.flush()
	if w.mail.waiting.Load() {
		w.readMail()
		w.flush()
	}
	w.moveSpills()
	w.catchUp()
	w.letIn()
	for len(w.goneKeys) > 0 {
		w.tellGone()
		w.flush() // which may find more peers gone
	}
	if len(w.farewells) > 0 {
		w.sayFarewells()
	}
	w.endPass(len(events) == eventBatch)
	w.wakeOthers()
	return w.draining && w.drained()
}

// drainable sends what waits for one socket that takes more.
func (w *worker) drainable(ev *epoll.Event) {
	if ev.Events&unix.EPOLLOUT == 0 {
		return
	}
	if p := w.peers[ev.Fd]; p != nil && p.ref.gen == ev.Pad {
		w.writable(p)
	}
}

// event reads one socket that is ready for it.
func (w *worker) event(ev *epoll.Event) {
	p := w.peers[ev.Fd]
	if p == nil || p.ref.gen != ev.Pad {
		return // closed earlier in this round
	}
	switch {
	case p.closed:
	case ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 && p.pauses == 0 && !w.draining:
		if p.readIn == w.pass.number {
			w.pass.skipped = true
			return
		}
		w.readable(p)
	case ev.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
		// A read says what the error is. Kernel TLS reports a bad record so, and
		// from Linux 6.5 not as something to be read.
		if p.pauses == 0 && !w.draining {
			w.readable(p)
		}
		w.close(p, "connection lost", false)
	}
}

// readable takes one read's worth from a peer and routes it, unless the peer has
// to wait its turn.
func (w *worker) readable(p *peer) {
	if g := w.gateAhead(p); g != nil {
		w.join(g, p)
		return
	}
	p.tickets = 0
	if len(w.arena)-w.used < recvRoom {
		w.flush()
	}
	if len(w.dirty) == 0 { // nothing gathered lies in the arena any more
		w.used = 0
	}
	buf := w.arena[w.used:]
	carried := p.carry.Load(buf)
	room := buf[carried:]
	if p.route.entry == unresolved {
		room = room[:min(len(room), w.firstRead)]
	}
	n, err := p.sock.Recv(w.io, room)
	switch {
	case n > 0:
		p.vain = 0
		p.readIn = w.pass.number
		w.pass.noteRead(n)
		w.c.recvs++
		if p.dup {
			w.table.spoke(p)
		}
		p.spoke = true
		w.backlog = w.backlog || w.io.Filled
		w.used += carried + n
		w.ingest(p, buf[:carried+n])
	case err == nil:
		w.inVain(p)
	}
	if err != nil {
		w.lost(p, err)
	}
}

// lost ends a peer whose connection can no longer be read.
func (w *worker) lost(p *peer, err error) {
	if p.closed {
		return
	}
	if errors.Is(err, io.EOF) {
		w.close(p, "closed by the peer", false)
		return
	}
	w.broken(p, err, false)
}

// broken ends a peer whose connection has failed; sending says at what.
func (w *worker) broken(p *peer, err error, sending bool) {
	w.c.countRecordError(err)
	w.close(p, err.Error(), sending)
}

// ingest routes the whole frames in b, which stays in place until the next flush,
// and keeps the rest.
func (w *worker) ingest(p *peer, b []byte) {
	rest, err := w.forward(p, b)
	if err != nil {
		w.c.protocolErrors++
		w.close(p, err.Error(), false)
		return
	}
	p.carry.Save(rest)
}

// adopt makes a peer of a finished login.
func (w *worker) adopt(l login) {
	slot := int32(len(w.peers))
	if n := len(w.free); n > 0 {
		slot, w.free = w.free[n-1], w.free[:n-1]
	} else {
		w.peers, w.gens = append(w.peers, nil), append(w.gens, 0)
	}
	p := &peer{
		sock: l.sock, key: l.key,
		ref:           sourceRef{worker: int32(w.id), slot: slot, gen: w.gens[slot]},
		route:         route{entry: unresolved},
		runs:          runList{noRun, noRun},
		watched:       epoll.Readable,
		nextKeepAlive: w.now + int64(w.cfg.KeepAlive) + rand.Int64N(int64(w.cfg.KeepAlive)/12+1),
	}
	if err := w.poll.Add(p.sock.FD(), p.watched, slot, p.ref.gen); err != nil {
		w.log.Warn("peer lost at adoption", "error", err)
		p.sock.Close()
		w.free = append(w.free, slot)
		w.srv.peers.Add(-1)
		return
	}
	p.gate.queue = p
	w.peers[slot] = p
	w.table.add(p)
	w.c.adopted++
	w.sendControl(p, l.serverInfo)
	w.flush()
	if len(l.unread) > 0 && !p.closed {
		p.spoke = true
		w.ingest(p, l.unread)
		w.flush() // l.unread is not the arena: send before it goes out of use
	}
}

// close ends a peer. What is queued for it is dropped; failed says that a write
// failed, which is what the packet in transmission is then counted as.
func (w *worker) close(p *peer, why string, failed bool) {
	if p.closed {
		return
	}
	p.closed = true
	w.log.Debug("peer left", "key", p.key, "why", why)
	w.poll.Remove(p.sock.FD())
	p.sock.Close()
	w.dropQueue(p, failed)
	for p.waits != nil {
		w.leave(p.waits)
	}
	gone := w.table.remove(p)
	w.peers[p.ref.slot] = nil
	w.gens[p.ref.slot]++
	w.free = append(w.free, p.ref.slot)
	w.c.left++
	w.srv.peers.Add(-1)

	w.heard.leave(p)
	if gone {
		w.announceGone(p.key)
	}
}

// watch sets what a peer's socket is watched for.
func (w *worker) watch(p *peer) {
	var want uint32
	if p.pauses == 0 && !w.draining && !p.held {
		want |= epoll.Readable
	}
	if p.backedUp() {
		want |= epoll.Writable
	}
	if want == p.watched || p.closed {
		return
	}
	p.watched = want
	if err := w.poll.Modify(p.sock.FD(), want, p.ref.slot, p.ref.gen); err != nil {
		w.close(p, err.Error(), false)
	}
}

// chores are what is done about once a second.
func (w *worker) chores() {
	for _, p := range w.peers {
		if p == nil || w.draining {
			continue
		}
		if w.now >= p.nextKeepAlive {
			p.nextKeepAlive = w.now + int64(w.cfg.KeepAlive)
			w.c.keepAlives++
			w.sendControl(p, keepAliveFrame[:])
		}
		w.checkHold(p)
		w.checkRecord(p)
	}
}

// checkRecord ends a peer that has begun a TLS record and does not end it. Such a
// record is no data yet, so nothing else would ever notice.
func (w *worker) checkRecord(p *peer) {
	if p.spoke || p.pauses > 0 || !p.sock.Unfinished() {
		p.spoke, p.silentSince = false, 0
		return
	}
	switch {
	case p.silentSince == 0:
		p.silentSince = w.now
	case w.now-p.silentSince >= int64(w.cfg.RecordTimeout):
		w.c.recordTimeouts++
		w.close(p, "a TLS record was begun and not ended", false)
	}
}

var keepAliveFrame = [derp.HeaderLen]byte{byte(derp.FrameKeepAlive)}

// readMail does what other threads have asked for.
func (w *worker) readMail() {
	w.messages = w.mail.take(w.messages)
	for i := range w.messages {
		m := &w.messages[i]
		switch m.kind {
		case msgAdopt:
			if w.draining {
				w.refuse(m)
			} else {
				w.adopt(m.login)
			}
		case msgGone:
			w.goneElsewhere(m.key, m.source.worker)
		case msgFull:
			w.fullElsewhere(&m.key)
		case msgRoom:
			w.roomElsewhere(&m.key)
		case msgNotHere:
			if p := w.source(m.source); p != nil {
				w.sendPeerGone(p, &m.key, derp.PeerNotHere)
			}
		case msgSnapshot:
			m.reply <- w.snapshot()
		case msgChores:
			w.chores()
		case msgDrain:
			w.startDrain()
		}
	}
	clear(w.messages)
}

// refuse answers what came too late.
func (w *worker) refuse(m *message) {
	switch m.kind {
	case msgAdopt:
		m.login.sock.Close()
		w.srv.peers.Add(-1)
	case msgSnapshot:
		m.reply <- w.snapshot()
	}
}

// source is the peer a reference names, nil if it has gone.
func (w *worker) source(r sourceRef) *peer {
	if p := w.peers[r.slot]; p != nil && p.ref.gen == r.gen {
		return p
	}
	return nil
}

// wakeOthers ends the sleep of the workers this round gave something to.
func (w *worker) wakeOthers() {
	for i, wake := range w.toWake {
		if !wake {
			continue
		}
		w.toWake[i] = false
		w.srv.workers[i].wakeIfAsleep(&w.c)
	}
}

// wakeIfAsleep ends the worker's wait, if it is in one. Any thread may call it.
func (w *worker) wakeIfAsleep(by *counters) {
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		by.crossWakes++
		w.poll.Wake()
	}
}

// stop releases what the worker still owns.
func (w *worker) stop() {
	for _, p := range w.peers {
		if p != nil {
			p.sock.Close()
		}
	}
	for _, m := range w.mail.close() {
		w.refuse(&m)
	}
}
