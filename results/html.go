package results

import (
	"io"
	"strings"

	"hdbench/results/page"
)

// writeHTML hands the report to the page.
func (r *Report) writeHTML(w io.Writer) error {
	p := page.Page{Title: "hdbench: " + r.title}
	for i, s := range r.sections {
		out := page.Section{Title: s.title, First: i == 0 && r.answer != nil, Before: s.text, After: s.after, Commands: s.commands}
		if len(s.figures) > 0 {
			out.Legend = s.legend
		}
		tables := s.tables
		if len(s.wide) > 0 {
			tables = s.wide
		}
		for _, t := range tables {
			out.Tables = append(out.Tables, t.page())
		}
		for _, f := range s.figures {
			svg, spots, err := f.SVG()
			if err != nil {
				return err
			}
			out.Plots = append(out.Plots, page.NewPlot(f.Title, f.Alt, svg, spots))
		}
		for _, g := range s.flames {
			out.Plots = append(out.Plots, g.plot())
		}
		p.Sections = append(p.Sections, out)
	}
	return p.Write(w)
}

func (t *Table) page() page.Table {
	out := page.Table{Title: t.Title, Rows: t.Rows, Notes: t.Notes}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, page.Column{Head: strings.TrimSpace(c.full()), Text: c.Left, Prose: c.Prose, Tip: c.Tip})
	}
	return out
}
