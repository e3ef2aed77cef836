package results

import (
	"fmt"
	"math"
	"time"

	"hdbench/internal/measure"
)

// LineTable is what raw TCP carries between the relay's host and the clients';
// nil where that was not measured.
func LineTable(l *measure.Line) *Table {
	if l == nil || len(l.Runs) == 0 {
		return nil
	}
	t := &Table{
		Title: "The line: raw TCP between the clients and the relay, before the first trial", Keys: 2,
		Columns: []Column{
			{Head: "Client", Left: true}, {Head: "Direction", Left: true}, {Head: "Streams"}, {Head: "Line\nMbps"}, {Head: "Retrans-\nmits", Full: "retransmitted segments"},
			{Head: "MSS", Full: "MSS, bytes"}, {Head: "path\nMTU", Full: "path MTU, bytes"}, {Head: "MTU", Full: "interface MTU, bytes"}, {Head: "", Full: "congestion control", Left: true},
		},
		Notes: []string{"What the receiver took, TCP payload; MSS, MTUs and congestion control are the sender's."},
	}
	for _, r := range l.Runs {
		client, direction, mtu := r.Client, "from relay", fmt.Sprint(r.MTU)
		if r.ToRelay {
			direction = "to relay"
		}
		if r.Together {
			client += ", with all"
		}
		if r.NA != "" {
			t.addNote("Line n/a: " + r.NA + ".")
			t.Rows = append(t.Rows, []string{client, direction, fmt.Sprint(r.Streams), na, na, na, na, na, na})
			continue
		}
		if r.MTU == 0 {
			mtu = na
			t.addNote("MTU n/a: no interface of the sender has its address.")
		}
		t.Rows = append(t.Rows, []string{
			client, direction, fmt.Sprint(r.Streams), mbps(r.Bps), fmt.Sprint(r.Retransmits), fmt.Sprint(r.MSS), fmt.Sprint(r.PathMTU), mtu, r.Congestion,
		})
	}
	return t
}

// LineShareTable is how much of the line each configuration's ceiling takes; nil
// where the line is not known.
func LineShareTable(trials []*Trial, ceilings []Ceiling) *Table {
	var cs []Config
	for _, c := range ceilings {
		cs = append(cs, c.Config)
	}
	names := Names(cs)
	t := &Table{
		Title: "The ceilings as shares of the line", Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Load", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "of line\nto relay %", Full: "of the line to the relay, %"}, {Head: "of line\nfrom relay %", Full: "of the line from the relay, %"},
		},
		Notes: []string{fmt.Sprintf("With DERP's and TLS's headers. From %.0f %% of the line on a trial is nic-limited and makes no ceiling.", 100*MaxLineShare)},
	}
	for _, c := range ceilings {
		if c.At == nil {
			continue
		}
		var toRelay, fromRelay float64
		for _, tr := range trials {
			if tr.Kind == KindTrial && tr.Point == c.At.Point && tr.OK() {
				toRelay, fromRelay = tr.LineToRelayBps, tr.LineFromRelayBps
			}
		}
		if toRelay == 0 && fromRelay == 0 {
			continue
		}
		to, from := lineShares(c.Config, c.At.SentBps.Mean, c.Delivered.Value, toRelay, fromRelay)
		t.Rows = append(t.Rows, []string{names[c.Config], c.Config.Load.String(), c.value(), percent(orNaN(to)), percent(orNaN(from))})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// orNaN makes what is not known n/a.
func orNaN(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

// networkNotes say what was not measured of the network, how far apart the hosts'
// clocks were, and what follows for latency.
func networkNotes(set *Set) []string {
	var notes []string
	if l := set.Environment.Line; l != nil && l.NA != "" {
		notes = append(notes, "Line check n/a: "+l.NA+".")
	}
	var apart, moved int64
	for _, t := range set.Trials {
		for _, c := range t.Clocks {
			apart, moved = max(apart, t.ClockBoundNS), max(moved, c.DriftNS, -c.DriftNS)
		}
	}
	if apart > 0 {
		notes = append(notes, fmt.Sprintf("The hosts have clocks of their own. Their offsets were measured before and after every trial: windows are aligned within %v at worst, and no clock moved against the controller's by more than %v in a trial.",
			microseconds(apart), microseconds(moved)))
	}
	return notes
}

func microseconds(ns int64) time.Duration { return time.Duration(ns).Round(time.Microsecond) }

// latencyNote says why one-way latency is n/a; empty if it is not.
func latencyNote(trials []*Trial) string {
	for _, t := range trials {
		if t.Kind == KindTrial && t.OK() && t.Load.NoLatency != "" && t.Load.RTT.Count == 0 {
			return "Latency n/a: " + t.Load.NoLatency + ". Round trips are timed by one clock: load.rtt in a scenario, --rtt of hdbench load."
		}
	}
	return ""
}
