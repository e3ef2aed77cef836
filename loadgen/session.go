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
	"hdbench/internal/measure"
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

// timeline is when a run does what, in CLOCK_MONOTONIC ns.
type timeline struct {
	start     int64 // first packet
	begin     int64 // window
	end       int64 // window; no packet is sent after it
	drainedBy int64 // what has not arrived by then is lost
}

// Session is a load that is ready to run: its peers are connected, logged in,
// and every flow's receiver has been reached through the relay. Run it once.
type Session struct {
	cfg       Config
	clock     mono.Clock
	serverKey derp.Key
	threads   []*thread
	flows     []*flow

	phase     atomic.Int32
	times     atomic.Pointer[timeline]
	unready   atomic.Int64 // flows whose receiver has not been reached
	undrained atomic.Int64 // flows of which something may be under way
	drainedAt atomic.Int64 // when the last of them was drained, CLOCK_MONOTONIC ns; 0 before
	ready     chan struct{}

	readyOnce sync.Once
	release   func() // gives the threads' Ps back

	wg        sync.WaitGroup
	closeOnce sync.Once
	mu        sync.Mutex
	err       error // the first failure; guarded by mu
}

// flow is the packets from one peer to another. Its halves belong to the threads
// of its two peers; only the atomics are shared, and not per packet.
type flow struct {
	id       uint32
	from, to *peer
	reached  atomic.Bool // a probe has arrived
	drained  atomic.Bool // the fin has arrived (and come back, with RTT)
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
	s := &Session{cfg: cfg, clock: mono.New(), ready: make(chan struct{})}
	if err := s.plan(); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		s.closePeers()
		return nil, err
	}
	s.unready.Store(int64(len(s.flows)))
	s.undrained.Store(int64(len(s.flows)))
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
			err = fmt.Errorf("%w: %d of %d within %v", err, s.unready.Load(), len(s.flows), cfg.Register)
		}
		return nil, err
	}
	s.phase.Store(int32(phaseIdle))
	return s, nil
}

// ErrNotReached means that the relay took the peers but does not forward to them.
var ErrNotReached = errors.New("packets through the relay did not reach their receivers")

// Run sends the load, starting at the CLOCK_MONOTONIC time start (ns), and
// returns what was measured. It takes warm-up, window and drain.
func (s *Session) Run(ctx context.Context, start int64) (*measure.Load, error) {
	c := &s.cfg
	tl := &timeline{start: start}
	tl.begin = start + int64(c.Warmup)
	tl.end = tl.begin + int64(c.Measure)
	tl.drainedBy = tl.end + int64(c.Drain)
	if now := s.clock.Now(); now > start {
		return nil, fmt.Errorf("the start time has passed by %v", ns(now-start))
	}
	s.times.Store(tl)
	s.phase.Store(int32(phaseRun))
	s.wake()

	finished := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		s.fail(context.Cause(ctx))
		<-finished
	}
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.result(tl)
}

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
	}
}

// markReady ends Prepare's wait.
func (s *Session) markReady() { s.readyOnce.Do(func() { close(s.ready) }) }

func (s *Session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// noteReached is told by a receiving thread that a flow's probe has arrived.
func (s *Session) noteReached(f *flow) {
	if f.reached.CompareAndSwap(false, true) && s.unready.Add(-1) == 0 {
		s.markReady()
	}
}

// noteDrained is told that everything of a flow has arrived or is lost.
func (s *Session) noteDrained(f *flow) {
	if f.drained.CompareAndSwap(false, true) && s.undrained.Add(-1) == 0 {
		s.drainedAt.Store(s.clock.Now())
		s.wake()
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
