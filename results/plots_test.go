package results

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/units"
)

// goldenPlots holds a report's plots against files: the SVGs whole, of the PNGs
// their sums.
func goldenPlots(t *testing.T, r *Report, dir string) {
	t.Helper()
	var sums bytes.Buffer
	for _, f := range r.Figures() {
		svg, _, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		png, err := f.PNG()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(dir, f.Name+".svg"), svg)
		fmt.Fprintf(&sums, "%x  %s.png\n", sha256.Sum256(png), f.Name)
	}
	golden(t, filepath.Join(dir, "png.sha256"), sums.Bytes())
}

// tlsSet is a sweep over plain TCP and kernel TLS.
func tlsSet() *Set {
	s := &Set{Dir: "/somewhere/tls-1", Environment: environment()}
	for run, e := range []float64{-1, 0, 1, 0.5} {
		for _, r := range []struct {
			transport string
			workers   int
			mbps      float64
		}{{"tcp", 1, 7000}, {"ktls", 1, 4000}, {"tcp", 2, 8000}, {"ktls", 2, 5600}} {
			c := hd(r.workers)
			c.Transport = r.transport
			s.Trials = append(s.Trials, trial(c, 3*units.Gbps, run+1, 3000+e, 0.3), trial(c, 9*units.Gbps, run+1, r.mbps+40*e, 0.3))
		}
	}
	return s
}

func TestPlotGoldens(t *testing.T) {
	for dir, set := range map[string]*Set{"plots": sampleSet(), "plots-tls": tlsSet()} {
		r, err := NewReport(set, 0)
		if err != nil {
			t.Fatal(err)
		}
		goldenPlots(t, r, dir)
		var names []string
		for _, f := range r.Figures() {
			names = append(names, f.Name)
		}
		want := []string{"ceilings", "rate-sweep", "latency", "timeline", "load-cost"}
		if dir == "plots-tls" {
			want = []string{"ceilings", "rate-sweep", "latency", "ktls-tax", "timeline", "load-cost"}
		}
		if !slices.Equal(names, want) {
			t.Errorf("plots %v, want %v", names, want)
		}
	}
}

// Records come in the order in which trials ended; a report does not depend on it.
func TestReportDoesNotDependOnTheOrderOfTrials(t *testing.T) {
	write := func(s *Set) string {
		r, err := NewReport(s, 0)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Write(&b, HTML); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	forward, backward := tlsSet(), tlsSet()
	slices.Reverse(backward.Trials)
	if write(forward) != write(backward) {
		t.Error("the same records in another order give another report")
	}
}

func TestSeveralLoadsHavePlotsOfTheirOwn(t *testing.T) {
	s := tlsSet()
	c := hd(1)
	c.Load.Burst, c.Load.Pairs = "64KiB", 2
	s.Trials = append(s.Trials, trial(c, units.Gbps, 1, 1000, 0.3))
	r, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range r.Figures() {
		if seen[f.Name] {
			t.Errorf("two plots are named %s", f.Name)
		}
		seen[f.Name] = true
	}
	if !seen["rate-sweep-2-pairs-payload-1400b-burst-64kib"] || !seen["rate-sweep-10-pairs-payload-1400b-burst-tick-100us"] {
		t.Errorf("plots %v", seen)
	}
}

// A folder whose report changes keeps no plot of the old one, and loses nothing
// that is not ours. Plots written elsewhere take nothing away.
func TestPlotsOfAnEarlierReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	store, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, tr := range sampleSet().Trials {
		if err := store.Append(tr); err != nil {
			t.Fatal(err)
		}
	}
	plots := filepath.Join(dir, DirPlots)
	if err := os.Mkdir(plots, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"ktls-tax.svg", "cache-cliff.svg", "latency-2-pairs.png", "mine.svg", "latency.txt", "ceilingsmine.png"} {
		if err := os.WriteFile(filepath.Join(plots, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Derive(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, plots), "ceilings.png ceilings.svg ceilingsmine.png latency.png latency.svg latency.txt load-cost.png load-cost.svg mine.svg rate-sweep.png rate-sweep.svg timeline.png timeline.svg"; got != want {
		t.Errorf("plots of the folder:\n%s, want\n%s", got, want)
	}

	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "latency-of-mine.png"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := report.WritePlots(elsewhere); err != nil {
		t.Fatal(err)
	}
	if got := list(t, elsewhere); !strings.Contains(got, "latency-of-mine.png") || !strings.Contains(got, "timeline.svg") {
		t.Errorf("plots elsewhere: %s", got)
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
