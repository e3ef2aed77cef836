package loadgen

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/derp"
	"hdbench/internal/mono"
)

// phase is what the threads of a session do.
type phase int32

const (
	phaseRegister phase = iota // prove that every receiver can be reached
	phaseIdle                  // wait for Run
	phaseRun                   // follow the timeline
	phaseStop
)

// Session is a load, or a host's part of one, that is ready to run: its peers are
// connected, logged in, and every receiver that they send to has been reached
// through the relay. Run it once.
type Session struct {
	cfg       Config
	clock     mono.Clock
	oneClock  bool // of senders and receivers
	serverKey derp.Key
	threads   []*thread
	flows     []*flow

	phase     atomic.Int32
	times     atomic.Pointer[timeline]
	unready   atomic.Int64 // flows sent here whose receiver has not been reached
	undrained atomic.Int64 // flows sent here of which something may be under way
	sending   atomic.Int64 // threads whose window is not over
	settledAt atomic.Int64 // when the last flow of all parts was drained, CLOCK_MONOTONIC ns; 0 before

	ready   chan struct{} // closed when every receiver is reached, or on a failure
	stopped chan struct{} // closed when every thread's window is over
	drained chan struct{} // closed when every flow sent here is drained
	broken  chan struct{} // closed on a failure

	readyOnce sync.Once
	release   func() // gives the threads' Ps back

	wg        sync.WaitGroup
	closeOnce sync.Once
	mu        sync.Mutex
	err       error // the first failure; guarded by mu
}

// flow is the packets from one peer to another. Its halves belong to the threads
// of its two peers; only the atomics are shared, and not per packet. Of a peer
// that lives in another part only the key is known, and its half is nil; the two
// parts speak through the relay: a probe and a fin are returned.
type flow struct {
	id       uint32
	from, to *peer
	reached  atomic.Bool // a probe has arrived (and come back, from another part)
	drained  atomic.Bool // the fin has arrived (and come back, from another part or with RTT)
	send     *sendHalf
	recv     *recvHalf
}

// Prepare connects and registers every peer of the load. The caller must Close
// the session.
func Prepare(ctx context.Context, cfg Config) (*Session, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	s := &Session{
		cfg: cfg, clock: mono.New(), oneClock: !cfg.Part.split() || cfg.Part.OneClock,
		ready: make(chan struct{}), stopped: make(chan struct{}), drained: make(chan struct{}), broken: make(chan struct{}),
	}
	if err := s.plan(); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		s.closePeers()
		return nil, err
	}
	s.unready.Store(int64(s.sent()))
	s.undrained.Store(int64(s.sent()))
	s.sending.Store(int64(len(s.threads)))
	if s.sent() == 0 { // a part with receivers alone
		s.markReady()
		close(s.drained)
	}
	// A thread keeps a P even while it waits (see package epoll).
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(s.threads))
	s.release = func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - len(s.threads)) }
	for _, t := range s.threads {
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			if err := t.run(); err != nil {
				s.fail(err)
			}
		}()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Register, ErrNotReached)
	defer cancel()
	select {
	case <-s.ready:
	case <-ctx.Done():
		s.fail(context.Cause(ctx))
	}
	if err := s.failure(); err != nil {
		s.Close()
		if errors.Is(err, ErrNotReached) {
			err = fmt.Errorf("%w: %d of %d within %v", err, s.unready.Load(), s.sent(), cfg.Register)
		}
		return nil, err
	}
	s.phase.Store(int32(phaseIdle))
	return s, nil
}

// ErrNotReached means that the relay took the peers but does not forward to them.
var ErrNotReached = errors.New("packets through the relay did not reach their receivers")

// Start is the earliest useful start time for Run.
func (s *Session) Start() int64 { return s.clock.Now() + int64(startDelay) }

// Config is the configuration in effect.
func (s *Session) Config() Config { return s.cfg }

// Close ends the threads and the connections.
func (s *Session) Close() {
	s.closeOnce.Do(func() {
		s.phase.Store(int32(phaseStop))
		s.wake()
		s.wg.Wait()
		s.release()
		s.closePeers()
	})
}

func (s *Session) closePeers() {
	for _, t := range s.threads {
		for _, p := range t.peers {
			p.close()
		}
		t.poll.Close()
	}
}

func (s *Session) wake() {
	for _, t := range s.threads {
		t.poll.Wake()
	}
}

// fail notes the first error and ends every thread.
func (s *Session) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	s.mu.Unlock()
	if first {
		s.phase.Store(int32(phaseStop))
		s.wake()
		s.markReady()
		close(s.broken)
	}
}

// markReady ends Prepare's wait.
func (s *Session) markReady() { s.readyOnce.Do(func() { close(s.ready) }) }

func (s *Session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// sent is how many flows have their sender here.
func (s *Session) sent() int {
	n := 0
	for _, f := range s.flows {
		if f.send != nil {
			n++
		}
	}
	return n
}

// noteReached is told that a flow's probe has arrived.
func (s *Session) noteReached(f *flow) {
	if f.reached.CompareAndSwap(false, true) && s.unready.Add(-1) == 0 {
		s.markReady()
	}
}

// noteStopped is told by a thread that its window is over.
func (s *Session) noteStopped() {
	if s.sending.Add(-1) == 0 {
		close(s.stopped)
	}
}

// noteDrained is told that everything of a flow has arrived or is lost.
func (s *Session) noteDrained(f *flow) {
	if f.drained.CompareAndSwap(false, true) && s.undrained.Add(-1) == 0 {
		close(s.drained)
		if !s.cfg.Part.split() { // nobody else has anything under way
			s.settledAt.Store(s.clock.Now())
			s.wake()
		}
	}
}

// connectAtOnce bounds the logins under way: a relay caps them too.
const connectAtOnce = 32

// connect opens every peer's connection.
func (s *Session) connect(ctx context.Context) error {
	if s.cfg.Direct {
		return s.connectDirect(ctx)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(connectAtOnce)
	var mu sync.Mutex
	for _, t := range s.threads {
		for _, p := range t.peers {
			g.Go(func() error {
				key, err := p.logIn(ctx, &s.cfg)
				if err != nil {
					return fmt.Errorf("relay %s: %w", s.cfg.Relay, err)
				}
				mu.Lock()
				s.serverKey = key
				mu.Unlock()
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.watchPeers()
}

func (s *Session) watchPeers() error {
	for _, t := range s.threads {
		for i, p := range t.peers {
			if err := t.watch(p, i); err != nil {
				return err
			}
		}
	}
	return nil
}
