package results

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// ErrRecord is wrapped by what is wrong with a record that could be read: nothing can
// be made of the folder until it is mended.
var ErrRecord = errors.New("a record does not hold together")

// SearchResult is what the search of one configuration found.
type SearchResult struct {
	Config  Config
	Spec    SearchSpec
	Goals   []GoalResult
	Looks   int     // that have numbers
	Invalid int     // of these
	Seconds float64 // of wall time, failed looks included
	NA      string  // why the configuration cannot be measured here
	Failed  string  // why the last look could not be taken, if it could not
}

// LookOf is a search's record as a look.
func LookOf(t *Trial) (Look, error) {
	if t.Kind != KindSearch || t.Search == nil || !t.OK() {
		return Look{}, fmt.Errorf("record %s is no look of a search", t.ID)
	}
	l := Look{Load: t.Point.Offered, Duration: time.Duration(t.Search.DurationNS)}
	l.Loss, _ = t.Load.Loss()
	l.Shortfall, _ = t.Load.Shortfall()
	if t.Trusts(Throughput) {
		return l, nil
	}
	for _, f := range t.Validity {
		if infoOf(f.Code).spoils&Throughput != 0 && (l.Invalid == "" || f.Code == ClientLimited) {
			l.Invalid = f.Code
		}
	}
	return l, nil
}

// Searches finds the searches among the records and what each has found,
// configurations in the order of tables.
func Searches(trials []*Trial) ([]SearchResult, error) {
	groups := map[Config][]*Trial{}
	for _, t := range trials {
		if t.Kind == KindSearch && t.Search != nil {
			groups[t.Point.Config] = append(groups[t.Point.Config], t)
		}
	}
	var rs []SearchResult
	for c, ts := range groups {
		r, err := searchResult(c, ts)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b SearchResult) int { return compareConfig(a.Config, b.Config) })
	return rs, nil
}

func searchResult(c Config, ts []*Trial) (SearchResult, error) {
	r := SearchResult{Config: c, Spec: ts[0].Search.SearchSpec}
	if err := r.Spec.Check(); err != nil {
		return r, fmt.Errorf("%w: search record %s: %w", ErrRecord, ts[0].ID, err)
	}
	slices.SortStableFunc(ts, func(a, b *Trial) int { return cmp.Compare(a.Order, b.Order) })
	e := NewEvidence(r.Spec)
	for _, t := range ts {
		r.Seconds = min(r.Seconds+t.Seconds, math.MaxFloat64) // a damaged record may say anything
		switch {
		case t.NA != "":
			r.NA = t.NA
			continue
		case !t.OK():
			r.Failed = fmt.Sprintf("the look at %v failed: %s", t.Point.Offered, firstLine(t.Error))
			continue
		}
		l, err := LookOf(t)
		if err == nil {
			err = e.Add(l)
		}
		if err != nil {
			return r, fmt.Errorf("%w: search record %s: %w", ErrRecord, t.ID, err)
		}
		if l.Invalid != "" {
			r.Invalid++
		}
	}
	r.Looks, r.Goals = e.Looks(), e.Results()
	return r, nil
}
