package results

import (
	"strings"
	"testing"

	"hdbench/internal/units"
)

func findingsOf(t *testing.T, trials []*Trial) string {
	t.Helper()
	points, err := Points(trials)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(Findings(points, Ceilings(points), CompareToTS(points, 0), Cliffs(points, trials), nil), "\n")
}

// runsAt are runs of a configuration that is offered rates and delivers some of
// them, noise being a share of it.
func runsAt(c Config, n int, noise float64, perGbit float64, delivered map[units.Rate]float64) []*Trial {
	var ts []*Trial
	for rate, mbps := range delivered {
		for run := range n {
			e := noise * float64(run%3-1)
			ts = append(ts, trial(c, rate, run+1, mbps*(1+e), perGbit*(1+e)))
		}
	}
	return ts
}

func TestFindings(t *testing.T) {
	full := map[units.Rate]float64{units.Gbps: 1000}
	ktls := hd(1)
	ktls.Transport = "ktls"
	for name, c := range map[string]struct {
		trials     []*Trial
		want, none []string
	}{
		"nothing": {nil, []string{"None: no trial has been made yet."}, nil},
		"one run has no interval": {
			append(runsAt(hd(1), 1, 0, 0.3, full), runsAt(derper(), 1, 0, 0.8, full)...),
			[]string{"None: no point has two valid runs"}, []string{"Mbps"},
		},
		"no valid trial": {
			[]*Trial{spoilt(trial(hd(1), units.Gbps, 1, 1000, 0.3)), spoilt(trial(hd(1), units.Gbps, 2, 1000, 0.3))},
			[]string{"None: no trial is valid"}, []string{"1000"},
		},
		"twice the baseline": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 6000}), runsAt(derper(), 6, 0.01, 0.8, map[units.Rate]float64{9 * units.Gbps: 3000})...),
			[]string{"hd tcp 1 worker has its ceiling at 6000 Mbps", "hd tcp 1 worker carries 2.00 times what TS", "not all of it is delivered by both"}, []string{"at least", "collapses"},
		},
		"the same as the baseline": {
			append(runsAt(hd(1), 6, 0.05, 0.3, map[units.Rate]float64{9 * units.Gbps: 3050}), runsAt(derper(), 6, 0.05, 0.3, map[units.Rate]float64{9 * units.Gbps: 3000})...),
			[]string{"ceiling at 3050"}, []string{"carries", "CPU time"},
		},
		"not brought to its limit": {
			append(runsAt(hd(1), 6, 0.001, 0.3, map[units.Rate]float64{9 * units.Gbps: 9000}), runsAt(derper(), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 3000})...),
			[]string{"hd tcp 1 worker delivers at least", "carries at least"}, []string{"hd tcp 1 worker has its ceiling"},
		},
		"below a baseline that was not brought to its limit": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 3000}), runsAt(derper(), 6, 0.001, 0.3, map[units.Rate]float64{9 * units.Gbps: 9000})...),
			[]string{"carries at most 0.33 times"}, nil,
		},
		"above a baseline that was not brought to its limit": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 3000}), runsAt(derper(), 6, 0.001, 0.3, full)...),
			nil, []string{"carries"},
		},
		"both not brought to their limit": {
			append(runsAt(hd(1), 6, 0.001, 0.3, map[units.Rate]float64{9 * units.Gbps: 9000}), runsAt(derper(), 6, 0.001, 0.3, full)...),
			nil, []string{"carries"},
		},
		"the best without an interval gives way": {
			append(runsAt(hd(2), 1, 0, 0.3, map[units.Rate]float64{9 * units.Gbps: 7000}), runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 6000})...),
			[]string{"hd tcp 1 worker has its ceiling at 6000 Mbps"}, []string{"7000", "carries"},
		},
		"too wide": {
			[]*Trial{trial(hd(1), 9*units.Gbps, 1, 2600, 0.3), trial(hd(1), 9*units.Gbps, 2, 3400, 0.3)},
			[]string{"None: every interval is too wide"}, []string{"Mbps"},
		},
		"collapse": {
			runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{5 * units.Gbps: 3000, 9 * units.Gbps: 900}),
			[]string{"hd tcp 1 worker collapses under overload", "30.0 % are left"}, nil,
		},
		"levelling off is no collapse": {
			runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{5 * units.Gbps: 3000, 9 * units.Gbps: 2900}),
			nil, []string{"collapses"},
		},
		"more workers": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 3000}), runsAt(hd(2), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 5400})...),
			[]string{"hd tcp 2 workers carries 1.80 times what hd tcp 1 worker carries"}, nil,
		},
		"tax": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 6000}), runsAt(ktls, 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 4500})...),
			[]string{"ktls takes 25.0 % of the ceiling of plain TCP"}, nil,
		},
		"tax on a tcp that was not brought to its limit": {
			append(runsAt(hd(1), 6, 0.001, 0.3, map[units.Rate]float64{9 * units.Gbps: 9000}), runsAt(ktls, 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 4500})...),
			[]string{"ktls takes at least 50.0 %"}, nil,
		},
		"a bound that leaves no tax possible": {
			append(runsAt(hd(1), 6, 0.01, 0.3, map[units.Rate]float64{9 * units.Gbps: 6000}), runsAt(ktls, 6, 0.001, 0.3, full)...),
			nil, []string{"ktls takes"},
		},
		"no tax to be seen": {
			append(runsAt(hd(1), 6, 0.1, 0.3, map[units.Rate]float64{9 * units.Gbps: 6000}), runsAt(ktls, 6, 0.1, 0.3, map[units.Rate]float64{9 * units.Gbps: 5900})...),
			nil, []string{"ktls takes"},
		},
	} {
		got := findingsOf(t, c.trials)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", name, w, got)
			}
		}
		for _, n := range c.none {
			if strings.Contains(got, n) {
				t.Errorf("%s: the data do not carry %q:\n%s", name, n, got)
			}
		}
	}
}

func spoilt(t *Trial) *Trial {
	t.Load.Corrupt = 1
	t.Validity = Judge(t)
	return t
}

func TestReproduce(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1": "git checkout v0.1\nmake build", "e3458de": "git checkout e3458de\n", "e3458de-dirty": "git checkout e3458de\n",
		"v0.1-4-ge3458de": "git checkout e3458de\n", "devel-0123456789ab": "git checkout 0123456789ab\n", "v0.2-dirty": "git checkout v0.2\n",
	} {
		set := sampleSet()
		set.Environment.Hdbench = version
		s := reproduceSection(set)
		commands := strings.Join(s.commands, "\n")
		if !strings.HasPrefix(commands, want) {
			t.Errorf("%s: %s", version, commands)
		}
		if changed := strings.Contains(strings.Join(s.text, "\n"), "changed working tree"); changed != strings.HasSuffix(version, "-dirty") {
			t.Errorf("%s: a changed tree is said: %v", version, changed)
		}
		for _, w := range []string{"make baseline DERPER=1.102.5", "bin/hdbench sweep quick-1/scenario.yaml", "bin/hdbench report quick-1"} {
			if !strings.Contains(commands, w) {
				t.Errorf("%s: no %s in\n%s", version, w, commands)
			}
		}
	}
	for _, unknown := range []string{"unknown", "devel", ""} {
		set := sampleSet()
		set.Environment.Hdbench = unknown
		if s := reproduceSection(set); strings.Contains(strings.Join(s.commands, " "), "git checkout") || !strings.Contains(s.text[0], "n/a: the version") {
			t.Errorf("version %q, which nobody knows: %+v", unknown, s)
		}
	}
}
