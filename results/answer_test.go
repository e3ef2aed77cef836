package results

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"hdbench/internal/units"
)

// manyConfigs is a sweep of so many configurations: of hd and derper over transports,
// workers and loads, the second of hd limited by the client.
func manyConfigs(n int) *Set {
	s := &Set{Dir: "/somewhere/quick-1", Environment: environment()}
	var cs []Config
	for _, pairs := range []int{10, 100, 1000} {
		for _, payload := range []int{1400, 64} {
			for workers := 1; workers <= 4; workers++ {
				for _, transport := range []string{"tcp", "tls"} {
					load := shape
					load.Pairs, load.PayloadBytes = pairs, payload
					cs = append(cs, Config{Relay: RelayHD, Transport: transport, Workers: workers, OnFull: "pause", Load: load})
					if workers <= 2 {
						cs = append(cs, Config{Relay: RelayDerper, Version: "1.102.5", Transport: transport, Workers: workers, Load: load})
					}
				}
			}
		}
	}
	for i, c := range cs[:n] {
		for run := 1; run <= 3; run++ {
			for _, rate := range []units.Rate{units.Gbps, 5 * units.Gbps, 9 * units.Gbps} {
				carried := min(float64(rate)/1e6, float64(1500*c.Workers+100*(i%7)))
				t := trial(c, rate, run, carried+float64(run), 0.1+0.1*float64(i%5))
				if i == 2 && t.Missing() > CarriedBound {
					clientLimited(t)
				}
				s.Trials = append(s.Trials, t)
			}
		}
		ktls := trial(c, units.Gbps, 1, 1000, 0.3)
		ktls.Point.Transport = "ktls"
		ktls.Load, ktls.Relay, ktls.NA = nil, nil, "no kernel TLS: this kernel has no module tls"
		s.Trials = append(s.Trials, ktls)
	}
	return s
}

// screenOf is what a sweep of a set ends in.
func screenOf(t *testing.T, set *Set) string {
	t.Helper()
	r, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Answer().Write(&b, "More: hdbench report hdbench-out/quick-20260101-120000, or report.html there"); err != nil {
		t.Fatal(err)
	}
	fits(t, b.String())
	return b.String()
}

// fits checks that a text fits one screen.
func fits(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
}

func TestASweepEndsInOneScreen(t *testing.T) {
	for _, n := range []int{1, 2, 12, 60} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			set := manyConfigs(min(n, 72))
			text := screenOf(t, set)
			for _, want := range []string{"Limit", "hd tcp", "relay-cpu", "Trust: ", "report.html", "modprobe tls", "make sweep-lab"} {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			if more := strings.Contains(text, "more in the report"); more != (n > 12) {
				t.Errorf("says that more is in the report: %v\n%s", more, text)
			}
			if n > 1 && !strings.Contains(text, "1 (TS)") {
				t.Errorf("no TS in\n%s", text)
			}
			t.Log("\n" + text)
		})
	}
}

// What must be said takes the place of what may be.
func TestAScreenWithMuchToSayKeepsItsRows(t *testing.T) {
	set := manyConfigs(12)
	set.Environment.Hosts[0].CPUs = "0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29,32-33,36-37,40-41,44-45,48-49,52-53"
	set.Plan = &Plan{MinRuns: 4, MaxRuns: 4}
	for _, x := range set.Trials {
		set.Plan.Points = append(set.Plan.Points, x.Point)
	}
	text := screenOf(t, set)
	if !strings.HasPrefix(text, "The sweep was interrupted") {
		t.Errorf("does not begin with what is missing:\n%s", text)
	}
}
