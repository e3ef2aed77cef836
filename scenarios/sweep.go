package scenarios

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/results"
)

// Sweep is a sweep to be run.
type Sweep struct {
	Scenario *Scenario // nil with Resume: the folder's
	Out      string    // folder to create
	Resume   string    // folder to continue, instead
	Derper   string    // path of the baseline's binary; empty: looked for
	// Interleave is another hdbench, the base build: every trial of hd is made
	// with both, in turn, into two folders, base and new.
	Interleave string
	// Profile samples every configuration, as the scenario's key does; a sweep that
	// is resumed gets its profiles then.
	Profile bool
	// Strict refuses to run where a check of the doctor's fails.
	Strict bool

	// Members are the hosts: one relay, and as many clients as there are. Empty:
	// both on this one, or what is found at NATS.
	Members []fleet.Member
	SSH     fleet.SSH
	NATS    fleet.External // of the user's own, where agents are found; not set: none is
	Wanted  fleet.Wanted   // among those
	Data    string         // address the relay listens on; empty: its member's
	// HostWait is how long to wait for a host that has gone; 0: DefaultHostWait.
	HostWait time.Duration
	// RelayWait is how long a relay may take to accept connections; 0:
	// fleet.DefaultRelayWait.
	RelayWait time.Duration
	Log       func(string) // gets what the user should know of the hosts; nil: nobody

	Binary  string   // hdbench, for agents and their children
	Version string   // of it
	Command []string // as typed, for the record

	Progress Progress
}

// ErrBadInput is wrapped by what is the user's to mend.
var ErrBadInput = errors.New("bad input")

// badInput marks an error without changing its text. A full disk is nobody's input.
func badInput(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return err
	}
	return &inputError{err}
}

type inputError struct{ error }

func (e *inputError) Is(target error) bool { return target == ErrBadInput }
func (e *inputError) Unwrap() error        { return e.error }

// Run runs the sweep and returns its folder; an interleaved one's holds two. When ctx is cancelled the folder is
// left as it is: Resume continues it.
func (o Sweep) Run(ctx context.Context) (dir string, err error) {
	s := &sweep{Sweep: o, failing: map[results.Config]bool{}}
	if err := s.open(); err != nil {
		return s.dir, badInput(err)
	}
	defer func() {
		if s.base != nil {
			dir = filepath.Dir(s.dir)
		}
	}()
	f, err := o.start(ctx)
	if err != nil {
		return s.dir, fmt.Errorf("boot: %w", err)
	}
	defer f.Close()
	s.fleet, s.relayHost, s.clientHosts = f, f.Hosts(fleet.RoleRelay)[0], f.Hosts(fleet.RoleClient)
	if s.dataAddr, err = dataAddress(s.relayHost, s.clientHosts); err != nil {
		return s.dir, badInput(err)
	}
	if err := s.prepare(ctx); err != nil {
		return s.dir, err
	}
	defer s.store.Close()
	if s.base != nil {
		defer s.base.store.Close()
	}
	if err := s.resolve(ctx); err != nil {
		return s.dir, err
	}
	if err := s.measureAll(ctx); err != nil {
		return s.dir, err
	}
	if err := s.searchAll(ctx); err != nil {
		return s.dir, err
	}
	if err := s.profileAll(ctx); err != nil {
		return s.dir, err
	}
	return s.dir, s.checkResults()
}

// hereOnly is the fleet of a sweep on one machine: an agent for each side.
func hereOnly() []fleet.Member {
	return []fleet.Member{{Agent: "relay", Role: fleet.RoleRelay}, {Agent: "client", Role: fleet.RoleClient}}
}

// sweep is a Sweep under way.
type sweep struct {
	Sweep
	dir   string
	sc    *Scenario
	store *results.Store
	done  map[string]*results.Trial // records that are there already, by ID
	was   results.Environment       // of the folder that is continued
	base  *baseSide                 // nil unless the sweep is interleaved; the rest is then of the new build

	fleet       *fleet.Fleet
	relayHost   *fleet.Host
	clientHosts []*fleet.Host
	dataAddr    string // where the relay listens for traffic
	split       Split
	near        *nearness     // nil where relay and client have no CPUs of one host
	line        *measure.Line // what the network between relay and clients carries
	seed        uint64
	versions    map[relayVersion]availability
	limits      map[results.Config]clientLimit // the clients' own, by clientOf
	ahead       time.Duration                  // startAhead, or more where loads have failed
	failing     map[results.Config]bool        // whose last measurement failed, however often it was tried
	failures    map[results.Config]failure     // and how many did so in a row
	failed      map[results.Config]int         // of the folder that is continued: records that have failed
	examined    *measure.Examination           // of the hosts, before anything is run
}

// open reads what there is before anything is started.
func (s *sweep) open() error {
	s.done, s.failed = map[string]*results.Trial{}, map[results.Config]int{}
	if s.Resume == "" {
		s.sc, s.dir = s.Scenario, s.Out
		s.sc.Profile = s.sc.Profile || s.Profile
		entries, err := os.ReadDir(s.dir)
		if err == nil && len(entries) > 0 {
			return fmt.Errorf("%s: the folder is not empty; choose another with --out, or continue its sweep with --resume %s", s.dir, s.dir)
		}
		if s.Interleave != "" {
			return s.openInterleaved(s.Out)
		}
		return nil
	}
	s.dir = s.Resume
	switch both := isInterleaved(s.Resume); {
	case both && s.Interleave == "":
		return fmt.Errorf("%s: its sweep is of two builds; continue it with --interleave BASE_BINARY too", s.Resume)
	case both:
		if err := s.openInterleaved(s.Resume); err != nil {
			return err
		}
	case s.Interleave != "":
		return fmt.Errorf("%s: its sweep is of one build; continue it without --interleave", s.Resume)
	}
	set, err := results.Open(s.dir)
	if err != nil {
		return err
	}
	there, err := Parse(filepath.Join(s.dir, results.FileScenario), set.Scenario)
	if err != nil {
		return err
	}
	if s.Scenario != nil {
		if err := sameScenario(there, s.Scenario, s.dir); err != nil {
			return err
		}
	}
	there.Profile = there.Profile || s.Profile
	s.sc, s.seed, s.was = there, set.Environment.Seed, set.Environment
	for _, t := range set.Trials {
		if t.OK() || t.NA != "" { // a failed trial gets another chance
			s.done[t.ID] = t
		} else if t.Kind == results.KindTrial || t.Kind == results.KindSearch {
			s.failed[t.Point.Config]++
		}
	}
	return nil
}

// sameScenario reports an error unless both are one scenario, apart from what a
// sweep has filled in.
func sameScenario(there, given *Scenario, dir string) error {
	a, b := *there, *given
	a.Resolved, b.Resolved = nil, nil
	a.Profile, b.Profile = false, false // they measure the same; profiles may be made later
	textA, err := a.Marshal()
	if err != nil {
		return err
	}
	textB, err := b.Marshal()
	if err != nil {
		return err
	}
	if !bytes.Equal(textA, textB) {
		return fmt.Errorf("%s holds a sweep of scenario %s, which is not the one given (%s); resume it without naming a scenario, or start a new one with --out", dir, there.Name, given.Name)
	}
	return nil
}

// prepare makes the folder, or opens it to be continued.
func (s *sweep) prepare(ctx context.Context) error {
	want := s.sc.CPUs
	if s.sc.Resolved != nil {
		want = s.sc.Resolved.CPUs
	}
	cores, err := parseCores(s.relayHost.Cores())
	if err != nil {
		return err
	}
	if s.split, err = s.fitHosts(want, cores); err != nil {
		return badInput(err)
	}
	s.near = s.newNearness()
	if err := s.findRelays(ctx); err != nil {
		return err
	}
	if err := s.examineHosts(ctx); err != nil {
		return err
	}
	if s.Resume != "" {
		s.line = s.was.Line // of the same hosts
		if err := s.sameHosts(); err != nil {
			return badInput(err)
		}
		if err := s.prepareBase(ctx, nil); err != nil {
			return err
		}
		s.store, err = results.Append(s.dir)
		if err != nil {
			return badInput(err)
		}
		return s.keepExamination()
	}
	switch {
	case s.sc.Resolved != nil:
		s.seed = s.sc.Resolved.Seed
	case s.sc.Seed != 0:
		s.seed = s.sc.Seed
	default:
		var b [8]byte
		rand.Read(b[:]) // crypto/rand does not fail
		s.seed = binary.LittleEndian.Uint64(b[:])>>16 | 1
	}
	if s.line, err = s.checkLine(ctx); err != nil {
		return err
	}
	text, err := s.sc.Marshal()
	if err != nil {
		return err
	}
	if err := s.prepareBase(ctx, text); err != nil {
		return err
	}
	s.store, err = results.Create(s.dir, s.environment(), text)
	if err != nil {
		return badInput(err)
	}
	return s.keepExamination()
}

// sameHosts refuses to continue a sweep where its numbers could not stand beside
// those that are there.
func (s *sweep) sameHosts() error {
	now := s.environment().Hosts
	if len(now) != len(s.was.Hosts) {
		return fmt.Errorf("%s: the sweep was begun with %d hosts, not with %d; continue it with the same, or start a new one", s.dir, len(s.was.Hosts), len(now))
	}
	for i, was := range s.was.Hosts {
		if !was.Host.Same(now[i].Host) || was.CPUs != now[i].CPUs {
			changed := ""
			for _, d := range was.Host.Fingerprint.Differences(now[i].Host.Fingerprint) {
				changed += fmt.Sprintf("; %s was %s and is %s", d.Name, d.A, d.B)
			}
			return fmt.Errorf("%s: the sweep was begun on another host, in another state or on other CPUs (%s: %s, Linux %s, CPUs %s%s); continue it there, or start a new one",
				s.dir, was.Agent, was.Host.Name, was.Host.Kernel, was.CPUs, changed)
		}
	}
	return nil
}

func (s *sweep) environment() results.Environment {
	env := results.Environment{
		Hdbench: s.Version, Started: time.Now().UTC(), Command: s.Command, Scenario: s.sc.Name, Seed: s.seed, Line: s.line,
		Hosts: []results.HostEntry{s.hostEntry(s.relayHost, s.split.Relay.String(), s.dataAddr)},
	}
	for _, h := range s.clientHosts {
		env.Hosts = append(env.Hosts, s.hostEntry(h, s.clientCPUs(h), h.Member().Data))
	}
	if s.base != nil {
		env.Interleaved = &s.base.newMark
	}
	for v, a := range s.versions {
		env.Relays = append(env.Relays, results.RelayVersion{Name: v.relay, Version: a.version, NA: a.na})
	}
	slices.SortFunc(env.Relays, func(a, b results.RelayVersion) int { return cmp.Compare(a.Name, b.Name) })
	return env
}

// resolve fills in what the scenario leaves open, by probing where rates are to
// be found, and writes it down. The client is calibrated first.
func (s *sweep) resolve(ctx context.Context) error {
	r := s.sc.Resolved
	if r == nil {
		r = &Resolved{
			Seed: s.seed, CPUs: CPUs{s.split.Relay.String(), s.split.Client.String()},
			Configurations: s.sc.configurations(func(relay string) []int { return autoWorkers(relay, s.split.Relay.Size()) }),
		}
	}
	if err := s.calibrate(ctx, r.Configurations); err != nil {
		return err
	}
	if s.sc.Resolved == nil {
		if err := s.chooseRates(ctx, r.Configurations); err != nil {
			return err
		}
	}
	if err := s.fitSearches(r.Configurations); err != nil {
		return err
	}
	if err := r.checkSize(); err != nil {
		return badInput(err)
	}
	s.sc.Resolved = r
	text, err := s.sc.Marshal()
	if err != nil {
		return err
	}
	if s.base != nil {
		if err := results.WriteFile(filepath.Join(s.base.dir, results.FileScenario), text); err != nil {
			return err
		}
	}
	return results.WriteFile(filepath.Join(s.dir, results.FileScenario), text)
}

// measureAll makes the trials that are not there yet: first so many runs of every
// point, then more of those whose first runs ask for it.
func (s *sweep) measureAll(ctx context.Context) error {
	plan, all := s.sc.TrialPlan(), s.sc.Resolved.trials(s.sc.Runs.Max)
	wanted := map[results.Point]bool{}
	for _, p := range plan.Points {
		wanted[p] = true
	}
	for had := 0; ; {
		first := had == 0
		had = min(had+plan.First(), s.sc.Runs.Max)
		var todo []Planned
		for _, p := range all {
			// What cannot be measured is said once a point.
			if wanted[p.Point] && p.Run <= had && !s.complete(p.ID) && (p.Run == 1 || s.why(p.Point.Config) == "") {
				todo = append(todo, p)
			}
		}
		if err := s.measurePlanned(ctx, todo, first); err != nil {
			return err
		}
		clear(wanted)
		for _, side := range s.sides() {
			more, err := plan.More(slices.Collect(maps.Values(side)), had)
			if err != nil {
				return err
			}
			for _, p := range more {
				wanted[p] = true
			}
		}
		if len(wanted) == 0 {
			return nil
		}
	}
}

// measurePlanned makes these trials: the first runs of all points, or more of some.
func (s *sweep) measurePlanned(ctx context.Context, todo []Planned, first bool) error {
	title := "trials"
	if !first {
		title = "more runs, where a ceiling is known too roughly"
	}
	names := s.names()
	if s.Resume != "" && first {
		s.sayAgain(todo, names)
	}
	if len(todo) == 0 && (s.sc.Load.Search != nil || !first) {
		return nil
	}
	s.Progress.Begin(title, len(todo))
	s.Progress.Expect(s.sc.trialTime())
	defer s.Progress.End()
	for i, p := range todo {
		if s.givenUp(p.Point.Config) {
			continue
		}
		if s.enough(p.Point) {
			s.Progress.Skip()
			continue
		}
		s.Progress.Step(fmt.Sprintf("%s, %v, run %d", names[p.Point.Config], p.Point.Offered, p.Run))
		text, err := s.measureBoth(ctx, p)
		if err != nil {
			return err
		}
		if s.failing[p.Point.Config] {
			s.Progress.Fail(text)
			s.giveUp(todo[i+1:], p.Point.Config, names)
			continue
		}
		if s.enough(p.Point) {
			text += ", enough"
		}
		s.Progress.Done(text)
	}
	return nil
}

// giveUp leaves out what is left of a configuration that fails and fails.
func (s *sweep) giveUp(left []Planned, c results.Config, names map[results.Config]string) {
	if !s.givenUp(c) {
		return
	}
	n := 0
	for _, p := range left {
		if p.Point.Config == c {
			s.Progress.Skip()
			n++
		}
	}
	s.Progress.Note(fmt.Sprintf("%s is given up: %d measurements in a row have failed; %d more of its trials are left out", names[c], s.failures[c].row, n))
}

// sayAgain says what a sweep that is continued makes, and what of it once more.
func (s *sweep) sayAgain(todo []Planned, names map[results.Config]string) {
	count := map[results.Config]int{}
	for _, p := range todo {
		count[p.Point.Config]++
	}
	for _, c := range s.sc.Resolved.Configurations {
		n, again := count[c.Config], s.failed[c.Config]
		switch {
		case n > 0 && again > 0:
			s.Progress.Note(fmt.Sprintf("%s: trials to be made: %d, of which %d failed before", names[c.Config], n, again))
		case n > 0:
			s.Progress.Note(fmt.Sprintf("%s: trials to be made: %d", names[c.Config], n))
		case again > 0:
			s.Progress.Note(fmt.Sprintf("%s: looks that failed before and are taken again: %d", names[c.Config], again))
		}
	}
}

// enough reports whether a point needs no more runs. Of two builds, runs count
// where both are trusted: they are judged as pairs.
func (s *sweep) enough(p results.Point) bool {
	if s.sc.Runs.UntilCI == 0 {
		return false
	}
	var base, new []*results.Trial
	for run := 1; run <= s.sc.Runs.Max; run++ {
		b, n := s.there(results.TrialID(results.KindTrial, p, run))
		switch {
		case n == nil:
		case s.base == nil:
			new = append(new, n)
		case b != nil && b.Trusts(results.Throughput) && n.Trusts(results.Throughput):
			base, new = append(base, b), append(new, n)
		}
	}
	return s.sc.Runs.enough(new) && (s.base == nil || s.sc.Runs.enough(base))
}

// names are the configurations' names, with the load where there are several.
func (s *sweep) names() map[results.Config]string {
	var cs []results.Config
	shapes := map[results.Shape]bool{}
	for _, c := range s.sc.Resolved.Configurations {
		cs = append(cs, c.Config)
		shapes[c.Load] = true
	}
	names := results.Names(cs)
	if len(shapes) > 1 {
		for c := range names {
			names[c] += ", " + c.Load.String()
		}
	}
	return names
}

// outcome is a trial in a few words.
func outcome(t *results.Trial) string {
	switch {
	case t.NA != "":
		return "n/a: " + t.NA
	case !t.OK():
		return "failed: " + t.Error
	}
	text := fmt.Sprintf("delivered %.0f Mbps", t.Load.DeliveredBps/1e6)
	if loss, ok := t.Load.Loss(); ok {
		text += fmt.Sprintf(", loss %.2f %%", 100*loss)
	}
	for _, n := range t.RelayNotes {
		text += ", relay " + n.What
	}
	said := map[results.Code]bool{}
	for _, f := range t.Validity {
		if !said[f.Code] { // once, however many hosts have it
			text += ", " + string(f.Code)
		}
		said[f.Code] = true
	}
	return text
}
