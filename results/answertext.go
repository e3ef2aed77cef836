package results

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Table is the answer's rows as a table.
func (a *Answer) Table(rows []AnswerRow) *Table {
	t := &Table{
		Keys: 1,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "× TS\n[95 % CI]", Left: true},
			{Head: "Lost\n%", Full: "Lost there %"}, {Head: "run\nCV %"}, {Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"}, {Head: "p99", Full: "latency p99"},
			{Head: "Limit", Left: true},
		},
	}
	for _, r := range rows {
		t.Rows = append(t.Rows, r.cells())
	}
	return t
}

func (r *AnswerRow) cells() []string {
	c := r.Ceiling
	if c.At == nil {
		return []string{r.Name, na, na, na, na, na, na, c.NA}
	}
	of := r.Of.String()
	switch {
	case r.IsTS:
		of = "1 (TS)"
	case r.OfTLS && of != na:
		of += " TLS"
	}
	cost, p99 := na, na
	if r.At != nil {
		cost, p99 = r.At.cell(Cost, number(r.At.CPUPerGbit.Mean)), r.At.latencyCell(99)
	}
	return []string{r.Name, c.value(), of, percent(c.At.Loss), percent(c.At.DeliveredBps.CV), cost, p99, string(c.Limit.What)}
}

// Write writes the answer on one screen: 24 lines of 80 columns. where says where
// the report is, the last line; empty: none.
func (a *Answer) Write(w io.Writer, where string) error {
	var head, tail bytes.Buffer
	if a.Unfinished != "" {
		writeWrapped(&head, a.Unfinished)
	}
	writeWrapped(&head, a.Setup)
	for _, n := range a.NotHere {
		writeClipped(&tail, n)
	}
	for _, f := range a.Findings {
		writeWrapped(&tail, f)
	}
	writeWrapped(&tail, "Trust: "+a.Trust+".")
	if where != "" {
		writeClipped(&tail, where)
	}
	const heading = 3 // the table's own, and the line about its rate
	room := answerLines - lines(&head) - lines(&tail) - heading - 1
	rows, left := a.Shown(max(room, 3))
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := a.Table(rows).Write(w, Terminal); err != nil {
			return err
		}
	}
	line := a.Rate
	if left > 0 {
		line = strings.TrimPrefix(line+fmt.Sprintf("; the best of each, %d more in the report", left), "; ")
	}
	if line != "" {
		fmt.Fprintln(w, line+".")
	}
	_, err := w.Write(tail.Bytes())
	return err
}

func lines(b *bytes.Buffer) int { return bytes.Count(b.Bytes(), []byte("\n")) }

// writeClipped writes one line.
func writeClipped(w io.Writer, s string) { fmt.Fprintln(w, shorten(s, TerminalWidth)) }

// section is the answer at the head of a report.
func (a *Answer) section() section {
	s := section{title: "Answer", text: []string{a.Setup + "."}, after: append([]string(nil), a.Findings...)}
	if a.Unfinished != "" {
		s.text = append([]string{a.Unfinished}, s.text...)
	}
	if len(a.Rows) > 0 {
		s.tables = []*Table{a.Table(a.Rows)}
	}
	for _, extra := range []string{a.Rate, strings.Join(a.NotHere, "; "), "Trust: " + a.Trust} {
		if extra != "" {
			s.after = append(s.after, extra+".")
		}
	}
	s.after = append(s.after, answerLegend)
	return s
}

// answerLegend explains the answer's words where they stand.
const answerLegend = "TS is Tailscale's derper, the baseline. Ceiling: the highest mean delivered rate over all offered rates; ≥ where something else than the relay stopped it. × TS: beside TS over the same transport. Lost: of what was sent, at the ceiling. Limit: what stopped it; Ceilings has the figures it rests on. In parentheses: not to be trusted."
