package scenarios

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"hdbench/internal/fleet"
	"hdbench/results"
)

// baseSide is the other half of an interleaved sweep: the folder of the base
// build, measured in turn with the new one by the same client.
type baseSide struct {
	binary  string       // on this host
	there   fleet.Binary // on the relay's
	dir     string
	store   *results.Store
	done    map[string]*results.Trial
	version string
	mark    results.Interleaved // of base
	newMark results.Interleaved // of new, in its own folder
}

// openInterleaved turns the folder of the sweep into two: DIR/new, which is an
// ordinary sweep's, and DIR/base.
func (s *sweep) openInterleaved(root string) error {
	s.dir = filepath.Join(root, results.BuildNew)
	b := &baseSide{dir: filepath.Join(root, results.BuildBase), done: map[string]*results.Trial{}}
	var err error
	if b.binary, err = filepath.Abs(s.Interleave); err != nil {
		return err
	}
	if b.mark.SHA256, err = fleet.HashFile(b.binary); err != nil {
		return fmt.Errorf("--interleave: %w", err)
	}
	if b.newMark.SHA256, err = fleet.HashFile(s.Binary); err != nil {
		return err
	}
	b.mark.Build, b.newMark.Build = results.BuildBase, results.BuildNew
	b.mark.ID = rand.Text()
	s.base = b
	if s.Resume == "" {
		b.newMark.ID = b.mark.ID
		return nil
	}
	for _, side := range []struct {
		dir  string
		mark *results.Interleaved
	}{{b.dir, &b.mark}, {s.dir, &b.newMark}} {
		set, err := results.Open(side.dir)
		if err != nil {
			return err
		}
		was := set.Environment.Interleaved
		if was == nil || was.SHA256 != side.mark.SHA256 {
			return fmt.Errorf("%s: the sweep was begun with another %s build (%s); continue it with that one, or start a new sweep", side.dir, side.mark.Build, set.Environment.Hdbench)
		}
		*side.mark = *was
		if side.dir == b.dir {
			for _, t := range set.Trials {
				if t.OK() || t.NA != "" {
					b.done[t.ID] = t
				}
			}
		}
	}
	return nil
}

// isInterleaved reports whether a folder is of an interleaved sweep.
func isInterleaved(dir string) bool {
	for _, side := range []string{results.BuildBase, results.BuildNew} {
		if _, err := os.Stat(filepath.Join(dir, side, results.FileEnvironment)); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// prepareBase finds out what the base build is, by starting its relay, and makes
// its folder, or opens it to be continued.
func (s *sweep) prepareBase(ctx context.Context, scenario []byte) error {
	b := s.base
	if b == nil {
		return nil
	}
	var err error
	if b.there, err = s.relayHost.Offer(ctx, b.binary); err != nil {
		return badInput(fmt.Errorf("--interleave %s: %w", s.Interleave, err))
	}
	r, err := s.relayHost.StartRelay(ctx, fleet.RelaySpec{
		Kind: fleet.KindHD, Transport: "tcp", Workers: 1, CPUs: s.split.Relay.String(), Host: s.dataAddr, Path: b.there.Path, SHA256: b.there.SHA256,
	})
	if err != nil {
		return badInput(fmt.Errorf("--interleave %s: %w", s.Interleave, err))
	}
	b.version = r.Info.Version
	if err := stopRelay(ctx, r); err != nil {
		return fmt.Errorf("--interleave %s: %w", s.Interleave, err)
	}
	if s.Resume != "" {
		b.store, err = results.Append(b.dir)
	} else {
		b.store, err = results.Create(b.dir, b.environment(s.environment()), scenario)
	}
	if err != nil {
		return badInput(err)
	}
	return nil
}

// environment is the base folder's: as the new one's, but for the build.
func (b *baseSide) environment(env results.Environment) results.Environment {
	env.Hdbench, env.Interleaved = b.version, &b.mark
	env.Relays = slices.Clone(env.Relays)
	for i := range env.Relays {
		if env.Relays[i].Name == results.RelayHD {
			env.Relays[i].Version = b.version
		}
	}
	return env
}

// append writes a record that is of both builds, or of the only one.
func (s *sweep) append(t *results.Trial) error {
	err := s.store.Append(t)
	if err == nil && s.base != nil {
		err = s.base.store.Append(t)
	}
	return err
}

// there is what is known of a planned trial, in the folder of either build.
func (s *sweep) there(id string) (base, new *results.Trial) {
	if s.base == nil {
		return nil, s.done[id]
	}
	return s.base.done[id], s.done[id]
}

// sides are the trials of each build's folder.
func (s *sweep) sides() []map[string]*results.Trial {
	if s.base == nil {
		return []map[string]*results.Trial{s.done}
	}
	return []map[string]*results.Trial{s.base.done, s.done}
}

// complete reports whether nothing is left to measure of a planned trial.
func (s *sweep) complete(id string) bool {
	base, new := s.there(id)
	return new != nil && (s.base == nil || base != nil)
}

// measureBoth measures what is missing of a planned trial and records it: hd once
// with either build, which one first from run to run in turn; any other relay once for both.
func (s *sweep) measureBoth(ctx context.Context, p Planned) (text string, err error) {
	base, new := s.there(p.ID)
	if s.base == nil || p.Point.Relay != results.RelayHD {
		save := func(t *results.Trial) error {
			var err error
			if new == nil {
				err = keep(s.store, s.done, t)
			}
			if err == nil && s.base != nil && base == nil {
				err = keep(s.base.store, s.base.done, t)
			}
			return err
		}
		if t := cmp.Or(base, new); t != nil { // in one folder only: it was killed between the two
			return outcome(t), save(t)
		}
		t, err := s.attempt(ctx, p.Point.Config, func() (*results.Trial, error) { return s.trial(ctx, p, fleet.Binary{}) }, save)
		if err != nil {
			return "", err
		}
		return outcome(t), nil
	}
	builds := []struct {
		there *results.Trial
		name  string
		build fleet.Binary
		store *results.Store
		done  map[string]*results.Trial
	}{{base, results.BuildBase, s.base.there, s.base.store, s.base.done}, {new, results.BuildNew, fleet.Binary{}, s.store, s.done}}
	if p.Run%2 == 0 { // not by its place in the shuffled sweep, whose parity chance decides
		slices.Reverse(builds)
	}
	for _, b := range builds {
		if b.there != nil {
			continue
		}
		t, err := s.attempt(ctx, p.Point.Config, func() (*results.Trial, error) { return s.trial(ctx, p, b.build) },
			func(t *results.Trial) error { return keep(b.store, b.done, t) })
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("; %s %s", b.name, outcome(t))
	}
	return text[min(2, len(text)):], nil
}

// keep records a trial, and remembers it unless it failed.
func keep(store *results.Store, done map[string]*results.Trial, t *results.Trial) error {
	if t.OK() || t.NA != "" {
		done[t.ID] = t
	}
	return store.Append(t)
}
