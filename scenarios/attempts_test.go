package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/results"
)

// attempting is a sweep without hosts, for whatever is attempted.
func attempting() *sweep {
	return &sweep{
		Sweep: Sweep{Progress: &lineProgress{w: io.Discard, now: time.Now}},
		fleet: new(fleet.Fleet), failing: map[results.Config]bool{},
	}
}

// play makes attempts that end as outcomes say, and returns the records.
func play(t *testing.T, s *sweep, outcomes ...error) (records []*results.Trial) {
	t.Helper()
	last, err := s.attempt(t.Context(), results.Config{}, func() (*results.Trial, error) {
		if len(records) == len(outcomes) {
			t.Fatal("one attempt too many")
		}
		tr, err := &results.Trial{Load: new(measure.Load)}, outcomes[len(records)]
		s.finish(tr, time.Now(), err)
		return tr, err
	}, func(tr *results.Trial) error {
		records = append(records, tr)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 || last != records[len(records)-1] {
		t.Fatal("what is returned is not what was recorded last")
	}
	return records
}

func TestWhatFailsIsMadeAgainAFewTimes(t *testing.T) {
	bad := errors.New("the agent has ended")
	for name, c := range map[string]struct {
		outcomes []error
		attempts []int // as recorded
	}{
		"well at once":            {[]error{nil}, []int{0}},
		"well at the second":      {[]error{bad, nil}, []int{0, 2}},
		"never well":              {[]error{bad, bad, bad}, []int{0, 2, 3}},
		"a relay without a start": {[]error{fmt.Errorf("agent relay: %w", noStart{bad})}, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			records := play(t, attempting(), c.outcomes...)
			var got []int
			for i, r := range records {
				got = append(got, r.Attempt)
				if failed := c.outcomes[i] != nil; failed != (r.Error != "") || failed == (r.Load != nil) {
					t.Errorf("attempt %d: error %q, numbers %v", i+1, r.Error, r.Load != nil)
				}
			}
			if !slices.Equal(got, c.attempts) {
				t.Errorf("recorded attempts %v, want %v", got, c.attempts)
			}
		})
	}
}

func TestWhatAlwaysFailsGetsOneAttemptUntilItWorks(t *testing.T) {
	s, bad := attempting(), errors.New("the relay ended by itself")
	play(t, s, bad, bad, bad)
	play(t, s, bad)
	play(t, s, nil)
	play(t, s, bad, nil)
}

func TestAnInterruptedAttemptIsNoRecord(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := attempting().attempt(ctx, results.Config{}, func() (*results.Trial, error) {
		cancel()
		return new(results.Trial), ctx.Err()
	}, func(*results.Trial) error {
		t.Error("it was recorded")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What an agent did not say must not read as a rate of zero.
func TestALoadThatSentNothingIsNoMeasurement(t *testing.T) {
	sent := func(packets ...uint64) *measure.Load {
		l := new(measure.Load)
		for _, n := range packets {
			l.SentPackets += n
			l.Hosts = append(l.Hosts, measure.ClientHost{Agent: "c", SendFlows: 1, SentPackets: n})
		}
		return l
	}
	receives := sent(5, 0)
	receives.Hosts[1].SendFlows = 0 // it has receivers only
	for name, c := range map[string]struct {
		load *measure.Load
		ok   bool
	}{
		"an empty answer":         {new(measure.Load), false},
		"all have sent":           {sent(5, 5), true},
		"one has not":             {sent(5, 0), false},
		"one has nothing to send": {receives, true},
	} {
		if err := somethingSent(c.load); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
