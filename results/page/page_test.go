package page

import (
	"bytes"
	"strings"
	"testing"

	"hdbench/results/figure"
)

func TestSortKey(t *testing.T) {
	for cell, want := range map[string]string{
		"1400": "1400", "4,100": "4100", "≥ 13000": "13000", "≤ 5": "5", "<0.01": "0.01", "< 1 %": "1", "±1.36": "1.36", "−3.2 %": "-3.2",
		"-3": "-3", "130µs": "0.00013", "3.9ms": "0.0039", "1.2s": "1.2", "4/5": "4", "2.32× [2.23, 2.41]": "2.32", "≥ 4.07× [3.94, 4.20]": "4.07",
		"1 (TS)": "1", "5Gbps": "5000", "37 %": "37",
		"n/a": "", "": "", "low": "", "hd tcp 1 worker": "", "max": "", "1,2": "12", "10 pairs, payload 1400B": "10", "0-1": "0", "1.102.5": "",
	} {
		if got := sortKey(cell); got != want {
			t.Errorf("%q sorts by %q, want %q", cell, got, want)
		}
	}
}

// Whatever a record holds, it is text on the page, and the page asks nobody for
// anything.
func TestPageIsSelfContainedAndEscaped(t *testing.T) {
	evil := `</script><script>alert(1)</script><img src=x onerror=alert(1)>`
	f := &figure.Figure{Name: "x", Title: evil, Alt: evil, Bars: []figure.Bar{{Name: evil, Value: 1, Text: evil}}}
	svg, spots, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	p := Page{Title: evil, Sections: []Section{{
		Title: "A section", Before: []string{evil, "run `a <b>` now"}, After: []string{evil}, Legend: []string{evil}, Commands: []string{evil},
		Tables: []Table{{Title: evil, Columns: []Column{{Head: evil, Text: true}}, Rows: [][]string{{evil}, {"2"}}, Notes: []string{evil}}},
		Plots:  []Plot{NewPlot(f.Title, f.Alt, svg, spots)},
	}}}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if n := strings.Count(s, "<script"); n != 1 {
		t.Errorf("%d scripts, want our own one", n)
	}
	for _, bad := range []string{"<img", `src="`, "@import", "url(", "alert(1)</script>", "ZgotmplZ"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, link := range []string{"http:", "https:"} {
		if strings.Contains(s, link) {
			t.Errorf("the page refers to %s", link)
		}
	}
	if !strings.Contains(s, "<code>a &lt;b&gt;</code>") || !strings.Contains(s, `id="a-section"`) {
		t.Error("code or anchor is missing")
	}
}
