package loadgen

import (
	"fmt"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/epoll"
	"hdbench/internal/mono"
	"hdbench/internal/transport"
)

const (
	eventBatch  = 256
	recvBuffer  = 256 << 10
	probeEvery  = 100 * time.Millisecond // until every receiver is reached
	finEvery    = 20 * time.Millisecond  // until every flow is drained
	idleTimeout = time.Second
)

// thread is one event loop of the load: it sends its peers' flows by the
// schedule and checks what its peers receive. Everything in it belongs to its
// pinned OS thread until that has ended.
type thread struct {
	s     *Session
	index int
	cpu   cpu.Set
	poll  *epoll.Poller
	io    *transport.Scratch
	clock mono.Clock
	peers []*peer
	now   int64 // when the present read or tick began

	sending, receiving bool

	tmpl *template
	buf  []byte

	nextProbe, nextFin int64
	tl                 *timeline // nil until the run
	nextTick           int64
	stopped            bool // the window is over: send no more data

	senders    []*peer // those with flows
	nextSender int     // whose turn it is
	behind     bool    // packets may be due that their sockets would take: another turn comes after a look at the sockets

	marks  *marks
	rec    recorder
	strain strain

	// What the looks at the sockets tell. What a poll does not list is not ready, if
	// it had room to list all.
	looked int64 // when the last such poll began
	notYet int64 // when what the present events tell was last not so
	quiet  int64 // when the last poll that found nothing began
	extra  int   // polls that found something although the thread might have ended
}

// recorder is what one thread counts.
type recorder struct {
	sentBytes, deliveredBytes uint64 // payload, of data packets
	framesSent, framesRecv    uint64 // SendPacket and RecvPacket, of every kind
	corrupt, foreign          uint64
	echoesLost, skewed        uint64

	latency  *hdrhistogram.Histogram // from intended time to arrival, ns
	rtt      *hdrhistogram.Histogram // from intended time to return, ns
	lateness *hdrhistogram.Histogram // from intended time to write, ns; with back-pressure
	pacing   *hdrhistogram.Histogram // from tick to its handling, ns, a value a tick; the thread's own
}

// Histograms hold 1 µs to 100 s with three digits; longer is counted as 100 s.
const (
	histMin    = int64(time.Microsecond)
	histMax    = int64(100 * time.Second)
	histDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(histMin, histMax, histDigits)
}

func record(h *hdrhistogram.Histogram, v, n int64) {
	// Clamped, the value is in range and recording cannot fail.
	_ = h.RecordValues(min(max(v, 0), histMax), n)
}

func newThread(s *Session, cpus cpu.Set, index int) (*thread, error) {
	poll, err := epoll.New(eventBatch)
	if err != nil {
		return nil, err
	}
	return &thread{
		s: s, index: index, cpu: cpus, poll: poll, io: transport.NewScratch(s.cfg.Transport), clock: s.clock,
		buf: make([]byte, recvBuffer),
		rec: recorder{
			latency: newHistogram(), rtt: newHistogram(),
			lateness: newHistogram(), pacing: newHistogram(),
		},
		strain: strain{sendLag: newHistogram(), receiveLag: newHistogram()},
	}, nil
}

// watch adds p to what the thread waits for.
func (t *thread) watch(p *peer, slot int) error {
	p.slot = int32(slot)
	return t.poll.Add(p.sock.FD(), epoll.Readable, p.slot, 0)
}

func (t *thread) run() error {
	runtime.LockOSThread() // never unlocked: the pinned thread ends with the run
	if err := cpu.Pin(t.cpu); err != nil {
		return err
	}
	// Ticks are tens of microseconds apart; the default timer slack is 50.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	c := &t.s.cfg
	t.tmpl = newTemplate(c.Run, c.Payload, max(c.Burst.frames(c.frameSize()), 1))
	for _, p := range t.peers {
		if len(p.unread) > 0 {
			n := copy(t.buf, p.unread)
			t.now = t.clock.Now()
			if err := t.received(p, t.buf[:n]); err != nil {
				return err
			}
		}
	}
	for {
		done, err := t.round()
		if done || err != nil {
			return err
		}
	}
}

// round does what is due, then waits for sockets or the next thing due.
func (t *thread) round() (done bool, err error) {
	now := t.clock.Now()
	var next int64
	switch phase(t.s.phase.Load()) {
	case phaseStop:
		return true, nil
	case phaseIdle:
		next = now + int64(idleTimeout)
	case phaseRegister:
		if next, err = t.probe(now); err != nil {
			return false, err
		}
	case phaseRun:
		if t.tl == nil {
			t.begin()
		}
		if done, next, err = t.follow(now); done || err != nil {
			return done, err
		}
	}
	events, err := t.await(next)
	if err != nil {
		return false, err
	}
	for i := range events {
		if err := t.event(&events[i]); err != nil {
			return false, err
		}
		if t.tl != nil && !t.stopped {
			if err := t.between(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// begin makes the thread ready for the run.
func (t *thread) begin() {
	t.tl = t.s.times.Load()
	t.marks = newMarks(t.tl.begin, t.tl.end)
	c := &t.s.cfg
	t.nextTick = t.tl.start
	t.behind = c.Rate.IsMax() // nothing but back-pressure holds it up
	for _, p := range t.peers {
		if len(p.sends) > 0 {
			t.senders = append(t.senders, p)
		} else {
			t.strain.receivers = append(t.strain.receivers, p)
		}
		for _, h := range p.sends {
			h.schedule = newSchedule(t.tl.start, c.Tick, c.pps(), int(h.flow.id), c.Pairs, c.scheduleBurst())
		}
	}
}

// scheduleBurst is how many frames are due together. Under BurstTick each frame
// has its own place, and the tick gathers them.
func (c *Config) scheduleBurst() int {
	if c.Burst == BurstTick {
		return 1
	}
	return c.Burst.frames(c.frameSize())
}

// follow does what the timeline asks for now, and returns when to come back.
func (t *thread) follow(now int64) (done bool, next int64, err error) {
	if now < t.tl.start {
		return false, t.tl.start, nil
	}
	if !t.stopped {
		if err := t.advance(now); err != nil {
			return false, 0, err
		}
	}
	if !t.stopped {
		next, _ = t.marks.next()
		switch {
		case t.behind:
			next = 0 // only look at the sockets, then send on
		case t.sending && !t.s.cfg.Rate.IsMax():
			next = min(next, t.nextTick)
		}
		return false, next, nil
	}
	at, part := t.s.settledAt.Load(), t.s.cfg.Part.split()
	switch {
	case part && at != 0:
		until := min(t.quietAfter(at), at+int64(maxSettle))
		return t.over(now, until), until, nil
	case now >= t.tl.drainedBy:
		if part { // goes on answering what others send, until it is settled
			return false, now + int64(idleTimeout), nil
		}
		return t.over(now, t.tl.drainedBy), now, nil
	case at != 0:
		until := min(t.quietAfter(at), t.tl.drainedBy)
		return t.over(now, until), until, nil
	}
	next, err = t.sendFins(now)
	return false, min(next, t.tl.drainedBy), err
}

// The data has arrived, but fins that were sent again may still be under way: the
// relay would count them as forwarded and nobody as received. So the thread waits
// until nothing has come for as long as the drain took, within these bounds.
const (
	minQuiet = 50 * time.Millisecond // a relay that shares its CPU is easily away for 10
	maxQuiet = 250 * time.Millisecond
	// maxSettle bounds how long a part that is settled waits for quiet.
	maxSettle = 2 * time.Second
)

// quietAfter is when the thread may end, if all was drained at the given time.
func (t *thread) quietAfter(drained int64) int64 {
	took := time.Duration(drained - t.tl.end)
	return max(drained, t.now) + int64(min(max(took, minQuiet), maxQuiet))
}

// advance handles the ticks and boundaries that have come.
func (t *thread) advance(now int64) error {
	ticked := t.pace(now)
	if t.boundary(now); t.stopped || !t.sending {
		return nil
	}
	if ticked || t.behind {
		return t.turn(now)
	}
	return nil
}

// boundary passes the interval boundaries and the window's edges that have come.
func (t *thread) boundary(now int64) {
	at, ok := t.marks.next()
	if !ok || now < at {
		return
	}
	begun, ended := t.marks.pass(now, t.rec.sentBytes, t.rec.deliveredBytes)
	if begun {
		t.eachFlow(func(h *sendHalf) { h.windowFirst = h.accepted })
		t.beginStrain()
	}
	t.strain.lookRound()
	if ended {
		t.eachFlow(func(h *sendHalf) { h.windowEnd = h.accepted })
		t.endStrain()
		t.stopped = true
		t.s.noteStopped()
	}
}

// between does what is due between two events of one batch, so that a long batch
// neither delays the schedule nor blurs the window's edges. A thread that is behind
// its schedule reads the whole batch first: what it would send on top of that would
// push what waits to be read out of the caches, and it would fall further behind.
func (t *thread) between() error {
	now := t.clock.Now()
	ticked := t.pace(now)
	if t.boundary(now); ticked && !t.behind && !t.stopped {
		return t.turn(now)
	}
	return nil
}

// pace notes how late each tick of the window was that has passed by now, and
// reports whether one has. A thread that slept through many was late for each of
// them: one value a wake-up would hide the longest sleeps among the shortest.
func (t *thread) pace(now int64) (ticked bool) {
	if !t.sending || t.s.cfg.Rate.IsMax() || now < t.nextTick {
		return false
	}
	tick := int64(t.s.cfg.Tick)
	for ; t.nextTick <= now; t.nextTick += tick {
		if t.nextTick >= t.tl.begin && t.nextTick < t.tl.end {
			record(t.rec.pacing, now-t.nextTick, 1)
		}
	}
	return true
}

func (t *thread) eachFlow(do func(*sendHalf)) {
	for _, p := range t.peers {
		for _, h := range p.sends {
			do(h)
		}
	}
}

// event handles one socket's readiness.
func (t *thread) event(ev *epoll.Event) error {
	p := t.peers[ev.Fd]
	if ev.Events&unix.EPOLLOUT != 0 {
		if err := t.writable(p); err != nil {
			return err
		}
	}
	if ev.Events&^uint32(unix.EPOLLOUT) != 0 {
		return t.readable(p)
	}
	return nil
}
