package relay

import (
	"sync"
	"sync/atomic"

	"hdbench/internal/derp"
)

// messageKind says what a message asks of a worker.
type messageKind uint8

const (
	msgAdopt    messageKind = iota // take a peer that has logged in
	msgGone                        // a key has left the relay: tell those who heard from it
	msgFull                        // another worker's peer is full
	msgRoom                        // it has room again
	msgNotHere                     // a destination of this source is unknown
	msgSnapshot                    // copy the counters
	msgChores                      // a chore interval has passed
	msgDrain                       // stop
)

// message is what passes between threads outside the packet path.
type message struct {
	kind   messageKind
	login  login                 // msgAdopt
	key    derp.Key              // msgGone, msgNotHere, msgFull, msgRoom: whose
	source sourceRef             // msgNotHere: which peer; msgGone: of which worker
	reply  chan<- WorkerSnapshot // msgSnapshot; buffered for every worker
}

// sourceRef names a peer from another worker, safely: if the peer has gone, its
// slot has another generation.
type sourceRef struct {
	worker    int32
	slot, gen int32
}

// mailbox takes messages for one worker from any goroutine. It is locked, which
// is fine: nothing that happens per packet goes through it.
//
// The worker is woken with the lock held: once the mailbox is closed nobody does
// that any more, and what it is woken by may be closed, too.
type mailbox struct {
	waiting atomic.Bool // something is in queue
	wake    func()      // ends the worker's sleep

	mu     sync.Mutex
	queue  []message // guarded by mu
	closed bool      // guarded by mu
}

// put leaves a message and wakes the worker, unless that has stopped.
func (m *mailbox) put(msg message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.add(msg) {
		return false
	}
	m.wake()
	return true
}

// leave is put for another worker, which wakes this one at the end of its round.
func (m *mailbox) leave(msg message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(msg)
}

// add needs mu.
func (m *mailbox) add(msg message) bool {
	if m.closed {
		return false
	}
	m.queue = append(m.queue, msg)
	m.waiting.Store(true)
	return true
}

// take empties the mailbox into buf.
func (m *mailbox) take(buf []message) []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	buf = append(buf[:0], m.queue...)
	clear(m.queue)
	m.queue = m.queue[:0]
	m.waiting.Store(false)
	return buf
}

// close refuses further messages and returns those that were waiting.
func (m *mailbox) close() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	q := m.queue
	m.queue = nil
	return q
}
