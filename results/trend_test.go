package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hdbench/internal/units"
)

// nights makes a history: hd is slower by a tenth from the step on, its CPU cost
// rises before; the client ends the search of two workers; derper stays as it is.
func nights(n, step int) []Night {
	var ns []Night
	rng := rand.New(rand.NewPCG(8, 8))
	noise := func(v float64) float64 { return v * (1 + 0.004*rng.NormFloat64()) }
	for i := range n {
		env := environment()
		env.Scenario, env.Started = "nightly", time.Date(2026, 3, 1+i, 2, 0, 0, 0, time.UTC)
		env.Hdbench = fmt.Sprintf("v0.1-%d-g%07x", i+1, 0xabc0000+i)
		s := &Set{Dir: fmt.Sprintf("/somewhere/nightly-%d", i+1), Environment: env, Scenario: []byte("name: nightly\nmeasure: 2s\n")}
		slower, dearer := 1.0, 1.0
		if i >= step {
			slower = 0.9
		}
		if i >= step/2 {
			dearer = 1.2
		}
		for run := 1; run <= 2; run++ {
			s.Trials = append(s.Trials,
				trial(hd(1), units.Gbps, run, noise(1000), noise(0.30*dearer)),
				trial(hd(1), 9*units.Gbps, run, noise(7200*slower), noise(0.13*dearer)),
				trial(derper(), units.Gbps, run, noise(998), noise(0.8)),
				trial(derper(), 9*units.Gbps, run, noise(900), noise(1.5)))
		}
		if i%4 == 3 { // a night without hd
			for _, t := range s.Trials[:2] {
				t.Load, t.Relay, t.Validity, t.Error = nil, nil, nil, "the relay did not start"
			}
			s.Trials[4].Load, s.Trials[4].Error = nil, "the relay did not start"
			s.Trials[5].Load, s.Trials[5].Error = nil, "the relay did not start"
		}
		ns = append(ns, Night{Set: s, CompareAt: units.Gbps})
	}
	return ns
}

func TestTrendFindsWhatChanged(t *testing.T) {
	ns := nights(24, 14)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(ns), func(i, j int) { ns[i], ns[j] = ns[j], ns[i] })
	trend, err := NewTrend(ns)
	if err != nil {
		t.Fatal(err)
	}
	if len(trend.Groups) != 1 || len(trend.Groups[0].Nights) != 24 {
		t.Fatalf("%d groups", len(trend.Groups))
	}
	g := trend.Groups[0]
	found := map[string]TrendPoint{}
	for _, s := range g.Series {
		for _, p := range s.Points {
			found[s.Config.Relay+" "+s.Metric.String()] = p
		}
	}
	if len(found) != 2 {
		t.Errorf("found %v", found)
	}
	if p := found["hd ceiling Mbps"]; p.Index < 13 || p.Index > 15 || !p.Worse || p.Last >= p.Index {
		t.Errorf("ceiling: %+v", p)
	}
	if p := found["hd CPU-s/Gbit at 1Gbps"]; p.Index < 6 || p.Index > 8 || !p.Worse {
		t.Errorf("cost: %+v", p)
	}
	if p := found["hd ceiling Mbps"]; g.versions(p) != fmt.Sprintf("v0.1-%d-g%07x →\nv0.1-%d-g%07x", p.Last+1, 0xabc0000+p.Last, p.Index+1, 0xabc0000+p.Index) {
		t.Errorf("versions %q", g.versions(p))
	}
}

// Folders of other hosts, kernels and scenarios make series of their own, with what
// is different said; the newest folder's series comes first.
func TestTrendKeepsApartWhatDiffers(t *testing.T) {
	ns := nights(12, 99)
	for i := range 5 {
		for j := range ns[i].Set.Environment.Hosts {
			ns[i].Set.Environment.Hosts[j].Host.Kernel = "6.1.0"
		}
	}
	ns[7].Set.Scenario = []byte("name: nightly\nmeasure: 9s\n")
	trend, err := NewTrend(ns)
	if err != nil {
		t.Fatal(err)
	}
	if len(trend.Groups) != 3 {
		t.Fatalf("%d groups", len(trend.Groups))
	}
	if n := len(trend.Groups[0].Nights); n != 6 || len(trend.Groups[0].Apart) != 0 {
		t.Errorf("first group: %d nights, apart %v", n, trend.Groups[0].Apart)
	}
	if a := strings.Join(trend.Groups[1].Apart, " "); !strings.Contains(a, "measure") {
		t.Errorf("apart: %s", a)
	}
	if a := strings.Join(trend.Groups[2].Apart, " "); !strings.Contains(a, "6.1.0") || len(trend.Groups[2].Nights) != 5 {
		t.Errorf("apart: %s", a)
	}
	empty, err := NewTrend(nil)
	if err != nil || len(empty.Groups) != 0 {
		t.Errorf("of nothing: %+v, %v", empty, err)
	}
}

func TestTrendIsWritten(t *testing.T) {
	ns := nights(24, 14)
	for i, n := range ns { // two workers whose ceiling is not reached, and a search
		n.Set.Trials = append(n.Set.Trials, trial(hd(2), units.Gbps, 1, 1000, 0.3))
		if i > 2 {
			for _, tr := range searchTrials(t) {
				if tr.Point.Config == hd(1) {
					n.Set.Trials = append(n.Set.Trials, tr)
				}
			}
		}
	}
	old := nights(2, 99)
	for i := range old {
		old[i].Set.Scenario = []byte("name: nightly\nmeasure: 9s\n")
		old[i].Set.Environment.Started = old[i].Set.Environment.Started.AddDate(-1, 0, 0)
	}
	trend, err := NewTrend(append(ns, old...))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		file  string
		write func(*bytes.Buffer) error
	}{
		{"trend.txt", func(b *bytes.Buffer) error { return trend.Write(b, Terminal) }},
		{"trend.md", func(b *bytes.Buffer) error { return trend.Write(b, Markdown) }},
		{"trend.json", func(b *bytes.Buffer) error { return trend.WriteJSON(b) }},
		{"trend.html", func(b *bytes.Buffer) error { return trend.WriteHTML(b) }},
	} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, f.file, b.Bytes())
		if f.file == "trend.txt" {
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		}
		if f.file == "trend.json" {
			var back map[string]any
			if err := json.Unmarshal(b.Bytes(), &back); err != nil {
				t.Error(err)
			}
		}
		if f.file == "trend.html" {
			for _, outside := range []string{"http://", "https://", "<script src", "@import", "url("} {
				if strings.Contains(strings.ReplaceAll(b.String(), "http://www.w3.org/2000/svg", ""), outside) {
					t.Errorf("the page is not self-contained: %s", outside)
				}
			}
		}
	}
}
