package fleet

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// holder is the controller that an agent serves.
type holder struct {
	id    string // what it proves itself with; empty: nobody holds the agent
	who   string // for people
	since time.Time
	heard time.Time // last; of an agent without a holder: when it lost the last one
	term  int       // counts the holders
	lock  *hostLock // of the host; nil without

	ctx context.Context // of all that is done for it
	end context.CancelCauseFunc
}

// same reports whether a request is the holder's.
func (h *holder) same(controller string) bool {
	return h.id != "" && subtle.ConstantTimeCompare([]byte(h.id), []byte(controller)) == 1
}

// Bounds of what a controller says of itself.
const (
	minControllerID = 16 // random text cannot be guessed
	maxControllerID = 128
	maxWho          = 256
)

// lease gives the agent to a controller that asks, if nobody has it, and shows
// that its holder lives.
func (a *agent) lease(c *call) *nats.Msg {
	var r leaseRequest
	if len(c.data) > maxRequest || json.Unmarshal(c.data, &r) != nil ||
		len(c.controller) < minControllerID || len(c.controller) > maxControllerID || len(r.Who) > maxWho {
		return failure(fmt.Errorf("%w: this is no lease", errBadRequest))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &a.holder
	switch {
	case a.closed:
		return failure(errClosing)
	case h.same(c.controller):
		h.heard = time.Now()
	case h.id != "":
		return failure(a.heldBy())
	default:
		// Asking takes a while; the agent may have been given away or ended by then.
		a.mu.Unlock()
		lock, err := a.lockHost(c.controller, r.Who)
		a.mu.Lock()
		if err == nil && (a.closed || h.id != "") {
			lock.release()
			err = errClosing
		}
		if err != nil {
			return failure(err)
		}
		h.lock = lock
		h.id, h.who, h.since, h.heard = c.controller, r.Who, time.Now(), time.Now()
		h.term++
		h.ctx, h.end = context.WithCancelCause(c.ctx)
		a.cfg.Log(fmt.Sprintf("serving %q", h.who))
	}
	return success(leaseReply{Agent: a.id, Term: h.term, Reconnects: a.nc.Stats().Reconnects})
}

// lockHost takes the host's lock for a controller.
func (a *agent) lockHost(controller, who string) (*hostLock, error) {
	if a.cfg.Lock == "" {
		return nil, nil
	}
	l, err := lockHost(a.cfg.Lock, lockQuestion{Sweep: sweepID(controller), Agent: a.cfg.Name, Who: who, Since: time.Now()}, a.dropHolder)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// heldBy says who has the agent. The caller holds mu.
func (a *agent) heldBy() error {
	return fmt.Errorf("%w: %q holds it since %s (UTC)", ErrHeld, a.holder.who, a.holder.since.UTC().Format("2006-01-02 15:04:05"))
}

// held lets only the holder's requests through, and ends what they do with the
// lease.
func (a *agent) held(h handler) func(*call) *nats.Msg {
	return func(c *call) *nats.Msg {
		a.mu.Lock()
		ctx, ok := a.holder.ctx, a.holder.same(c.controller)
		err := fmt.Errorf("%w: take the lease before sending orders", errBadRequest)
		if a.holder.id != "" {
			err = a.heldBy()
		}
		a.mu.Unlock()
		if !ok {
			return failure(err)
		}
		return h(ctx, c.data)
	}
}

// release gives the agent back: what was done for the holder is ended.
func (a *agent) release(c *call) *nats.Msg {
	a.mu.Lock()
	ok := a.holder.same(c.controller)
	a.mu.Unlock()
	if !ok {
		return failure(fmt.Errorf("%w: who does not hold the agent cannot give it back", errBadRequest))
	}
	a.dropHolder(errReleased)
	return success(struct{}{})
}

var errReleased = errors.New("the controller has given the agent back")

// dropHolder ends what is done for the holder, and then the lease.
func (a *agent) dropHolder(why error) {
	a.mu.Lock()
	end, was, term := a.holder.end, a.holder.who, a.holder.term
	a.mu.Unlock()
	if end == nil {
		return
	}
	end(why)
	a.endChildren()
	a.mu.Lock()
	if a.holder.term != term || a.holder.end == nil { // another call was quicker
		a.mu.Unlock()
		return
	}
	a.holder.lock.release()
	a.holder = holder{term: term, heard: time.Now()}
	a.mu.Unlock()
	a.cfg.Log(fmt.Sprintf("no longer serving %q: %v", was, why))
}

// watchLease ends the lease when its holder has been silent for too long. An
// agent that its controller has started ends with it.
func (a *agent) watchLease(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		silent, held := time.Since(a.holder.heard), a.holder.id != ""
		a.mu.Unlock()
		switch {
		case silent <= leaseTerm:
		case a.cfg.NATS == nil:
			cancel(errLeaseOver)
			return
		case held:
			a.dropHolder(errLeaseOver)
		}
	}
}
