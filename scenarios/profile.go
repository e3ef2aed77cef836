package scenarios

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"hdbench/internal/fleet"
	"hdbench/internal/profile"
	"hdbench/internal/units"
	"hdbench/results"
)

// profileWindow is how long a relay is sampled at least: a second of a relay that
// is half busy is five hundred samples, too few to tell small shares apart.
const profileWindow = 3 * time.Second

// profiledMissing is how much of what is offered may be missing at the rate at
// which a relay is sampled, lost or held back: what one relay loses another keeps
// its senders from sending.
const profiledMissing = 0.01

// profileAll samples every configuration once, when all rates have been measured:
// the trials that are sampled are others than those that make ceilings.
func (s *sweep) profileAll(ctx context.Context) error {
	if !s.sc.Profile {
		return nil
	}
	names := s.names()
	files := profileFiles(s.sc.Resolved.Configurations, names)
	type job struct {
		config results.Config
		build  searchBuild
	}
	var todo []job
	for _, c := range s.sc.Resolved.Configurations {
		for _, b := range s.searchBuilds(c.Config) {
			if s.why(c.Config) == "" {
				b.forgetUnsampled(c.Config)
			}
			if !b.profiled(c.Config) {
				todo = append(todo, job{c.Config, b})
			}
		}
	}
	if len(todo) == 0 {
		return nil
	}
	s.Progress.Begin("profiles", len(todo))
	defer s.Progress.End()
	cannot := ""
	for i, j := range todo {
		s.Progress.Step(j.build.name + names[j.config] + ", profile")
		var p *fleet.Profile
		t, err := s.attempt(ctx, j.config, func() (t *results.Trial, err error) {
			t, p, err = s.profile(ctx, j.config, j.build.hd, cannot)
			t.Order = i + 1
			if errors.Is(err, fleet.ErrNoProfile) {
				cannot, err = t.NA, nil // the same for all of this host
			}
			return t, err
		}, func(t *results.Trial) error { return j.build.keepProfile(t, p, files[j.config]) })
		if err != nil {
			return err
		}
		s.Progress.Done(profileOutcome(t))
	}
	return nil
}

// profiled reports whether a build's folders have all a configuration's profile.
func (b *searchBuild) profiled(c results.Config) bool {
	return !slices.ContainsFunc(b.sides, func(s searchSide) bool { return !s.profiled(c) })
}

func (s searchSide) profiled(c results.Config) bool {
	for _, t := range s.done {
		if t.Kind == results.KindProfile && t.Point.Config == c {
			return true
		}
	}
	return false
}

// forgetUnsampled lets a resumed sweep try again where sampling was not permitted.
func (b *searchBuild) forgetUnsampled(c results.Config) {
	for _, side := range b.sides {
		maps.DeleteFunc(side.done, func(_ string, t *results.Trial) bool {
			return t.Kind == results.KindProfile && t.Point.Config == c && t.NA != ""
		})
	}
}

// profile makes a trial of a configuration in which the relay is sampled. It always
// returns a record; the error is why that has no numbers, or ErrNoProfile.
func (s *sweep) profile(ctx context.Context, c results.Config, hd fleet.Binary, cannot string) (*results.Trial, *fleet.Profile, error) {
	offered, found := profiledRate(s.done, c)
	t := s.newTrial(results.KindProfile, results.Point{Config: c, Offered: offered})
	switch {
	case s.why(c) != "":
		t.NA = s.why(c)
	case cannot != "":
		t.NA = cannot
	case !found: // no n/a: when the sweep is resumed there may be one
		t.Error = "no trial of the configuration has numbers, to take a rate from"
	}
	if t.NA+t.Error != "" {
		return t, nil, nil
	}
	began := time.Now()
	var p *fleet.Profile
	var perr error
	r, err := s.startBuild(ctx, c, hd)
	if err == nil {
		w := windows{s.sc.Warmup, max(s.sc.Measure, profileWindow), s.sc.Drain}
		err = s.measureBeside(ctx, t, r, w, func(ctx context.Context, begin, end int64) {
			p, perr = r.Profile(ctx, begin, end, profile.DefaultFrequency)
		})
		err = s.endRelay(ctx, t, r, err)
	}
	if errors.Is(perr, fleet.ErrNoProfile) {
		t.NA, t.Load, t.Relay = perr.Error(), nil, nil
		t.Seconds = time.Since(began).Seconds()
		return t, nil, perr
	}
	if perr != nil {
		s.startLater()
	}
	err = errors.Join(err, perr)
	s.finish(t, began, err)
	return t, p, err
}

// profiledRate is the rate at which a configuration is sampled: the highest of
// which less than 1 % was missing in valid trials; where more was missing
// everywhere, the one with the least; where no trial is valid, the same of those
// that have numbers.
func profiledRate(done map[string]*results.Trial, c results.Config) (units.Rate, bool) {
	type seen struct {
		rate    units.Rate
		missing []float64
		valid   bool
	}
	by := map[units.Rate]*seen{}
	for _, t := range done {
		if (t.Kind != results.KindTrial && t.Kind != results.KindSearch) || t.Point.Config != c || !t.OK() {
			continue
		}
		at := by[t.Point.Offered]
		if at == nil || t.Valid() && !at.valid {
			at = &seen{rate: t.Point.Offered, valid: t.Valid()}
			by[t.Point.Offered] = at
		}
		if at.valid == t.Valid() {
			at.missing = append(at.missing, missing(t))
		}
	}
	var best *seen
	for _, s := range by {
		if best == nil {
			best = s
			continue
		}
		mine, its := max(profiledMissing, stat.Mean(s.missing, nil)), max(profiledMissing, stat.Mean(best.missing, nil)) // less is all the same
		switch {
		case s.valid != best.valid:
			if s.valid {
				best = s
			}
		case mine < its, mine == its && s.rate > best.rate:
			best = s
		}
	}
	if best == nil {
		return 0, false
	}
	return best.rate, true
}

// missing is the share of what is offered (with max, of what was sent) that was not
// delivered in the window.
func missing(t *results.Trial) float64 {
	of := float64(t.Point.Offered)
	if t.Point.Offered.IsMax() {
		of = t.Load.SentBps
	}
	if !(of > 0) {
		return 1
	}
	return 1 - t.Load.DeliveredBps/of
}

// profileFiles are the files of the configurations' profiles, without the ending.
func profileFiles(cs []Configuration, names map[results.Config]string) map[results.Config]string {
	files, taken := map[results.Config]string{}, map[string]bool{}
	for _, c := range cs {
		base := results.FileName(names[c.Config])
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[name], files[c.Config] = true, name
	}
	return files
}

// keepProfile writes a profile's files into the folders that do not have it, then
// the record that names them.
func (b *searchBuild) keepProfile(t *results.Trial, p *fleet.Profile, name string) error {
	if t.OK() && p != nil {
		t.Profile = &p.Summary
		t.Profile.File = results.DirProfiles + "/" + name + profile.EndingPprof
		t.Profile.Folded = results.DirProfiles + "/" + name + profile.EndingFolded
		folded, err := unzip(p.Folded)
		if err != nil {
			return fmt.Errorf("folded stacks of %s: %w", name, err)
		}
		for _, side := range b.sides {
			if side.profiled(t.Point.Config) {
				continue // its files belong to its record
			}
			if err := os.MkdirAll(filepath.Join(side.store.Dir(), results.DirProfiles), 0o755); err != nil {
				return err
			}
			for file, text := range map[string][]byte{t.Profile.File: p.Pprof, t.Profile.Folded: folded} {
				if err := results.WriteFile(filepath.Join(side.store.Dir(), file), text); err != nil {
					return err
				}
			}
		}
	}
	return b.save(t)
}

func unzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// profileOutcome is a profile in a few words.
func profileOutcome(t *results.Trial) string {
	if t.Profile == nil {
		return outcome(t)
	}
	return fmt.Sprintf("%v offered, %d samples, %.1f %% in a category", t.Point.Offered, t.Profile.Samples, 100*t.Profile.Named())
}
