package results

import (
	"fmt"
	"slices"
	"strings"
)

// ValidityTable counts what happened to the trials, a row each relay and cause, with
// what of them it spoils and what would mend it.
func ValidityTable(trials []*Trial) *Table {
	t := &Table{Keys: 2, Columns: []Column{
		{Head: "Relay", Left: true}, {Head: "Cause (mark)", Left: true, Tip: "The letter in brackets marks the rows of tables in which a trial has the cause."}, {Head: "Trials"},
		{Head: "Spoils", Left: true, Tip: "What of a trial cannot be trusted. The rest of it counts."}, {Head: "Remedy", Left: true, Prose: true},
	}}
	type key struct{ relay, cause string }
	count := map[key]int{}
	example := map[key]string{}
	var relays []string
	total, valid := 0, 0
	for _, tr := range trials {
		if tr.Kind != KindTrial {
			continue
		}
		total++
		relay := tr.Point.Relay + " " + tr.Point.Transport
		if !slices.Contains(relays, relay) {
			relays = append(relays, relay)
		}
		add := func(cause, detail string) {
			k := key{relay, cause}
			if count[k]++; count[k] == 1 {
				example[k] = detail
			}
		}
		switch {
		case tr.NA != "":
			add(notMeasurable, tr.NA)
		case !tr.OK():
			add(hasFailed, firstLine(tr.Error))
		case tr.Valid():
			valid++
		}
		var seen []Code
		for _, f := range tr.Validity {
			if !slices.Contains(seen, f.Code) {
				seen = append(seen, f.Code)
				add(string(f.Code), f.Detail)
			}
		}
	}
	t.Title = fmt.Sprintf("%s, %d with every number trusted", plural(total, "trial"), valid)
	said := map[Code]bool{}
	for _, relay := range relays {
		for _, c := range codes {
			k := key{relay, string(c.code)}
			if count[k] == 0 {
				continue
			}
			t.Rows = append(t.Rows, []string{relay, fmt.Sprintf("%s (%s)", c.code, c.mark), fmt.Sprint(count[k]), c.spoils.String(), c.remedy})
			t.addNote(fmt.Sprintf("%s, %s, for instance: %s.", relay, c.code, example[k]))
			said[c.code] = true
		}
		for _, other := range []struct{ cause, spoils, remedy string }{
			{hasFailed, everything.String(), "see the trial's error; sweep --resume makes it again"}, {notMeasurable, everything.String(), "the reason below says"},
		} {
			k := key{relay, other.cause}
			if count[k] > 0 {
				t.Rows = append(t.Rows, []string{relay, other.cause, fmt.Sprint(count[k]), other.spoils, other.remedy})
				t.addNote(fmt.Sprintf("%s, %s: %s.", relay, other.cause, example[k]))
			}
		}
	}
	for _, c := range codes {
		if said[c.code] {
			t.addNote(fmt.Sprintf("%s: %s.", c.code, c.meaning))
		}
	}
	for _, line := range trouble(trials) {
		t.addNote(line)
	}
	if len(t.Rows) == 0 {
		t.Rows = [][]string{{"all", "none: every number is trusted", fmt.Sprint(valid), "nothing", ""}}
	}
	return t
}

// uncheckedNote says of which relays packets were not counted on both sides.
func uncheckedNote(trials []*Trial) []string {
	count := map[string]int{}
	var relays []string
	for _, t := range trials {
		if t.Kind != KindTrial || !t.OK() || t.Relay != nil && t.Relay.Counters != nil {
			continue
		}
		if count[t.Point.Relay] == 0 {
			relays = append(relays, t.Point.Relay)
		}
		count[t.Point.Relay]++
	}
	var lines []string
	for _, r := range relays {
		lines = append(lines, fmt.Sprintf("Packets of %s were not checked in %s: it gave no counts of its own to hold the client's against.", r, plural(count[r], "trial")))
	}
	return lines
}

const hasFailed = "failed"

const notMeasurable = "not measurable here"

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(slices.Concat(r[:n-1], []rune("…")))
}
