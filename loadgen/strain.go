package loadgen

import (
	"math"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
)

const (
	lookReads = 64   // of so many reads one is followed by a look at the queue
	lookPeers = 64   // so many receivers are looked at when an interval ends
	askPeers  = 1024 // so many senders' sockets are asked for tcp_info
)

// strain is what a thread keeps of its own part in what becomes of the load; see
// measure.Strain. It counts inside the window alone.
type strain struct {
	counting bool

	sendLag, receiveLag *hdrhistogram.Histogram
	reads, fullReads    uint64

	looks, waiting, queued uint64
	receivers              []*peer
	nextLook               int

	blocked   int64 // flows' time with a full socket, ns
	dueUnsent uint64
	asked     int // senders whose sockets are asked for tcp_info: the first ones
	tcp       tcpTimes
}

// sendQueue is what is known of when a sender's socket was full. A socket that has
// room again is noticed when the thread next looks: until when it was full is known
// as a lower bound, so that a thread that does not look blames nobody else.
type sendQueue struct {
	fullAt  int64 // while it is blocked: when a write last found it full
	freeAt  int64 // when it was last known to be full, before it had room
	fullFor int64 // in the window, ns
	begun   tcpTimes
}

// backlog is since when a flow has had packets due, all the time.
type backlog struct {
	since   int64  // the flow was last up to date then
	fullFor int64  // its socket's, then
	begun   uint64 // packets due and unsent when the window began
}

// caughtUp notes that nothing of h was due at the given time.
func (h *sendHalf) caughtUp(p *peer, now int64) {
	h.backlog.since, h.backlog.fullFor = now, p.out.fullFor
}

// filled notes that p's socket takes no more.
func (t *thread) filled(p *peer) {
	p.blocked = true
	p.out.fullAt = t.clock.Now()
}

// wasFull counts the time until which p's socket is known to have been full.
func (t *thread) wasFull(p *peer, until int64) {
	p.out.freeAt = max(p.out.fullAt, until)
	if t.tl == nil {
		return
	}
	if d := min(p.out.freeAt, t.tl.end) - max(p.out.fullAt, t.tl.begin); d > 0 {
		p.out.fullFor += d
		t.strain.blocked += d * int64(len(p.sends))
	}
}

// recvQueue bounds when the data that waits in a receiver's socket arrived: the
// first bytes after one time, what is behind them after another.
type recvQueue struct {
	first     int
	firstFrom int64
	from      int64
}

// read notes a read of n bytes at the given time, and returns how long the oldest of
// them had waited at most. notYet is when a poll last did not list a socket that had
// been emptied. left is how much the read left; 0 if it emptied the socket.
func (q *recvQueue) read(n, left int, now, notYet int64) int64 {
	oldest, rest := q.firstFrom, q.from
	if q.first == 0 {
		oldest = max(q.from, notYet)
		rest = oldest
	}
	switch {
	case left == 0:
		q.first = 0
		q.from = now
	case q.first > n:
		q.first -= n
	default:
		q.first, q.firstFrom, q.from = left, rest, now
	}
	return now - oldest
}

// noteRead counts a read that has just been made.
func (t *thread) noteRead(p *peer, n int) {
	s := &t.strain
	waits, left := 0, 0
	sampled := s.counting && s.reads%lookReads == 0
	if t.io.Filled || sampled {
		waits = inQueue(p.sock.FD())
	}
	if t.io.Filled { // else what waits now has come since
		left = waits
	}
	lag := p.in.read(n, left, t.now, t.notYet)
	if !s.counting {
		return
	}
	record(s.receiveLag, lag, 1)
	s.reads++
	if t.io.Filled {
		s.fullReads++
	}
	if sampled {
		s.look(waits)
	}
}

func (s *strain) look(queued int) {
	s.looks++
	s.queued += uint64(queued)
	if queued > measure.QueueBound {
		s.waiting++
	}
}

// lookRound looks at the queues of the next receivers.
func (s *strain) lookRound() {
	for range min(len(s.receivers), lookPeers) {
		s.look(inQueue(s.receivers[s.nextLook].sock.FD()))
		s.nextLook = (s.nextLook + 1) % len(s.receivers)
	}
}

// inQueue is how many bytes wait in a socket to be read.
func inQueue(fd int) int {
	var n int32
	// It fails for a socket that has ended; then nothing waits.
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCINQ, uintptr(unsafe.Pointer(&n)))
	return int(n)
}

// tcpTimes is what the kernel says a socket's data waited for, ns, from its start.
type tcpTimes struct{ busy, rwnd, sndbuf int64 }

func tcpTimesOf(fd int) tcpTimes {
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil { // the connection has ended
		return tcpTimes{}
	}
	return tcpTimes{int64(i.Busy_time) * 1000, int64(i.Rwnd_limited) * 1000, int64(i.Sndbuf_limited) * 1000}
}

// beginStrain is called when the window begins.
func (t *thread) beginStrain() {
	s := &t.strain
	s.counting = true
	s.asked = min(len(t.senders), askPeers)
	for i, p := range t.senders {
		if i < s.asked {
			p.out.begun = tcpTimesOf(p.sock.FD())
		}
		for _, h := range p.sends {
			h.backlog.begun = h.schedule.dueBefore(t.tl.begin)
		}
	}
}

// endStrain is called when the window has ended.
func (t *thread) endStrain() {
	s := &t.strain
	s.counting = false
	for i, p := range t.senders {
		if p.blocked {
			until := t.notYet
			if !writableNow(p.sock.FD()) {
				until = t.tl.end
			}
			t.wasFull(p, until)
			p.out.fullAt = t.clock.Now()
		}
		var limited int64
		if i < s.asked {
			d := tcpTimesOf(p.sock.FD()).since(p.out.begun)
			s.tcp.add(d)
			limited = d.rwnd + d.sndbuf
		}
		for _, h := range p.sends {
			s.dueUnsent += t.unsentByUs(p, h, limited)
		}
	}
}

func (t tcpTimes) since(b tcpTimes) tcpTimes {
	return tcpTimes{max(0, t.busy-b.busy), max(0, t.rwnd-b.rwnd), max(0, t.sndbuf-b.sndbuf)}
}

func (t *tcpTimes) add(d tcpTimes) {
	t.busy += d.busy
	t.rwnd += d.rwnd
	t.sndbuf += d.sndbuf
}

// unsentByUs is how many packets of h nobody but the client kept from being sent.
// A flow is in order: each packet that its socket takes is one fewer behind it. So
// of the packets by which its backlog grew in the window, the client answers for
// the share of the backlog's time in which the socket was not full. That is known
// twice, and the longer time counts: the thread's own knowledge misses what it does
// not look at, and the kernel's (limited: the relay's window, or the socket's own
// buffer, kept the data) what has not come to a standstill yet.
func (t *thread) unsentByUs(p *peer, h *sendHalf, limited int64) uint64 {
	if t.s.cfg.Rate.IsMax() {
		return 0
	}
	due := h.schedule.dueBefore(t.tl.end)
	if due <= h.backlog.begun {
		return 0
	}
	lasted := t.tl.end - max(h.backlog.since, t.tl.begin)
	full := max(p.out.fullFor-h.backlog.fullFor, limited)
	if full >= lasted {
		return 0
	}
	return uint64(math.Round(float64(due-h.backlog.begun) * (1 - float64(full)/float64(lasted))))
}

// writableNow reports whether a socket takes data.
func writableNow(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

// strain merges what the threads have kept, which have ended.
func (s *Session) strain(tl *timeline) (*measure.Strain, error) {
	r := new(measure.Strain)
	sendLag, receiveLag := newHistogram(), newHistogram()
	var queued, blocked float64
	for _, t := range s.threads {
		k := &t.strain
		sendLag.Merge(k.sendLag)
		receiveLag.Merge(k.receiveLag)
		r.DueUnsent += k.dueUnsent
		r.Reads += k.reads
		r.FullReads += k.fullReads
		r.QueueLooks += k.looks
		r.QueueWaiting += k.waiting
		queued += float64(k.queued)
		blocked += float64(k.blocked)
		if k.asked > 0 {
			all := float64(len(t.senders)) / float64(k.asked)
			r.BusyNS += int64(all * float64(k.tcp.busy))
			r.RwndLimitedNS += int64(all * float64(k.tcp.rwnd))
			r.SndbufLimitedNS += int64(all * float64(k.tcp.sndbuf))
		}
	}
	if r.QueueLooks > 0 {
		r.QueueMean = queued / float64(r.QueueLooks)
	}
	if n := s.sent(); n > 0 {
		r.Blocked = min(1, blocked/float64(n)/float64(tl.end-tl.begin))
	}
	var err error
	if r.SendLag, err = measure.FromHDR(sendLag); err != nil {
		return nil, err
	}
	r.ReceiveLag, err = measure.FromHDR(receiveLag)
	return r, err
}
