package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"hdbench/internal/measure"
	"hdbench/results"
)

// keep writes one trial that says what was planted, without what a cause is not
// decided from: intervals and the insides of histograms.
func keep(dir, name string, want results.Cause, set *results.Set) error {
	var found *results.Trial
	for _, t := range set.Trials {
		cause := want
		if want == results.NotReached {
			cause = results.Carried
		}
		if t.Kind == results.KindTrial && t.OK() && results.CauseOf(t) == cause && (found == nil || t.Point.Offered > found.Point.Offered) {
			found = t
		}
	}
	if found == nil {
		return nil
	}
	return keepTrial(dir, name, found)
}

// keepTrial writes one trial, which is not of use for anything else then.
func keepTrial(dir, name string, found *results.Trial) error {
	l := found.Load
	l.IntervalSentBps, l.IntervalDeliveredBps = nil, nil
	hists := []*measure.Histogram{&l.Latency, &l.RTT, &l.Lateness, &l.Pacing}
	strains := []*measure.Strain{l.Strain}
	for i := range l.Hosts {
		hists = append(hists, &l.Hosts[i].Pacing, &l.Hosts[i].Lateness)
		strains = append(strains, l.Hosts[i].Strain)
	}
	for _, s := range strains {
		if s != nil {
			hists = append(hists, &s.SendLag, &s.ReceiveLag)
		}
	}
	for _, h := range hists {
		h.Encoded = ""
	}
	if found.Relay != nil {
		found.Relay.Perf = nil
	}
	b, err := json.MarshalIndent(found, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := strings.NewReplacer(" ", "-", ",", "", "/", "-per-").Replace(name) + ".json"
	return os.WriteFile(filepath.Join(dir, file), append(b, '\n'), 0o644)
}
