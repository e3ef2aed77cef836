package scenarios

import (
	"fmt"
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results"
)

// A configuration is sampled at the highest rate it carries, by trials that can be
// trusted if there are any.
func TestProfiledRate(t *testing.T) {
	c := results.Config{Relay: results.RelayHD, Transport: "tcp", Workers: 1}
	type seen struct {
		offered units.Rate
		share   float64 // delivered
		valid   bool
		kind    results.Kind
	}
	for _, tt := range []struct {
		name string
		seen []seen
		want units.Rate
	}{
		{"the highest it carries", []seen{{1e9, 1, true, ""}, {3e9, 0.995, true, ""}, {5e9, 0.9, true, ""}}, 3e9},
		{"runs are taken together", []seen{{1e9, 1, true, ""}, {3e9, 1, true, ""}, {3e9, 0.9, true, ""}}, 1e9},
		{"none is carried", []seen{{1e9, 0.8, true, ""}, {3e9, 0.5, true, ""}, {2e9, 0.85, true, ""}}, 2e9},
		{"a trial that cannot be trusted does not count", []seen{{1e9, 1, true, ""}, {9e9, 1, false, ""}}, 1e9},
		{"unless there is no other", []seen{{1e9, 1, false, ""}, {9e9, 1, false, ""}}, 9e9},
		{"of a run that can be and one that cannot, the one", []seen{{1e9, 1, true, ""}, {3e9, 0.1, false, ""}, {3e9, 1, true, ""}}, 3e9},
		{"a search has rates, too", []seen{{1e9, 1, true, results.KindSearch}, {2e9, 0.995, true, results.KindSearch}}, 2e9},
		{"what is no trial does not count", []seen{{1e9, 1, true, ""}, {5e9, 1, true, results.KindProbe}, {6e9, 1, true, results.KindProfile}}, 1e9},
		{"nothing", nil, 0},
	} {
		done := map[string]*results.Trial{}
		for i, s := range tt.seen {
			r := &results.Trial{
				Kind: results.KindTrial, Point: results.Point{Config: c, Offered: s.offered},
				Load: &measure.Load{DeliveredBps: s.share * float64(s.offered)},
			}
			if s.kind != "" {
				r.Kind = s.kind
			}
			if !s.valid {
				r.Validity = []results.Finding{{Code: results.ClientLimited}}
			}
			done[fmt.Sprint(i)] = r
		}
		other := c
		other.Workers = 2
		done["other"] = &results.Trial{Kind: results.KindTrial, Point: results.Point{Config: other, Offered: 99e9}, Load: &measure.Load{DeliveredBps: 99e9}}
		if got, found := profiledRate(done, c); got != tt.want || found != (tt.want > 0) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestProfilesHaveFilesOfTheirOwn(t *testing.T) {
	var cs []Configuration
	names := map[results.Config]string{}
	for i, name := range []string{"mine+ tcp 1 worker", "mine tcp 1 worker", "hd tcp 1 worker"} {
		c := results.Config{Relay: fmt.Sprint(i)}
		cs = append(cs, Configuration{Config: c})
		names[c] = name
	}
	files := profileFiles(cs, names)
	if a, b := files[cs[0].Config], files[cs[1].Config]; a != "mine-tcp-1-worker" || b != "mine-tcp-1-worker-2" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestTheScenarioKeyProfile(t *testing.T) {
	text := "name: x\nmeasure: 1s\nprofile: true\nload: {rate: 1Gbps}\nrelays: [{relay: hd}]\n"
	s, err := Parse("x.yaml", []byte(text))
	if err != nil || !s.Profile {
		t.Fatalf("%+v, %v", s, err)
	}
	b, err := s.Marshal()
	if err != nil || !strings.Contains(string(b), "profile: true\n") {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := Parse("x.yaml", []byte(strings.Replace(text, "true", "often", 1))); err == nil || !strings.Contains(err.Error(), "x.yaml:3") {
		t.Errorf("%v", err)
	}
}
