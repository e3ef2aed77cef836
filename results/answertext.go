package results

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is the answer's rows as a table.
func (a *Answer) Table(rows []AnswerRow) *Table {
	t := &Table{Keys: 1, Columns: answerColumns()}
	for _, r := range rows {
		t.Rows = append(t.Rows, r.cells())
	}
	if !a.HasTS {
		t = t.without(headTS)
	}
	return t
}

const headTS = "× TS\n[95 % CI]"

func answerColumns() []Column {
	return []Column{
		{Head: "Relay", Left: true, Tip: "The relay, its transport and how many workers it has (of derper: GOMAXPROCS)."},
		{Head: "Ceiling\nMbps", Tip: "The highest mean delivered rate over all offered rates. ≥: something else than the relay stopped it."},
		{Head: headTS, Full: "× TS [95 % CI]", Left: true, Tip: "As a multiple of the ceiling of TS, Tailscale's derper, over the same transport, with the 95 % interval. " + besideTLS + "."},
		{Head: "Lost\n%", Full: "Lost there %", Tip: "Of the packets sent at the ceiling, those that never arrived."},
		{Head: "run\nCV %", Full: "run CV %", Tip: "Standard deviation over mean of the delivered rate, over the repeated runs at the ceiling."},
		{Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit", Tip: "CPU time of the relay per delivered Gbit, at the rate named below the table. In parentheses: not to be trusted."},
		{Head: "p99", Full: "latency p99", Tip: "99 of 100 packets arrived within it, counted from the time they were meant to leave; at the rate named below the table. In parentheses: not to be trusted."},
		{Head: "Limit", Left: true, Tip: "What stopped the relay from carrying more; Ceilings has the figures it rests on."},
	}
}

// noCeiling stands for a limit where nothing that was measured counts.
const noCeiling = "n/a"

func (r *AnswerRow) cells() []string {
	c := r.Ceiling
	if c.At == nil {
		return []string{r.Name, na, na, na, na, na, na, noCeiling}
	}
	of := r.Of.String()
	switch {
	case r.IsTS:
		of = "1 (TS)"
	case r.OfTLS && of != na:
		of += "*"
	}
	cost, p99 := na, na
	if r.At != nil {
		cost, p99 = r.At.cell(Cost, number(r.At.CPUPerGbit.Mean)), r.At.latencyCell(99)
	}
	return []string{r.Name, c.value(), of, percent(c.At.Loss), percent(c.At.DeliveredBps.CV), cost, p99, string(c.Limit.What)}
}

// Write writes the answer on one screen: 24 lines of 80 columns. where says where
// everything else is, a line each; it comes last.
//
// What does not fit gives way in this order: findings but the first, rows but the
// best of each relay and transport, the last finding, and at the very end columns.
func (a *Answer) Write(w io.Writer, where ...string) error {
	best, _ := a.Shown(1)
	for _, least := range []struct{ rows, findings int }{{len(a.Rows), 1}, {len(best), 0}, {1, 0}} {
		for findings := len(a.Findings); findings >= min(least.findings, len(a.Findings)); findings-- {
			for _, rows := range a.choices(least.rows) {
				screen, err := a.screen(rows, a.Findings[:findings], where)
				if err != nil {
					return err
				}
				if lines(screen) <= answerLines || least.rows == 1 && len(rows) <= 1 && findings == 0 {
					_, err := w.Write(screen.Bytes())
					return err
				}
			}
		}
	}
	return nil
}

// choices are the rows to try, the most first, down to so many.
func (a *Answer) choices(least int) [][]AnswerRow {
	all := [][]AnswerRow{a.Rows}
	best, _ := a.Shown(1)
	for n := len(best); n >= max(least, 1) && least < len(a.Rows); n-- {
		rows, _ := a.Shown(1)
		all = append(all, keepHighest(rows, n))
	}
	return all
}

// keepHighest keeps the baseline and the highest of the rest, in their order.
func keepHighest(rows []AnswerRow, n int) []AnswerRow {
	order := slices.Clone(rows)
	slices.SortStableFunc(order, func(a, b AnswerRow) int {
		switch {
		case a.IsTS != b.IsTS && a.IsTS, a.IsTS == b.IsTS && better(a.Ceiling, b.Ceiling):
			return -1
		case a.IsTS != b.IsTS, better(b.Ceiling, a.Ceiling):
			return 1
		}
		return 0
	})
	order = order[:min(n, len(order))]
	return slices.DeleteFunc(slices.Clone(rows), func(r AnswerRow) bool {
		return !slices.ContainsFunc(order, func(o AnswerRow) bool { return o.Ceiling == r.Ceiling })
	})
}

// screen is the answer with some of its rows and findings.
func (a *Answer) screen(rows []AnswerRow, findings, where []string) (*bytes.Buffer, error) {
	var b bytes.Buffer
	if a.Unfinished != "" {
		writeWrapped(&b, a.Unfinished)
	}
	if a.Setup != "" {
		fmt.Fprintln(&b, oneLine(a.Setup))
	}
	if len(rows) > 0 {
		if err := a.Table(rows).narrowed(TerminalWidth).Write(&b, Terminal); err != nil {
			return nil, err
		}
	}
	notes := []string{a.Rate}
	if left := len(a.Rows) - len(rows); left > 0 {
		notes = append(notes, fmt.Sprintf("the best of each relay and transport; %d more in the report", left))
	}
	if slices.ContainsFunc(rows, func(r AnswerRow) bool { return r.OfTLS && r.Of.NA == "" }) {
		notes = append(notes, besideTLS)
	}
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	if len(notes) > 0 {
		writeWrapped(&b, strings.Join(notes, "; ")+".")
	}
	for _, n := range slices.Concat(a.NotHere, findings) {
		writeWrapped(&b, n)
	}
	writeWrapped(&b, "Trust: "+a.Trust+".")
	for _, l := range where {
		writeWrapped(&b, l)
	}
	return &b, nil
}

// oneLine is as much of a list as fits one line: what comes last gives way.
func oneLine(list string) string {
	for utf8.RuneCountInString(list) > TerminalWidth {
		i := strings.LastIndex(list, "; ")
		if i < 0 {
			return shorten(list, TerminalWidth)
		}
		list = list[:i]
	}
	return list
}

// besideTLS explains the mark of a ratio that is beside TS over TLS.
const besideTLS = "*: beside TS over TLS, for TS was not run over the same transport"

// narrowed is the table as wide as a terminal and in one piece: its names broken,
// and if that is not enough without the columns that a reader can best do without.
func (t *Table) narrowed(width int) *Table {
	for _, spare := range []string{"", "run\nCV %", "Lost\n%"} {
		t = t.without(spare)
		room := width - (t.width() - t.columnWidth(0))
		if t.width() <= width {
			break
		}
		if room < shortestName {
			continue
		}
		for _, r := range t.Rows {
			r[0] = breakLines(r[0], room-1)
		}
		break
	}
	return t
}

// shortestName is how narrow the names of the answer's rows may become.
const shortestName = 14

// without is the table without the column of a head.
func (t *Table) without(head string) *Table {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Head == head })
	if i < 0 {
		return t
	}
	var which []int
	for j := range t.Columns {
		if j != i {
			which = append(which, j)
		}
	}
	part := t.columns(which)
	part.Title, part.Notes = t.Title, t.Notes
	return part
}

func lines(b *bytes.Buffer) int { return bytes.Count(b.Bytes(), []byte("\n")) }

// section is the answer at the head of a report.
func (a *Answer) section() section {
	s := section{title: "Answer", after: append([]string(nil), a.Findings...)}
	if a.Setup != "" {
		s.text = []string{a.Setup + "."}
	}
	if a.Unfinished != "" {
		s.text = append([]string{a.Unfinished}, s.text...)
	}
	if len(a.Rows) > 0 {
		s.tables = []*Table{a.Table(a.Rows)}
	}
	if slices.ContainsFunc(a.Rows, func(r AnswerRow) bool { return r.OfTLS && r.Of.NA == "" }) {
		s.after = append(s.after, besideTLS+".")
	}
	if a.Rate != "" {
		s.after = append(s.after, a.Rate+".")
	}
	s.after = append(s.after, a.NotHere...)
	s.after = append(s.after, "Trust: "+a.Trust+".")
	s.after = append(s.after, answerLegend)
	return s
}

// answerLegend explains the answer's words where they stand.
const answerLegend = "TS is Tailscale's derper, the baseline. Ceiling: the highest mean delivered rate over all offered rates; ≥ where something else than the relay stopped it. × TS: beside TS over the same transport. Lost: of what was sent, at the ceiling. Limit: what stopped it; Ceilings has the figures it rests on. In parentheses: not to be trusted."
