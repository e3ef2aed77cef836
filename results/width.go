package results

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// TerminalWidth is how wide a terminal must be to read what is written for one.
const TerminalWidth = 80

// minName is how narrow a column of text may become before it is broken.
const minName = 18

// fit is the table in parts of at most width columns, one below another: whole if
// it fits, else cut where its columns say so, its text columns broken into lines,
// and at last wherever it must be.
func (t *Table) fit(width int) []*Table {
	if len(t.Columns) == 0 {
		return nil
	}
	if t.width() <= width {
		return []*Table{t}
	}
	var parts []*Table
	for _, cut := range t.cuts() {
		parts = append(parts, t.columns(cut).narrow(width).split(width)...)
	}
	return parts
}

// cuts are the columns of each part: the keys, its own, and those of every part.
func (t *Table) cuts() [][]int {
	cuts := [][]int{t.keys()}
	var every []int
	for i, c := range t.Columns[t.Keys:] {
		i += t.Keys
		if c.Every {
			every = append(every, i)
			continue
		}
		if c.Break {
			cuts = append(cuts, t.keys())
		}
		last := len(cuts) - 1
		cuts[last] = append(cuts[last], i)
	}
	for i := range cuts {
		cuts[i] = append(cuts[i], every...)
	}
	return cuts
}

func (t *Table) keys() []int {
	var ks []int
	for i := range t.Keys {
		ks = append(ks, i)
	}
	return ks
}

// columns is the table with some of its columns; what was broken for width is
// broken no further.
func (t *Table) columns(which []int) *Table {
	part := &Table{Keys: t.Keys}
	for _, i := range which {
		part.Columns = append(part.Columns, t.Columns[i])
	}
	for _, r := range t.Rows {
		row := make([]string, len(which))
		for j, i := range which {
			row[j] = r[i]
		}
		part.Rows = append(part.Rows, row)
	}
	return part
}

// narrow breaks the widest text column into as many lines as it takes.
func (t *Table) narrow(width int) *Table {
	var all []int
	for i := range t.Columns {
		all = append(all, i)
	}
	n := t.columns(all)
	for n.width() > width {
		widest := -1
		for i, c := range n.Columns {
			if c.Left && n.columnWidth(i) > minName && (widest < 0 || n.columnWidth(i) > n.columnWidth(widest)) {
				widest = i
			}
		}
		if widest < 0 {
			return n
		}
		to := max(minName, n.columnWidth(widest)-(n.width()-width))
		n.Columns[widest].Head = breakLines(n.Columns[widest].Head, to)
		for _, r := range n.Rows {
			r[widest] = breakLines(r[widest], to)
		}
		if n.columnWidth(widest) > to {
			return n
		}
	}
	return n
}

// split cuts a table that nothing else makes narrow enough before the first column
// that does not fit.
func (t *Table) split(width int) []*Table {
	if t.width() <= width {
		return []*Table{t}
	}
	var parts []*Table
	cut := t.keys()
	for i := t.Keys; i < len(t.Columns); i++ {
		with := append(slices.Clone(cut), i)
		if len(cut) > t.Keys && t.columns(with).width() > width {
			parts = append(parts, t.columns(cut))
			with = append(t.keys(), i)
		}
		cut = with
	}
	return append(parts, t.columns(cut))
}

// width is how wide the table is written, the rule under its head included.
func (t *Table) width() int {
	w := 0
	for i := range t.Columns {
		w += t.columnWidth(i) + 1
	}
	return w
}

func (t *Table) columnWidth(i int) int {
	w := textWidth(t.Columns[i].Head)
	for _, r := range t.Rows {
		w = max(w, textWidth(r[i]))
	}
	return w
}

func textWidth(s string) int {
	w := 0
	for line := range strings.SplitSeq(s, "\n") {
		w = max(w, utf8.RuneCountInString(line))
	}
	return w
}

// breakLines breaks each line of a cell, its further lines indented.
func breakLines(s string, n int) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if utf8.RuneCountInString(line) <= n {
			lines = append(lines, line)
			continue
		}
		lines = append(lines, strings.Join(wrap(line, n-1), "\n "))
	}
	return strings.Join(lines, "\n")
}

// wrap breaks text into lines of at most n characters, at spaces; a longer word
// wherever it must.
func wrap(s string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for utf8.RuneCountInString(word) > n {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:n])), string(r[n:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
