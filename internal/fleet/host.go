package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"hdbench/internal/measure"
)

// Host is one agent and the host it is on.
type Host struct {
	fleet  *Fleet
	member Member

	mu     sync.Mutex
	about  hostReply // guarded by mu
	offset Offset    // guarded by mu
	life   *life     // guarded by mu; of the agent that is there now; nil before it is started
}

// life is that of an agent, from being started or found to being lost.
type life struct {
	gone chan struct{}      // closed when the agent is lost
	why  error              // how; read after gone
	once sync.Once          // for gone
	end  func()             // ends the agent, or gives it back; waits until it has
	stop context.CancelFunc // of the lease

	mu     sync.Mutex
	breaks map[chan struct{}]bool // guarded by mu; of calls under way
}

func newLife(end func()) *life {
	return &life{gone: make(chan struct{}), end: end, stop: func() {}, breaks: map[chan struct{}]bool{}}
}

// lose marks the agent as lost.
func (l *life) lose(why error) {
	l.once.Do(func() {
		l.why = why
		close(l.gone)
	})
}

// enter is told when a call begins; the channel is closed if its answer may have
// got lost.
func (l *life) enter() (broken chan struct{}, leave func()) {
	broken = make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaks[broken] = true
	return broken, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.breaks, broken)
	}
}

// interrupt fails the calls under way.
func (l *life) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for b := range l.breaks {
		close(b)
	}
	clear(l.breaks)
}

func (h *Host) alive() *life {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}

func (h *Host) reply() hostReply {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.about
}

// Info is what the host is.
func (h *Host) Info() measure.Host { return h.reply().Host }

// Version is the agent's version of hdbench.
func (h *Host) Version() string { return h.reply().Version }

// Limits says what the agent cannot do on its host because of who it runs as;
// empty: nothing.
func (h *Host) Limits() string { return h.reply().Limits }

// Cores are the CPUs the host may give, grouped by physical core, as CPU lists.
func (h *Host) Cores() []string { return slices.Clone(h.reply().Cores) }

// Interfaces are the host's network interfaces and their addresses.
func (h *Host) Interfaces() []Interface { return slices.Clone(h.reply().Interfaces) }

// close ends the host's agent, or gives it back.
func (h *Host) close() {
	if l := h.alive(); l != nil {
		l.stop()
		l.end()
	}
}

// Errors of calls.
var (
	// ErrAgentGone means that an agent ended, or could no longer be reached, while
	// it was needed. Revive gets it back, if that is possible.
	ErrAgentGone = errors.New("the agent has ended")
	// ErrInterrupted means that the connection broke and came back during a call:
	// what was asked for may or may not have happened.
	ErrInterrupted = errors.New("the connection broke during the call")
	// ErrHeld means that the agent serves another controller.
	ErrHeld = errors.New("the agent serves another controller")
)

// RemoteError is what an agent answered instead of a result.
type RemoteError struct{ Code, Text string }

func (e *RemoteError) Error() string { return e.Text }

// Is reports whether an answer's code stands for one of our errors.
func (e *RemoteError) Is(target error) bool {
	return e.Code == codeHeld && target == ErrHeld || e.Code == codeBusy && target == ErrBusy
}

// call asks the agent to do something and waits for the answer, for as long as
// the agent is there.
func (h *Host) call(ctx context.Context, verb string, req, resp any) error {
	l := h.alive()
	if l == nil {
		return fmt.Errorf("agent %s: %s: %w", h.member.Agent, verb, ErrAgentGone)
	}
	broken, leave := l.enter()
	defer leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.gone:
			cancel(goneError(l.why))
		case <-broken:
			cancel(ErrInterrupted)
		case <-ctx.Done():
		}
	}()
	return h.request(ctx, verb, req, resp)
}

// goneError is ErrAgentGone with its cause.
func goneError(why error) error {
	if why == nil || errors.Is(why, ErrAgentGone) {
		return ErrAgentGone
	}
	return fmt.Errorf("%w: %w", ErrAgentGone, why)
}

// request is a call for as long as ctx lasts.
func (h *Host) request(ctx context.Context, verb string, req, resp any) error {
	b, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	m := nats.NewMsg(subject(h.member.Agent, verb))
	m.Data = b
	m.Header.Set(headerController, h.fleet.id)
	msg, err := h.fleet.nc.RequestMsgWithContext(ctx, m)
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
