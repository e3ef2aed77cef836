// Package fleet is the hosts a sweep runs on: a controller that gives orders, an
// agent on each host that carries them out, and the control plane between them.
//
// Agents are NATS services. By default the controller runs an embedded
// nats-server on loopback with a credential made for the run, and starts the
// agents of this host as its children. An agent starts relays and loads as its
// own children, each a process of its own on its own CPUs, and samples what the
// relay uses. Nothing here assumes one host: addresses, clocks and files are all
// the agent's, and times are CLOCK_MONOTONIC of the agent's host, converted by
// an offset that is measured.
//
// An agent is a lease. When the controller or the connection to it has gone, the
// agent ends its children, removes its files and exits; if it is killed itself,
// the kernel ends its children (PDEATHSIG).
//
// It knows nothing of scenarios or results: orders flow down, measurements flow
// up.
package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"hdbench/internal/measure"
	"hdbench/internal/mono"
)

// Fleet is the controller's side.
type Fleet struct {
	srv   *server
	nc    *nats.Conn
	clock mono.Clock
	hosts []*Host
	stop  func() // ends the lease

	wg sync.WaitGroup
}

// Options say how to boot a fleet.
type Options struct {
	Members []Member // whose agents are started, on this host
	Binary  string   // hdbench, to be run as "BINARY agent"
}

// bootTimeout bounds an agent's way from being started to answering.
const bootTimeout = 20 * time.Second

// Start boots the control plane and the agents of this host.
func Start(ctx context.Context, o Options) (_ *Fleet, err error) {
	f := &Fleet{clock: mono.New()}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.srv, err = startServer(rand.Text()); err != nil {
		return nil, err
	}
	if f.nc, err = f.srv.connect(); err != nil {
		return nil, err
	}
	f.stop = f.keepLease()
	for _, m := range o.Members {
		h, err := f.bootLocal(ctx, m, o)
		if err != nil {
			return nil, fmt.Errorf("agent %s: %w", m.Agent, err)
		}
		f.hosts = append(f.hosts, h)
	}
	return f, nil
}

// Now is the controller's CLOCK_MONOTONIC in nanoseconds.
func (f *Fleet) Now() int64 { return f.clock.Now() }

// keepLease tells the agents every second that the controller lives.
func (f *Fleet) keepLease() (stop func()) {
	done := make(chan struct{})
	var once sync.Once
	f.wg.Go(func() {
		tick := time.NewTicker(leaseBeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				// Not sent means not heard: the agents draw the conclusion.
				_ = f.nc.Publish(subjectLease, nil)
			}
		}
	})
	return func() { once.Do(func() { close(done) }) }
}

// Close ends the agents and the control plane.
func (f *Fleet) Close() {
	if f.stop != nil {
		f.stop()
	}
	for _, h := range f.hosts {
		h.close()
	}
	f.wg.Wait()
	if f.nc != nil {
		f.nc.Close()
	}
	if f.srv != nil {
		f.srv.close()
	}
}

// Host is one agent and the host it is on.
type Host struct {
	fleet  *Fleet
	member Member
	info   measure.Host
	build  string          // the agent's hdbench version
	gone   <-chan struct{} // closed when the agent's process has ended
	end    func()          // ends it

	mu     sync.Mutex
	offset Offset // guarded by mu
}

// Info is what the host is.
func (h *Host) Info() measure.Host { return h.info }

// Version is the agent's version of hdbench.
func (h *Host) Version() string { return h.build }

func (h *Host) close() {
	if h.end != nil {
		h.end()
	}
}

// ErrAgentGone means that an agent ended while it was needed.
var ErrAgentGone = errors.New("the agent has ended")

// RemoteError is what an agent answered instead of a result.
type RemoteError struct{ Code, Text string }

func (e *RemoteError) Error() string { return e.Text }

// call asks the agent to do something and waits for the answer.
func (h *Host) call(ctx context.Context, verb string, req, resp any) error {
	b, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-h.gone:
			cancel(ErrAgentGone)
		case <-ctx.Done():
		}
	}()
	msg, err := h.fleet.nc.RequestWithContext(ctx, subject(h.member.Agent, verb), b)
	if err != nil {
		if c := context.Cause(ctx); c != nil {
			err = c
		}
		return fmt.Errorf("agent %s: %s: %w", h.member.Agent, verb, err)
	}
	if code := msg.Header.Get(micro.ErrorCodeHeader); code != "" {
		// The text is the body: a header cannot hold every text.
		return fmt.Errorf("agent %s: %w", h.member.Agent, &RemoteError{Code: code, Text: string(msg.Data)})
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Data, resp); err != nil {
		return fmt.Errorf("agent %s: %s: answer: %w", h.member.Agent, verb, err)
	}
	return nil
}
