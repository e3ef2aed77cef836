package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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

func TestWhatFailsThriceInARowIsGivenUp(t *testing.T) {
	s, bad, c := attempting(), noStart{errors.New("it does not listen")}, results.Config{}
	play(t, s, bad)
	play(t, s, bad)
	if s.givenUp(c) {
		t.Error("given up after two")
	}
	play(t, s, nil)
	play(t, s, bad)
	play(t, s, bad)
	if s.givenUp(c) {
		t.Error("given up, and the three that failed were not in a row")
	}
	last := play(t, s, bad)
	if !s.givenUp(c) {
		t.Error("not given up after three in a row")
	}
	if said := last[0].Error; said != "it does not listen; given up: 3 measurements of the configuration in a row have failed" {
		t.Errorf("the record says %q", said)
	}
}

// A step that failed says nothing about how long the others take, and what is given up
// takes no time.
func TestTimeLeftIsThatOfWhatWorks(t *testing.T) {
	now := time.Unix(0, 0)
	var out strings.Builder
	p := &lineProgress{w: &out, now: func() time.Time { return now }}
	p.Begin("trials", 100)
	p.Expect(2 * time.Second)
	step := func(took time.Duration, end func(string)) {
		t.Helper()
		now = now.Add(took)
		p.Step("x")
		end("y")
	}
	step(20*time.Second, p.Fail) // hangs
	step(3*time.Second, p.Done)
	step(20*time.Second, p.Fail)
	for range 50 { // the rest of what hangs is given up
		p.Skip()
	}
	step(1*time.Second, p.Done)
	want := "trials: 100\n[1/100] x: y (3m18s left)\n[2/100] x: y (4m54s left)\n[3/100] x: y (4m51s left)\n[4/50] x: y (1m32s left)\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// A configuration without a number is no success, whatever else there is; one that
// cannot be measured here is.
func TestConfigurationsWithoutAResult(t *testing.T) {
	s := attempting()
	config := func(relay string) results.Config { return results.Config{Relay: relay, Transport: "tcp", Workers: 1} }
	s.sc = &Scenario{Resolved: &Resolved{}}
	s.done = map[string]*results.Trial{"t": {Kind: results.KindTrial, Point: results.Point{Config: config("good")}, Load: new(measure.Load)}}
	s.relayHost = new(fleet.Host)
	s.versions = map[relayVersion]availability{{relay: "absent"}: {na: "not built"}}
	for _, relay := range []string{"good", "absent"} {
		s.sc.Resolved.Configurations = append(s.sc.Resolved.Configurations, Configuration{Config: config(relay), Rates: []Rate{{Fixed: 1}}})
	}
	if err := s.checkResults(); err != nil {
		t.Error(err)
	}
	s.sc.Resolved.Configurations = append(s.sc.Resolved.Configurations, Configuration{Config: config("bad"), Rates: []Rate{{Fixed: 1}}})
	s.countFailure(config("bad"), &results.Trial{Kind: results.KindTrial, Error: "it hangs"})
	if err := s.checkResults(); !errors.Is(err, ErrNoResult) || err.Error() != "no result for 1 of 2 configurations: bad tcp 1 worker (it hangs)" {
		t.Error(err)
	}
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
