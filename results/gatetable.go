package results

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"hdbench/results/stat"
)

// Write writes the comparison: for a terminal, or as Markdown for the summary of
// a CI step.
func (g *Gate) Write(w io.Writer, f Format) error {
	s := section{title: "Comparison: " + g.Outcome.String(), text: g.text(), tables: g.tables(), after: g.after()}
	return s.write(w, f)
}

// WriteScreen writes the comparison on one screen of 24 lines, the regressions
// first. where says where all of it is.
func (g *Gate) WriteScreen(w io.Writer, where ...string) error {
	for n := len(g.Changes); ; n-- {
		screen, err := g.screen(n, where)
		if err != nil {
			return err
		}
		if lines(screen) <= answerLines || n == 0 {
			_, err := w.Write(screen.Bytes())
			return err
		}
	}
}

// screen is the comparison with so many of its changes.
func (g *Gate) screen(n int, where []string) (*bytes.Buffer, error) {
	var b bytes.Buffer
	writeWrapped(&b, "Comparison: "+g.Outcome.String()+".")
	text := g.text()
	for _, l := range text[:min(len(text), 4)] {
		writeWrapped(&b, l)
	}
	t := &Table{Keys: 1, Columns: []Column{
		{Head: "Relay", Left: true}, {Head: "Offered"}, {Head: "Metric", Left: true}, {Head: "Base"}, {Head: "New"},
		{Head: "Change", Left: true}, {Head: "Verdict", Left: true},
	}}
	said := map[Verdict]int{}
	for i, c := range g.Changes {
		if i >= n || c.Verdict == IsNoise {
			said[c.Verdict]++
			continue
		}
		t.Rows = append(t.Rows, []string{g.names[c.Point.Config], c.Point.Offered.String(), c.Of, c.Metric.show(c.Base.Mean), c.Metric.show(c.New.Mean), c.Metric.change(c.Change.Value), string(c.Verdict)})
	}
	if len(t.Rows) > 0 {
		if err := t.narrowed(TerminalWidth).Write(&b, Terminal); err != nil {
			return nil, err
		}
	}
	var more []string
	for _, v := range verdicts {
		if said[v] > 0 {
			more = append(more, fmt.Sprintf("%d %s", said[v], v))
		}
	}
	if g.Still > 0 {
		more = append(more, fmt.Sprintf("%d that never left their floors", g.Still))
	}
	if len(more) > 0 {
		writeWrapped(&b, "Further changes, not shown: "+strings.Join(more, ", ")+".")
	}
	for _, l := range where {
		writeWrapped(&b, l)
	}
	return &b, nil
}

func (g *Gate) text() []string {
	var lines []string
	for _, s := range []*Set{g.Base, g.New} {
		if text := s.Interrupted(); text != "" {
			lines = append(lines, fmt.Sprintf("%s was %s.", s.name(), text))
		}
	}
	lines = append(lines,
		fmt.Sprintf("Base (%s): hdbench %s, %s.", g.Base.name(), g.Base.Environment.Hdbench, g.Base.counted()),
		fmt.Sprintf("New (%s): hdbench %s, %s.", g.New.name(), g.New.Environment.Hdbench, g.New.counted()),
	)
	switch g.Outcome {
	case NotComparable:
		for _, d := range g.Differences {
			lines = append(lines, "They differ in "+d+".")
		}
		return lines
	case TooFew:
		for i, m := range g.Missing {
			if i == maxMissing {
				lines = append(lines, fmt.Sprintf("So it is with %s more.", plural(len(g.Missing)-i, "point")))
				break
			}
			lines = append(lines, "Not measured on both sides: "+m+".")
		}
		if len(g.Missing) == 0 {
			lines = append(lines, fmt.Sprintf("With so few valid runs nothing could be significant: %d of each point on each side are needed.", g.Need))
		}
	}
	return append(lines, g.how())
}

// how says how the trials were made and tested.
func (g *Gate) how() string {
	made, ranks, t := "Sweeps were made one after the other", ByMannWhitney, ByWelch
	if g.Paired {
		made, ranks, t = "Trials were made in turn: a change is over pairs", ByWilcoxon, ByPairedT
	}
	by := map[Test]int{}
	for _, c := range g.Changes {
		by[c.Test]++
	}
	switch {
	case by[t] == 0:
		return fmt.Sprintf("%s, tested by %s.", made, ranks)
	case by[ranks] == 0:
		return fmt.Sprintf("%s, tested by %s: runs are too few for ranks.", made, t)
	}
	return fmt.Sprintf("%s, tested by %s; %d of few runs by %s.", made, ranks, by[t], t)
}

// maxMissing is how many points that cannot be compared are listed; more are counted.
const maxMissing = 10

// counted says how many trials a folder has.
func (s *Set) counted() string {
	all, valid := 0, 0
	for _, t := range s.Trials {
		if t.Kind == KindTrial {
			all++
			if t.Valid() {
				valid++
			}
		}
	}
	return fmt.Sprintf("%s, %d valid", plural(all, "trial"), valid)
}

// maxNoise is how many changes that are none are listed; more are counted.
const maxNoise = 10

// tables list the changes, a table each configuration, regressions first.
func (g *Gate) tables() []*Table {
	of := map[Config]*Table{}
	var tables []*Table
	noise := 0
	for _, c := range g.Changes {
		if c.Verdict == IsNoise {
			if noise++; noise > maxNoise {
				continue
			}
		}
		t := of[c.Point.Config]
		if t == nil {
			t = &Table{Title: g.names[c.Point.Config], Columns: []Column{
				{Head: "Offered"}, {Head: "Metric", Left: true}, {Head: "Base"}, {Head: "New"},
				{Head: "Change [95 % CI]", Left: true}, {Head: "p", Full: "p (Holm)"}, {Head: "Verdict", Left: true},
			}}
			of[c.Point.Config] = t
			tables = append(tables, t)
		}
		t.Rows = append(t.Rows, []string{
			c.Point.Offered.String(), c.Of, c.Metric.show(c.Base.Mean), c.Metric.show(c.New.Mean), c.interval(), pText(c.Holm), string(c.Verdict),
		})
	}
	if noise > maxNoise {
		last := tables[len(tables)-1]
		last.addNote(fmt.Sprintf("%d more changes of all configurations: noise.", noise-maxNoise))
	}
	return tables
}

// interval is the change with its interval.
func (c *Change) interval() string {
	text := c.Metric.change(c.Change.Value)
	if math.IsNaN(c.Change.Lo) {
		return text
	}
	return fmt.Sprintf("%s [%s, %s]", text, signed(100*c.Change.Lo), signed(100*c.Change.Hi))
}

func pText(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// after says what was judged by what.
func (g *Gate) after() []string {
	if g.Outcome == NotComparable {
		return nil
	}
	lines := []string{
		fmt.Sprintf("%s in common. %s tested; %d more stayed within their floors on both sides. A regression is significant after Holm's correction (p ≤ %.2f), larger than the metric's floor, and for the worse.",
			plural(g.Points, "point"), plural(len(g.Changes), "change"), g.Still, stat.Alpha),
	}
	lines = append(lines, floorsText(g.Floors)...)
	lines = append(lines, movesText(g.Moves)...)
	if n := len(g.Unjudged); n > 0 {
		text := fmt.Sprintf("Not judged: %s", g.Unjudged[0])
		if n > 1 {
			text += fmt.Sprintf(", and %d more", n-1)
		}
		lines = append(lines, text+".")
	}
	return append(lines, g.Notes...)
}
