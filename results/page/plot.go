package page

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"hdbench/results/figure"
)

// Plot is a drawing and the places in it that say their values.
type Plot struct {
	Title, Alt string
	SVG        template.HTML
}

// NewPlot puts an SVG file into a page: without its header and size, in colours
// that turn with the page, and with its spots on top.
func NewPlot(title, alt string, svg []byte, spots []figure.Spot) Plot {
	s := string(svg)
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i:]
	}
	head, body, _ := strings.Cut(s, ">")
	box := ""
	if _, after, ok := strings.Cut(head, `viewBox="`); ok {
		box, _, _ = strings.Cut(after, `"`)
	}
	// The title and the description are the page's: a title of an SVG in a page is
	// a tooltip over all of it.
	if _, after, ok := strings.Cut(body, "</desc>"); ok {
		body = after
	}
	body = strings.TrimSuffix(strings.TrimSpace(body), "</svg>")
	body = strings.NewReplacer(
		"#000000", "var(--ink)", "#FFFFFF", "var(--paper)", "#DDDDDD", "var(--grid)", "#999999", "var(--faint)",
	).Replace(body)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="%s" role="img" aria-label="%s">%s<g class="spots">`, html.EscapeString(box), html.EscapeString(title+". "+alt), body)
	for _, sp := range spots {
		fmt.Fprintf(&b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" data-tip="%s"/>`, sp.X, sp.Y, sp.W, sp.H,
			strings.ReplaceAll(html.EscapeString(sp.Text), "\n", "&#10;"))
	}
	b.WriteString("</g></svg>")
	return Plot{Title: title, Alt: alt, SVG: template.HTML(b.String())}
}
