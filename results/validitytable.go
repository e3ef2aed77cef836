package results

import (
	"fmt"
	"slices"
	"strings"
)

// ValidityTable counts what happened to the trials and explains every mark that
// was given.
func ValidityTable(trials []*Trial) *Table {
	t := &Table{Columns: []Column{{Head: "Mark", Left: true}, {Head: "Why", Left: true}, {Head: "Trials"}, {Head: "Example", Left: true}}}
	total, valid := 0, 0
	count := map[Code]int{}
	example := map[Code]string{}
	var failed, na int
	var failure, reason string
	for _, tr := range trials {
		if tr.Kind != KindTrial {
			continue
		}
		total++
		switch {
		case tr.NA != "":
			na++
			reason = tr.NA
		case !tr.OK():
			failed++
			failure = firstLine(tr.Error)
		case tr.Valid():
			valid++
		}
		seen := map[Code]bool{}
		for _, f := range tr.Validity {
			if !seen[f.Code] {
				seen[f.Code] = true
				count[f.Code]++
				example[f.Code] = f.Detail
			}
		}
	}
	t.Title = fmt.Sprintf("%s, %d valid", plural(total, "trial"), valid)
	for _, c := range codes {
		if n := count[c.code]; n > 0 {
			t.Rows = append(t.Rows, []string{c.mark, string(c.code), fmt.Sprint(n), shorten(example[c.code], 52)})
			t.addNote(fmt.Sprintf("%s: %s.", c.code, c.meaning))
		}
	}
	if failed > 0 {
		t.Rows = append(t.Rows, []string{"", "failed", fmt.Sprint(failed), shorten(failure, 52)})
	}
	if na > 0 {
		t.Rows = append(t.Rows, []string{"", notMeasurable, fmt.Sprint(na), shorten(reason, 52)})
	}
	for _, line := range trouble(trials) {
		t.addNote(line)
	}
	if len(t.Rows) == 0 {
		t.Rows = [][]string{{"", "every trial is valid", fmt.Sprint(valid), ""}}
	}
	return t
}

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
