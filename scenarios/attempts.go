package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hdbench/internal/fleet"
	"hdbench/results"
)

// attempts is how often a measurement that fails is made. Each failure is recorded,
// under the same ID: what comes after it replaces it.
const attempts = 3

// DefaultHostWait is how long a sweep waits for a host that has gone: some servers
// take minutes to boot.
const DefaultHostWait = 5 * time.Minute

// hostPause is how long to wait between two tries to reach a host.
const hostPause = time.Second

// ErrHostsGone means that a host went away and did not come back in time.
var ErrHostsGone = errors.New("a host has gone and did not come back")

// errNoStart marks the failure of a relay that did not start, as its agent says:
// nothing was measured yet, and the same would happen again.
var errNoStart = errors.New("the relay does not start")

// noStart marks an error without changing its text.
type noStart struct{ error }

func (e noStart) Is(target error) bool { return target == errNoStart }
func (e noStart) Unwrap() error        { return e.error }

// attempt makes a measurement until it is one, and records each. It returns the
// last: one that has failed all the same has an Error. make gives the record and
// what went wrong, save records it. An error means that the sweep cannot go on.
func (s *sweep) attempt(ctx context.Context, c results.Config, make func() (*results.Trial, error), save func(*results.Trial) error) (*results.Trial, error) {
	for n := 1; ; n++ {
		t, err := make()
		if ctx.Err() != nil {
			return nil, ctx.Err() // half a trial is no trial
		}
		if n > 1 {
			t.Attempt = n
		}
		if err := save(t); err != nil {
			return nil, err
		}
		if err == nil {
			delete(s.failing, c)
			return t, nil
		}
		if err := s.restore(ctx); err != nil {
			return nil, err
		}
		if n == attempts || errors.Is(err, errNoStart) || s.failing[c] {
			// What has failed so often gets one chance a trial, until it works again.
			s.failing[c] = true
			return t, nil
		}
		s.Progress.Note(fmt.Sprintf("attempt %d of %d failed, trying again: %v", n, attempts, err))
	}
}

// restore makes the hosts ready for a new measurement after one has failed, and
// waits for those that have gone.
func (s *sweep) restore(ctx context.Context) error {
	wait := s.HostWait
	if wait <= 0 {
		wait = DefaultHostWait
	}
	wctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for said := false; ; {
		err := s.fleet.Restore(wctx)
		switch {
		case err == nil && said:
			s.Progress.Note("all hosts are there again")
			return nil
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case fleet.Final(err):
			return err
		}
		if !said {
			s.Progress.Note(fmt.Sprintf("waiting up to %v for a host: %v", wait, err))
			said = true
		}
		select {
		case <-time.After(hostPause):
		case <-wctx.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w within %v: %w", ErrHostsGone, wait, err)
		}
	}
}
