// Package page writes a report as one HTML page that needs nothing else: no
// network, no font, no library. Its tables sort and filter, its plots say their
// values, it is light or dark as the reader is, and it prints.
//
// Without scripts it is the same page, except for what is pressed or pointed at.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var source string

//go:embed page.css
var css string

//go:embed page.js
var js string

// Page is everything there is to show, as text.
type Page struct {
	Title    string
	Sections []Section
}

// Section is a heading and what stands below it, in this order.
type Section struct {
	Title    string
	First    bool // it is what the page opens with, and stands on one screen
	Before   []string
	Tables   []Table
	Plots    []Plot
	Legend   []string // of the plots
	After    []string
	Commands []string
}

// Table is rows of text under headings.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]string
	Notes   []string
}

// Column is one heading. Text stands to the left, numbers to the right.
type Column struct {
	Head string
	Text bool
	Tip  string // what it means, shown on pointing at it
	// Prose is text that is broken into lines.
	Prose bool
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"anchor": anchor,
		"key":    sortKey,
		"add":    func(a, b int) int { return a + b },
		"code":   code,
	}).Parse(source)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	err = t.Execute(w, struct {
		Page
		CSS template.CSS
		JS  template.JS
	}{p, template.CSS(css), template.JS(js)})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// anchor is a heading as the end of an address.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ':
			return '-'
		}
		return -1
	}, title)
}

// code sets what stands between backticks as code.
func code(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}
