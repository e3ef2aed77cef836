package results

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/units"
)

// planned gives a set the plan of its trials, as its scenario would.
func planned(s *Set) *Set {
	s.Plan = &Plan{MinRuns: 10, MaxRuns: 10}
	for _, t := range s.Trials {
		if !slices.Contains(s.Plan.Points, t.Point) {
			s.Plan.Points = append(s.Plan.Points, t.Point)
		}
	}
	return s
}

// cut is the set as it is when its sweep is killed after n trials: they are made in
// rounds, a run of every point each.
func cut(s *Set, n int) *Set {
	slices.SortStableFunc(s.Trials, func(a, b *Trial) int { return a.Run - b.Run })
	s.Trials = s.Trials[:n]
	return s
}

func gateText(t *testing.T, g *Gate) string {
	t.Helper()
	var b bytes.Buffer
	if err := g.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Points that the new sweep did not come to are no points without a regression.
func TestAnInterruptedSweepDoesNotPass(t *testing.T) {
	for _, c := range []struct {
		name        string
		base, next  int // trials made, of 30
		outcome     Outcome
		missing     int
		first, also string
	}{
		{"both whole", 30, 30, NoRegression, 0, "Base (base)", ""},
		{"new has two rounds", 30, 6, TooFew, 3, "new was interrupted: 6 of 30 trials.", "10 valid runs in base, 2 in new (interrupted: 8 runs still to be made)"},
		{"new has one trial", 30, 1, TooFew, 3, "new was interrupted: 1 of 30 trials.", "10 valid runs in base, 0 in new (interrupted: 10 runs still to be made)"},
		{"base has one round", 3, 30, TooFew, 3, "base was interrupted: 3 of 30 trials.", "10 valid runs in new, 1 in base (interrupted: 9 runs still to be made)"},
		{"new lacks its last trial", 30, 29, NoRegression, 0, "new was interrupted: 29 of 30 trials.", ""},
	} {
		base, next := planned(newBuild(1).set("base")), planned(newBuild(2).set("new"))
		g := compare(t, cut(base, c.base), cut(next, c.next))
		if g.Outcome != c.outcome || len(g.Missing) != c.missing {
			t.Errorf("%s: %v, %q", c.name, g.Outcome, g.Missing)
		}
		text := strings.Join(strings.Fields(gateText(t, g)), " ")
		if !strings.Contains(text, strings.ToUpper(g.Outcome.String())+" "+c.first) || !strings.Contains(text, c.also) {
			t.Errorf("%s: want first %q, and %q:\n%s", c.name, c.first, c.also, text)
		}
	}
}

// One point of several was never come to: what is left is judged, and is not enough.
func TestAPointThatWasNeverTriedIsMissed(t *testing.T) {
	base, next := planned(newBuild(1).set("base")), planned(newBuild(2).set("new"))
	next.Trials = slices.DeleteFunc(next.Trials, func(t *Trial) bool { return t.Point.Offered == 5*units.Gbps })
	g := compare(t, base, next)
	if g.Outcome != TooFew || len(g.Missing) != 1 || !strings.Contains(g.Missing[0], "at 5Gbps: 10 valid runs in base, 0 in new (interrupted: 10 runs still to be made)") {
		t.Errorf("%v, %q", g.Outcome, g.Missing)
	}
	// A point that new never planned is not missed: rates that are found differ.
	next.Plan.Points = slices.DeleteFunc(next.Plan.Points, func(p Point) bool { return p.Offered == 5*units.Gbps })
	if g := compare(t, base, next); g.Outcome != NoRegression || len(g.Missing) > 0 || len(g.Notes) > 0 {
		t.Errorf("not planned: %v, %q, %q", g.Outcome, g.Missing, g.Notes)
	}
	// Nobody knows: it is said, where something is missing.
	next.Plan = nil
	if g := compare(t, base, next); g.Outcome != NoRegression || len(g.Notes) != 1 || !strings.Contains(g.Notes[0], "too few trials of 1 point of base") {
		t.Errorf("plan not known: %v, %q", g.Outcome, g.Notes)
	}
	whole := newBuild(2).set("new")
	if g := compare(t, base, whole); g.Outcome != NoRegression || len(g.Notes) > 0 {
		t.Errorf("plan not known, nothing missing: %v, %q", g.Outcome, g.Notes)
	}
}

func TestWhatMakesASweepInterrupted(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Set)
		want   string
	}{
		{"all is there", func(*Set) {}, ""},
		{"no plan", func(s *Set) { s.Plan = nil; s.Trials = s.Trials[:2] }, ""},
		{"before the points were known", func(s *Set) { *s = Set{Plan: &Plan{MaxRuns: 10, Unresolved: true}} }, "interrupted: before its first trial"},
		{"points that nobody wrote down", func(s *Set) { s.Plan = &Plan{MaxRuns: 10, Unresolved: true} }, ""},
		{"a trial is missing", func(s *Set) { s.Trials = s.Trials[1:] }, "interrupted: 29 of 30 trials"},
		{"probes are no trials", func(s *Set) {
			for _, t := range s.Trials {
				t.Kind = KindProbe
			}
		}, "interrupted: 0 of 30 trials"},
		{"failed trials were tried", func(s *Set) {
			for _, t := range s.Trials {
				t.Load, t.Error = nil, "no"
			}
		}, ""},
		{"what cannot be measured is said once a point", func(s *Set) {
			s.Trials = slices.DeleteFunc(s.Trials, func(t *Trial) bool { return t.Run > 1 && t.Point.Offered == 5*units.Gbps })
			for _, t := range s.Trials {
				if t.Point.Offered == 5*units.Gbps {
					t.Load, t.NA = nil, "no kernel TLS"
				}
			}
		}, ""},
		{"runs until an interval is narrow, and it is", func(s *Set) {
			s.Plan.MinRuns, s.Plan.UntilCI = 3, 0.5
			s.Trials = slices.DeleteFunc(s.Trials, func(t *Trial) bool { return t.Run > 3 })
		}, ""},
		{"runs until an interval is narrow, and it is not yet", func(s *Set) {
			s.Plan.MinRuns, s.Plan.UntilCI = 3, 1e-9
			s.Trials = slices.DeleteFunc(s.Trials, func(t *Trial) bool { return t.Run > 3 })
		}, "interrupted: 9 of at most 30 trials"},
		{"runs until two intervals are narrow, in turn", func(s *Set) {
			s.Plan.MinRuns, s.Plan.UntilCI = 3, 1e-9
			s.Environment.Interleaved = &Interleaved{ID: "one", Build: BuildNew}
			s.Trials = slices.DeleteFunc(s.Trials, func(t *Trial) bool { return t.Run > 3 })
		}, ""},
	} {
		b := newBuild(1)
		b.rng = rand.New(rand.NewPCG(1, 1))
		s := planned(b.set("out"))
		c.change(s)
		if got := s.Interrupted(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A report of an interrupted sweep says so first, in every format people read, and
// in the one for programs.
func TestAnInterruptedSweepsReportSaysSoFirst(t *testing.T) {
	set := cut(planned(newBuild(1).set("out")), 6)
	r, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{Terminal, Markdown, HTML} {
		var b bytes.Buffer
		if err := r.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		said := strings.Index(text, "The sweep was interrupted: 6 of 30 trials.")
		if f == HTML { // has its style and its index before
			_, text, _ = strings.Cut(text, "<main")
			said = strings.Index(text, "The sweep was interrupted: 6 of 30 trials.")
		}
		if said < 0 || said > 300 {
			t.Errorf("%s: said at byte %d", f, said)
		}
	}
	var b bytes.Buffer
	if err := WriteReportJSON(&b, set, 0); err != nil {
		t.Fatal(err)
	}
	if err := validator(t, reportSchemaID, ReportSchema)(b.Bytes()); err != nil {
		t.Errorf("JSON: %v", err)
	}
	var j struct {
		Interrupted *struct{ Trials, Planned int }
	}
	if err := json.Unmarshal(b.Bytes(), &j); err != nil || j.Interrupted == nil || j.Interrupted.Trials != 6 || j.Interrupted.Planned != 30 {
		t.Errorf("JSON: %v, %+v", err, j.Interrupted)
	}
	whole, err := NewReport(planned(newBuild(1).set("out")), 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := whole.Write(&b, Terminal); err != nil || strings.Contains(b.String(), "interrupted") {
		t.Errorf("a whole sweep: %v\n%s", err, b.String())
	}
}

// Points on which a ceiling may stand get more runs where it is known too roughly; the
// plan of a folder counts them as soon as all have had the runs before.
func TestMoreRunsWhereACeilingIsKnownTooRoughly(t *testing.T) {
	s := &Set{Plan: &Plan{MinRuns: 4, MaxRuns: 12, UntilCeiling: 0.4}}
	steady, ragged, low := Point{hd(1), units.Gbps}, Point{derper(), units.Gbps}, Point{derper(), units.Mbps}
	not := Point{hd(2), units.Gbps} // which cannot be measured: it is said once
	s.Plan.Points = []Point{steady, low, ragged, not}
	runs := map[Point]int{}
	add := func(p Point, delivered ...float64) {
		for _, d := range delivered {
			runs[p]++
			s.Trials = append(s.Trials, trial(p.Config, p.Offered, runs[p], d, 0.1))
		}
	}
	check := func(when string, made, planned, had int, want ...Point) {
		t.Helper()
		if p := s.progress(); p.Made != made || p.Planned != planned {
			t.Errorf("%s: %d of %d trials, want %d of %d", when, p.Made, p.Planned, made, planned)
		}
		if more, err := s.Plan.More(s.Trials, had); err != nil || !slices.Equal(more, want) {
			t.Errorf("%s: more of %v, %v", when, more, err)
		}
	}
	na := trial(not.Config, not.Offered, 1, 0, 0)
	na.Load, na.NA = nil, "no kernel TLS"
	s.Trials = append(s.Trials, na)
	add(steady, 1000, 1010, 1000, 1010)
	add(low, 1, 1, 1, 1)
	add(ragged, 500, 1500, 500)
	if p := s.progress(); p.Made != 12 || p.Planned != 13 {
		t.Errorf("before all have four: %d of %d trials", p.Made, p.Planned)
	}
	add(ragged, 1500)
	check("four are not enough", 13, 17, 4, ragged)
	add(ragged, 500, 1500, 500, 1500)
	check("eight are not", 17, 21, 8, ragged)
	add(ragged, 500, 1500, 500)
	check("one of twelve is missing", 20, 21, 8, ragged)
	add(ragged, 1500)
	check("no more than twelve", 21, 21, 12)
}
