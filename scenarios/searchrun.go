package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"hdbench/internal/fleet"
	"hdbench/internal/units"
	"hdbench/results"
)

// searchAll runs the search of every configuration. They take turns, a look each,
// so that whatever drifts over the sweep touches all alike.
func (s *sweep) searchAll(ctx context.Context) error {
	if s.sc.Load.Search == nil {
		return nil
	}
	names := s.names()
	var running []*searching
	for _, c := range s.sc.Resolved.Configurations {
		spec := s.sc.Load.Search.spec(c.SearchMax)
		for _, b := range s.searchBuilds(c.Config) {
			ctl, err := newController(spec)
			if err != nil {
				return fmt.Errorf("%s: %w", names[c.Config], err)
			}
			running = append(running, &searching{sweep: s, searchBuild: b, config: c.Config, name: b.name + names[c.Config], spec: spec, controller: ctl})
		}
	}
	s.Progress.Begin("searches", len(running))
	defer s.Progress.End()
	for len(running) > 0 {
		still := running[:0]
		for _, r := range running {
			more, err := r.turn(ctx)
			if err != nil {
				return err
			}
			if more {
				still = append(still, r)
			}
		}
		running = still
	}
	return nil
}

// searchBuild is whose search it is, and where its records go: of two builds in
// one sweep hd has a search each; any other relay has one, recorded for both.
type searchBuild struct {
	name  string       // before the configuration's
	hd    fleet.Binary // another build of hd; none: this one
	sides []searchSide
}

// searchSide is one folder.
type searchSide struct {
	store *results.Store
	done  map[string]*results.Trial
}

func (s *sweep) searchBuilds(c results.Config) []searchBuild {
	of := searchSide{s.store, s.done}
	if s.base == nil {
		return []searchBuild{{sides: []searchSide{of}}}
	}
	base := searchSide{s.base.store, s.base.done}
	if c.Relay != results.RelayHD {
		return []searchBuild{{sides: []searchSide{base, of}}}
	}
	return []searchBuild{
		{results.BuildBase + " ", s.base.there, []searchSide{base}},
		{results.BuildNew + " ", fleet.Binary{}, []searchSide{of}},
	}
}

// find is a record that is in one of the folders.
func (b *searchBuild) find(id string) *results.Trial {
	for _, s := range b.sides {
		if t := s.done[id]; t != nil {
			return t
		}
	}
	return nil
}

// save puts a record into the folders that do not have it.
func (b *searchBuild) save(t *results.Trial) error {
	for _, s := range b.sides {
		if s.done[t.ID] == nil {
			if err := keep(s.store, s.done, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// searching is one configuration's search under way.
type searching struct {
	*sweep
	searchBuild
	config     results.Config
	name       string
	spec       results.SearchSpec
	controller *controller
	order      int // looks so far
}

// errLook means that a look could not be taken, after several attempts.
var errLook = errors.New("the look cannot be taken")

// turn takes one look and says how the search ended when it has. A configuration
// that cannot be measured ends its own search, not the others'.
func (r *searching) turn(ctx context.Context) (more bool, err error) {
	if why := r.why(r.config); why != "" {
		return false, r.notHere(why)
	}
	if load, d, _, ok := r.controller.next(); ok {
		r.Progress.Step(fmt.Sprintf("%s, look %d: %v for %v", r.name, r.order+1, load, d))
	}
	more, err = r.controller.step(ctx, r)
	if more && err == nil {
		return true, nil
	}
	r.Progress.Step(r.name)
	switch {
	case errors.Is(err, errLook):
		r.Progress.Done("given up: " + err.Error())
		return false, nil
	case err != nil:
		return false, err
	}
	r.Progress.Done(r.outcome())
	return false, nil
}

// notHere records, once, that the configuration cannot be measured.
func (r *searching) notHere(why string) error {
	t := r.record(r.spec.Min, 0, 1)
	t.NA = why
	r.Progress.Step(r.name)
	r.Progress.Done(outcome(t))
	return r.save(t)
}

func (r *searching) record(load units.Rate, d time.Duration, n int) *results.Trial {
	p := results.Point{Config: r.config, Offered: load}
	t := r.newTrial(results.KindSearch, p)
	t.ID, t.Run, t.Order = results.TrialID(results.KindSearch, p, n), n, r.order
	t.Search = &results.SearchLook{SearchSpec: r.spec, DurationNS: int64(d)}
	return t
}

// Look takes a look that is not there yet, through a relay of its own.
func (r *searching) Look(ctx context.Context, load units.Rate, d time.Duration, n int) (results.Look, error) {
	r.order++
	t := r.record(load, d, n)
	if there := r.find(t.ID); there != nil {
		if err := r.save(there); err != nil { // killed between two folders
			return results.Look{}, err
		}
		l, err := results.LookOf(there)
		if err == nil && l.Duration != d {
			err = fmt.Errorf("record %s is a look of %v, the search wants one of %v: it was begun by another version; start a new sweep", t.ID, l.Duration, d)
		}
		return l, err
	}
	t, err := r.attempt(ctx, r.config, func() (*results.Trial, error) {
		t := r.record(load, d, n)
		return t, r.through(ctx, t, r.hd, windows{r.sc.Warmup, d, r.sc.Drain})
	}, r.save)
	if err != nil {
		return results.Look{}, err
	}
	if !t.OK() {
		return results.Look{}, fmt.Errorf("%w: %v: %s", errLook, load, t.Error)
	}
	return results.LookOf(t)
}

// outcome is what the search found, in a few words.
func (r *searching) outcome() string {
	var parts []string
	for _, g := range r.controller.ev.Results() {
		text := g.Name() + " "
		switch {
		case g.Lower > 0 && g.Upper > 0:
			text += fmt.Sprintf("%v to %v", g.Lower, g.Upper)
		case g.Lower > 0:
			text += fmt.Sprintf("%v at least", g.Lower)
		case g.Upper > 0:
			text += fmt.Sprintf("less than %v", g.Upper)
		default:
			text += "n/a"
		}
		if g.Irregular != "" {
			text += " (" + g.Irregular + ")"
		}
		parts = append(parts, text)
	}
	return fmt.Sprintf("%s; %d looks", strings.Join(parts, ", "), r.controller.ev.Looks())
}

// fitSearches gives every configuration the highest rate its search may offer: the
// scenario's, or what follows from its climb, or else, where that found nothing, what
// the client reaches without a relay.
func (s *sweep) fitSearches(cs []Configuration) error {
	search := s.sc.Load.Search
	if search == nil {
		return nil
	}
	for i := range cs {
		c := &cs[i]
		if search.Max > 0 {
			c.SearchMax = search.Max
		}
		if c.SearchMax == 0 {
			c.SearchMax = threeDigitsBelow(s.limits[clientOf(c.Config)].all)
		}
		switch {
		case c.SearchMax > search.Min:
		case s.why(c.Config) != "": // nothing will be offered
			c.SearchMax = 2 * search.Min
		default:
			return badInput(fmt.Errorf("load.search: min is %v, and %v is the most there is to offer (%v); give a lower min, or a max",
				search.Min, c.SearchMax, c.Load))
		}
	}
	return nil
}

// searchTop is the highest rate a search is offered after a climb: twice the knee, on
// R10. A relay may lose a little long before it loses much.
func searchTop(k Knee) units.Rate {
	return min(rungBelow(k.Bps, r10).above(r10)+doubling, highestRung).rate()
}

// threeDigitsBelow rounds down to three significant digits.
func threeDigitsBelow(v float64) units.Rate {
	if !(v > 0) {
		return 0
	}
	scale := math.Pow(10, math.Floor(math.Log10(v))-2)
	r, err := searchRate(units.Rate(math.Floor(v/scale) * scale).String()) // as it will be read back
	if err != nil {
		return 0
	}
	return r
}
