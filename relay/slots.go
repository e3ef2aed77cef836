package relay

import (
	"container/list"
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"
)

// stage is how far a login has come. Bytes alone are no progress: whoever sends a
// request one by one stays silent until it is whole.
type stage uint8

const (
	stageSilent  stage = iota // no ClientHello, and without TLS no request
	stageHello                // it has sent something
	stageSecured              // the TLS handshake is done
	stageAsked                // its request has been read
	numStages
)

// slots are the connections that log in, a bounded number. When all are taken, a
// new connection gets the slot of one that does not get on: of the oldest that is
// silent, or else of the one that has stalled longest, at the earliest stage where
// one has. So connections that are only held open keep nobody out. A login that
// gets on is never ended, however many come after it: under a rush that would end
// all.
type slots struct {
	room  *semaphore.Weighted
	stall time.Duration // in one stage, after which a login has stalled
	spoke func(net.Conn) bool

	mu     sync.Mutex
	at     [numStages]list.List // of *slot, longest there first; guarded by mu
	closed bool                 // guarded by mu
}

// slot is one login's.
type slot struct {
	conn net.Conn

	// Guarded by slots.mu.
	stage   stage
	since   time.Time // when it came to the stage
	evicted bool
	in      *list.Element // nil: in no list any more
}

// stallTime is several round trips of a distant client's, and the machine's time
// for many handshakes.
const stallTime = time.Second

func newSlots(n int) *slots {
	return &slots{room: semaphore.NewWeighted(int64(n)), stall: stallTime, spoke: hasSpoken}
}

// take gives a connection a slot; nil if there is none for it. The slot of a login
// that was ended is free when its goroutine has, which take waits for: there are
// never more goroutines than slots.
func (s *slots) take(ctx context.Context, conn net.Conn, now time.Time) *slot {
	if !s.room.TryAcquire(1) {
		if !s.evict(now) || s.room.Acquire(ctx, 1) != nil {
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.room.Release(1)
		return nil
	}
	l := &slot{conn: conn, since: now}
	l.in = s.at[stageSilent].PushBack(l)
	return l
}

// release gives a slot back.
func (s *slots) release(l *slot) {
	s.mu.Lock()
	s.leave(l)
	s.mu.Unlock()
	s.room.Release(1)
}

func (s *slots) leave(l *slot) {
	if l.in != nil {
		s.at[l.stage].Remove(l.in)
		l.in = nil
	}
}

// reached notes that a login has come to a stage.
func (s *slots) reached(l *slot, to stage, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.in == nil || to <= l.stage {
		return
	}
	s.leave(l)
	l.stage, l.since = to, now
	l.in = s.at[to].PushBack(l)
}

// evict ends one login that does not get on, if there is one.
func (s *slots) evict(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.at[stageSilent].Front(); e != nil; e = s.at[stageSilent].Front() {
		l := e.Value.(*slot)
		if !s.spoke(l.conn) {
			s.end(l)
			return true
		}
		// What it has sent waits to be read: its goroutine has not come to it yet.
		s.leave(l)
		l.stage, l.since = stageHello, now
		l.in = s.at[stageHello].PushBack(l)
	}
	for i := range s.at {
		if e := s.at[i].Front(); e != nil && now.Sub(e.Value.(*slot).since) >= s.stall {
			s.end(e.Value.(*slot))
			return true
		}
	}
	return false
}

// end closes a login's connection, which ends its goroutine.
func (s *slots) end(l *slot) {
	s.leave(l)
	l.evicted = true
	l.conn.Close()
}

// wasEvicted reports whether a login was ended for another.
func (s *slots) wasEvicted(l *slot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.evicted
}

// close ends all logins and takes no more.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for i := range s.at {
		for e := s.at[i].Front(); e != nil; e = s.at[i].Front() {
			l := e.Value.(*slot)
			s.leave(l)
			l.conn.Close()
		}
	}
}

// hasSpoken reports whether bytes of a connection wait to be read.
func hasSpoken(conn net.Conn) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	return err == nil && n > 0
}
