package results

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/units"
)

// overTransport is a configuration over another transport.
func overTransport(c Config, transport string) Config {
	c.Transport = transport
	return c
}

// publishedSet is the published rows as trials.
func publishedSet() *Set {
	s := &Set{Dir: "/somewhere/published-1", Environment: environment()}
	ts := overTransport(derper(), "tls")
	ts.Version, ts.Workers = "1.96.4", 4
	for _, r := range []struct {
		c          Config
		mbps, loss float64
	}{
		{overTransport(hd(2), "ktls"), 3833, 0.03}, {overTransport(hd(4), "ktls"), 6680, 0.08},
		{hd(2), 7383, 0.01}, {hd(4), 8652, 0.01}, {ts, 4100, 0.37},
	} {
		for run, e := range []float64{-1, 0, 1, 0} {
			t := trial(r.c, units.Rate(r.mbps/(1-r.loss)*1e6), run+1, r.mbps+e, 0.3)
			t.RelayCPUs, t.ClientCPUs = "0-3", "4-7"
			t.Validity = Judge(t)
			s.Trials = append(s.Trials, t)
		}
	}
	return s
}

// The published headline is of kTLS beside TS over TLS: the comparison must say it.
func TestThePublishedRowsGiveThePublishedRatios(t *testing.T) {
	r, err := NewReport(publishedSet(), 0)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.sections, func(s section) bool { return s.title == "Comparison to TS" })
	table := r.sections[i].tables[0]
	last := len(table.Columns) - 1
	if !strings.Contains(table.Columns[last].full(), "TS over TLS") {
		t.Fatalf("the last column is %q", table.Columns[last].full())
	}
	got := map[string]string{}
	for _, row := range table.Rows {
		got[row[0]], _, _ = strings.Cut(row[last], " ")
	}
	for name, want := range map[string]string{
		"hd ktls 2 workers": "0.93×", "hd ktls 4 workers": "1.63×", "hd tcp 2 workers": "1.80×", "hd tcp 4 workers": "2.11×", "derper 1.96.4 tls GOMAXPROCS=4": "1",
	} {
		if got[name] != want {
			t.Errorf("%s is %q of TS over TLS, want %s", name, got[name], want)
		}
	}
	var b bytes.Buffer
	if err := r.Answer().Write(&b, "More: there"); err != nil {
		t.Fatal(err)
	}
	fits(t, b.String())
	for _, want := range []string{"Beside TS over TLS, as published: hd tcp 4w 2.11×", "hd ktls 4w 1.63×"} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// A sweep of hd over tcp and of derper over tls alone has a ratio all the same.
func TestHDOverTCPStandsBesideTSOverTLS(t *testing.T) {
	s := &Set{Dir: "/somewhere/quick-1", Environment: environment()}
	for run := 1; run <= 4; run++ {
		s.Trials = append(s.Trials, trial(hd(2), 9*units.Gbps, run, 8000+float64(run), 0.1), trial(overTransport(derper(), "tls"), 9*units.Gbps, run, 4000+float64(run), 0.4))
	}
	text := strings.Join(strings.Fields(screenOf(t, s)), " ")
	for _, want := range []string{"2.00× [2.00, 2.00]*", "*: beside TS over TLS", "1 (TS)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A lower bound below TS says nothing; what can be said is what both did at a rate.
func TestALowerBoundBelowTSIsNoRatio(t *testing.T) {
	s := &Set{Dir: "/somewhere/quick-1", Environment: environment()}
	for run := 1; run <= 4; run++ {
		e := float64(run)
		s.Trials = append(s.Trials, trial(hd(2), 2*units.Gbps, run, 2000-e/10, 0.1), clientLimited(trial(hd(2), 9*units.Gbps, run, 3000+e, 0.1)),
			trial(derper(), 2*units.Gbps, run, 1998-e/10, 0.4), trial(derper(), 9*units.Gbps, run, 4000+e, 0.4))
	}
	points, err := Points(s.Trials)
	if err != nil {
		t.Fatal(err)
	}
	v := CompareToTS(points, 0)[0]
	table := VersusTables(&v)[0]
	i := slices.IndexFunc(table.Rows, func(r []string) bool { return r[0] == "hd tcp 2 workers" })
	if got := table.Rows[i][4]; got != na {
		t.Errorf("a ratio of a lower bound below 1: %s", got)
	}
	notes := strings.Join(table.Notes, "\n")
	if !strings.Contains(notes, "lower bound (limit: client)") || !strings.Contains(notes, "the highest rate both were offered, it delivered 3002 ") {
		t.Errorf("notes:\n%s", notes)
	}
}

// What TLS delivers beside tcp, at every rate, and the cache's misses beside TS's.
func TestTransportsStandBesideEachOtherAtEveryRate(t *testing.T) {
	points, err := Points(publishedSet().Trials)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(SpeedupTables(points, Ceilings(points))); n > 0 {
		t.Errorf("%d tables without a rate in common", n)
	}
	set := countedSet()
	if points, err = Points(set.Trials); err != nil {
		t.Fatal(err)
	}
	tables := SpeedupTables(points, Ceilings(points))
	if len(tables) != 1 || len(tables[0].Rows) < 2 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, r := range tables[0].Rows {
		if r[1] != "ktls" || r[7] == na || r[5] == "" {
			t.Errorf("%q", r)
		}
	}
}
