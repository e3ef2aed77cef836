package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// givenUpAfter is how many measurements of a configuration must fail in a row for the
// rest to be left out.
const givenUpAfter = 3

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
		// What has failed so often gets one chance a trial, until it works again.
		last := n == attempts || errors.Is(err, errNoStart) || s.failing[c]
		if last && err != nil {
			s.countFailure(c, t)
		}
		if err := save(t); err != nil {
			return nil, err
		}
		if err == nil {
			delete(s.failing, c)
			delete(s.failures, c)
			return t, nil
		}
		if err := s.restore(ctx); err != nil {
			return nil, err
		}
		if last {
			s.failing[c] = true
			return t, nil
		}
		s.Progress.Note(fmt.Sprintf("attempt %d of %d failed, trying again: %v", n, attempts, err))
	}
}

// failure is what is known of a configuration whose last measurement failed.
type failure struct {
	row    int // failed measurements in a row
	reason string
}

// countFailure counts a measurement that has failed for good, and says in its record
// if it is the one for which the configuration is given up. The looks of the probe do
// not count: the trials are there to say why nothing can be measured.
func (s *sweep) countFailure(c results.Config, t *results.Trial) {
	if t.Kind == results.KindProbe || t.Kind == results.KindCalibration {
		return
	}
	if s.failures == nil {
		s.failures = map[results.Config]failure{}
	}
	f := failure{s.failures[c].row + 1, t.Error}
	s.failures[c] = f
	if f.row == givenUpAfter {
		t.Error += fmt.Sprintf("; given up: %d measurements of the configuration in a row have failed", f.row)
	}
}

// givenUp reports whether a configuration is not measured any more.
func (s *sweep) givenUp(c results.Config) bool { return s.failures[c].row >= givenUpAfter }

// ErrNoResult means that the sweep is over, and has nothing to tell of a configuration
// that could have been measured.
var ErrNoResult = errors.New("no result")

// checkResults names the configurations without a result.
func (s *sweep) checkResults() error {
	names := s.names()
	var without []string
	wanted := 0
	for _, c := range s.sc.Resolved.Configurations {
		if s.why(c.Config) != "" || len(c.Rates) == 0 && s.sc.Load.Search == nil {
			continue
		}
		for _, b := range s.searchBuilds(c.Config) {
			wanted++
			if b.measured(c.Config) {
				continue
			}
			text := b.name + names[c.Config]
			if why := s.failures[c.Config].reason; why != "" {
				text += " (" + why + ")"
			}
			without = append(without, text)
		}
	}
	if len(without) == 0 {
		return nil
	}
	return fmt.Errorf("%w for %d of %d configurations: %s", ErrNoResult, len(without), wanted, strings.Join(without, "; "))
}

// measured reports whether the folders of a build have a number of a configuration.
func (b *searchBuild) measured(c results.Config) bool {
	for _, side := range b.sides {
		for _, t := range side.done {
			if t.OK() && t.Point.Config == c && (t.Kind == results.KindTrial || t.Kind == results.KindSearch) {
				return true
			}
		}
	}
	return false
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
