package results

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Format is how a table or a report is written.
type Format string

// The formats.
const (
	Terminal Format = "terminal"
	Markdown Format = "markdown"
	HTML     Format = "html"
)

// Table is rows of text under headings, with what a reader must know to read
// them. It does not know how it will be written.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]string
	Notes   []string
	// Keys is how many of the first columns say what a row is about: they are
	// repeated where a terminal is too narrow for all columns at once.
	Keys int
}

// Column is one heading. In a terminal it is short and may take several lines.
type Column struct {
	Head string // lines separated by \n
	Full string // where there is room; empty: Head's lines, joined
	Left bool   // text; numbers stand to the right
	Tip  string // what it means, where a page can show it
	// Prose is text that a page breaks into lines, as a terminal does.
	Prose bool
	// Break is where a table that is too wide for a terminal goes on below.
	Break bool
	// Every is for a column that no part may be read without.
	Every bool
}

// field is a column with what it shows of an R. A table made of fields cannot have a
// cell under another column's heading.
type field[R any] struct {
	Column
	cell func(R) string
}

type fields[R any] []field[R]

func (fs fields[R]) columns() []Column {
	var columns []Column
	for _, f := range fs {
		columns = append(columns, f.Column)
	}
	return columns
}

func (fs fields[R]) row(of R) []string {
	var cells []string
	for _, f := range fs {
		cells = append(cells, f.cell(of))
	}
	return cells
}

// naUnless is cells that are n/a of an R that has nothing to show there.
func naUnless[R any](has func(R) bool) func(cell func(R) string) func(R) string {
	return func(cell func(R) string) func(R) string {
		return func(of R) string {
			if !has(of) {
				return na
			}
			return cell(of)
		}
	}
}

func (c Column) full() string {
	if c.Full != "" {
		return c.Full
	}
	return strings.ReplaceAll(c.Head, "\n", " ")
}

// Write writes the table.
func (t *Table) Write(w io.Writer, f Format) error {
	if f == Markdown {
		return t.writeMarkdown(w)
	}
	return t.writeTerminal(w)
}

func (t *Table) writeTerminal(out io.Writer) error {
	var w bytes.Buffer
	if t.Title != "" {
		writeWrapped(&w, t.Title)
	}
	for _, part := range t.fit(TerminalWidth) {
		head := make([]string, len(part.Columns))
		for i, c := range part.Columns {
			head[i] = c.Head
		}
		tb := tablewriter.NewTable(&w,
			tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
				Borders: tw.BorderNone,
				Symbols: tw.NewSymbols(tw.StyleLight),
				Settings: tw.Settings{
					Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
					Lines:      tw.Lines{ShowHeaderLine: tw.On},
				},
			})),
			tablewriter.WithPadding(tw.Padding{Right: " ", Overwrite: true}),
			part.config())
		tb.Header(head)
		if err := part.fill(tb, part.Rows); err != nil {
			return err
		}
	}
	for _, n := range t.Notes {
		writeWrapped(&w, n)
	}
	// Nothing follows the last column that is wider than its text.
	for line := range strings.Lines(w.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// writeWrapped writes a paragraph, its further lines indented.
func writeWrapped(w io.Writer, s string) {
	fmt.Fprintln(w, strings.Join(wrap(s, TerminalWidth-2), "\n  "))
}

func (t *Table) writeMarkdown(w io.Writer) error {
	if t.Title != "" {
		fmt.Fprintf(w, "**%s**\n\n", escape(t.Title))
	}
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = escape(c.full())
	}
	rows := make([][]string, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = make([]string, len(r))
		for j, cell := range r {
			rows[i][j] = escape(cell)
		}
	}
	if len(t.Columns) > 0 {
		tb := tablewriter.NewTable(w, tablewriter.WithRenderer(renderer.NewMarkdown()), t.config())
		tb.Header(head)
		if err := t.fill(tb, rows); err != nil {
			return err
		}
	}
	if len(t.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(w, "- %s\n", escape(n))
	}
	return nil
}

// config sets the alignment and turns everything off that would change a cell's
// text.
func (t *Table) config() tablewriter.Option {
	align := make(tw.Alignment, len(t.Columns))
	for i, c := range t.Columns {
		align[i] = tw.AlignRight
		if c.Left {
			align[i] = tw.AlignLeft
		}
	}
	return func(tb *tablewriter.Table) {
		for _, o := range []tablewriter.Option{
			tablewriter.WithHeaderAutoFormat(tw.Off), tablewriter.WithHeaderAutoWrap(tw.WrapNone),
			tablewriter.WithRowAutoWrap(tw.WrapNone),
			tablewriter.WithAlignment(align),
		} {
			o(tb)
		}
	}
}

func (t *Table) fill(tb *tablewriter.Table, rows [][]string) error {
	for _, r := range rows {
		if err := tb.Append(r); err != nil {
			return fmt.Errorf("table %q: %w", t.Title, err)
		}
	}
	if err := tb.Render(); err != nil {
		return fmt.Errorf("table %q: %w", t.Title, err)
	}
	return nil
}

// escape makes text safe inside a Markdown table; tablewriter does not.
func escape(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`).Replace(s)
}
