// Package relay is the relay under test: a DERP server in the shape of
// Hyper-DERP, sharded over pinned workers.
//
// Connections flow in through a listener. Their login (HTTP upgrade, keys) runs
// on ordinary goroutines with a deadline and a cap (see slots); the finished socket then
// belongs for good to the worker its peer's key hashes to. A worker is one
// pinned OS thread with its own epoll loop, peers, receive buffer and counters.
// It rewrites packets in place in the receive buffer and sends them from there;
// a packet for another worker's peer crosses over in a single-producer
// single-consumer ring. Per packet nothing is allocated, locked or dispatched
// through an interface.
//
// What flows out is packets, Prometheus text, and Snapshots in which
// received = forwarded + dropped + queued at any quiet moment.
//
// The relay never knows whether it is measured, and never decides what a number
// means: see packages scenarios and results for that.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/cert"
	"hdbench/internal/derp"
)

// Server is a relay. Create it with New, run it with Serve.
type Server struct {
	cfg     Config
	pub     derp.Key
	ln      *net.TCPListener
	tls     *tls.Config // nil without TLS
	workers []*worker

	logins  *slots       // connections in their login
	peers   atomic.Int64 // registered, or about to be
	lobby   lobbyCounters
	started time.Time
}

// New checks the configuration and starts to listen, so that Addr is known; no
// connection is served before Serve.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	tlsConfig, err := serverTLS(&cfg)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		cfg:     cfg,
		pub:     cfg.Key.Public(),
		ln:      ln.(*net.TCPListener),
		tls:     tlsConfig,
		logins:  newSlots(cfg.MaxLogins),
		started: time.Now(),
	}
	for i := range cfg.Workers {
		w, err := newWorker(i, s)
		if err != nil {
			s.closeWorkers()
			ln.Close()
			return nil, fmt.Errorf("worker %d: %w", i, err)
		}
		s.workers = append(s.workers, w)
	}
	s.connectRings()
	return s, nil
}

// serverTLS is the configuration of a relay's handshakes; nil without TLS.
func serverTLS(cfg *Config) (*tls.Config, error) {
	if !cfg.Transport.Encrypted() {
		return nil, nil
	}
	shown := cfg.Certificate
	if shown == nil {
		host, _, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		own, err := cert.SelfSigned(host)
		if err != nil {
			return nil, err
		}
		shown = &own.Certificate
	}
	meta, err := derp.MetaCert(cfg.Key.Public())
	if err != nil {
		return nil, err
	}
	chain := *shown
	chain.Certificate = append(slices.Clone(shown.Certificate), meta)
	return &tls.Config{Certificates: []tls.Certificate{chain}}, nil
}

// Addr is the address the relay listens on.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Key is the relay's public key.
func (s *Server) Key() derp.Key { return s.pub }

// Config is the configuration in effect, defaults filled in.
func (s *Server) Config() Config { return s.cfg }

// connectRings puts a ring between every two workers, one for each direction.
func (s *Server) connectRings() {
	size := ringBytes(len(s.workers))
	for _, from := range s.workers {
		from.out = make([]*ring, len(s.workers))
		from.spills = make([]spill, len(s.workers))
		from.in = make([]inlet, len(s.workers))
	}
	for i, from := range s.workers {
		for j, to := range s.workers {
			if i != j {
				r := newRing(size)
				from.out[j], to.in[i] = r, inlet{ring: r, from: int32(i), due: mostShare}
				from.spills[j].gate.ring = r
			}
		}
	}
}

func (s *Server) closeWorkers() {
	for _, w := range s.workers {
		w.poll.Close()
	}
}

// Serve runs the relay until ctx is done. Then it drains: no new connections, no
// more reading, every peer is told to reconnect elsewhere, and what is queued is
// sent for up to Config.DrainTimeout. It returns nil after a drain.
func (s *Server) Serve(ctx context.Context) error {
	// A worker keeps a P even while it sleeps (see package epoll); the logins
	// keep those that were there.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + s.cfg.Workers)
	defer func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - s.cfg.Workers) }()
	g, gctx := errgroup.WithContext(ctx)
	for _, w := range s.workers {
		g.Go(func() error {
			if err := w.run(); err != nil {
				return fmt.Errorf("worker %d: %w", w.id, err)
			}
			return nil
		})
	}
	g.Go(func() error { return s.accept(gctx) })
	g.Go(func() error {
		s.remindOfChores(gctx)
		s.ln.Close()
		s.logins.close()
		s.tellAll(message{kind: msgDrain})
		return nil
	})
	err := g.Wait()
	s.closeWorkers()
	return err
}

// choreInterval is how often workers look at what is not caused by packets.
const choreInterval = time.Second

// remindOfChores reminds the workers of their chores until ctx is done.
func (s *Server) remindOfChores(ctx context.Context) {
	tick := time.NewTicker(min(choreInterval, s.cfg.KeepAlive, s.cfg.PauseLimit))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tellAll(message{kind: msgChores})
		}
	}
}

func (s *Server) tellAll(m message) {
	for _, w := range s.workers {
		w.mail.put(m)
	}
}

// Snapshot collects every worker's counters. Each worker copies its own between
// two rounds of its loop, so the snapshot of a quiet relay is exact.
func (s *Server) Snapshot(ctx context.Context) (Snapshot, error) {
	replies := make(chan WorkerSnapshot, len(s.workers))
	for _, w := range s.workers {
		if !w.mail.put(message{kind: msgSnapshot, reply: replies}) {
			return Snapshot{}, ErrStopped
		}
	}
	snap := Snapshot{
		Uptime:    time.Since(s.started),
		Logins:    s.lobby.snapshot(),
		PerWorker: make([]WorkerSnapshot, len(s.workers)),
	}
	for range s.workers {
		select {
		case ws := <-replies:
			snap.PerWorker[ws.Worker] = ws
		case <-ctx.Done():
			return Snapshot{}, fmt.Errorf("collect counters: %w", ctx.Err())
		}
	}
	return snap, nil
}

// ErrStopped is returned for a relay that has drained.
var ErrStopped = errors.New("the relay has stopped")

// workerOf is the worker that owns the peer with this key.
func (s *Server) workerOf(k *derp.Key) *worker {
	if len(s.workers) == 1 {
		return s.workers[0]
	}
	return s.workers[shard(k, len(s.workers))]
}
