package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

func lines(n int) *Figure {
	f := &Figure{
		Name: "x", Title: `A <title> & "more"`, Alt: "what it shows", X: Axis{Label: "offered (Mbps)"},
		Panels: []Panel{
			{Y: Axis{Label: "delivered (Mbps)"}, Identity: "delivered = offered"},
			{Y: Axis{Label: "latency (µs)", Log: true}},
		},
	}
	for i := range n {
		s := Series{Name: fmt.Sprintf("configuration %d", i), Style: Style(i - 1)}
		for j := 1; j <= 4; j++ {
			y := float64(1000*j - 100*i)
			s.Points = append(s.Points, Point{X: float64(1000 * j), Y: y, Lo: y - 50, Hi: y + 50, Hollow: j == 4, Text: fmt.Sprint(s.Name, " at ", j)})
		}
		f.Panels[0].Series = append(f.Panels[0].Series, s)
		f.Panels[1].Series = append(f.Panels[1].Series, s)
	}
	return f
}

func bars() *Figure {
	nan := math.NaN()
	return &Figure{
		Name: "b", Title: "Bars", Alt: "bars", X: Axis{Label: "tax (%)"},
		Bars: []Bar{{"a", 0, 48, 40, 55, "48 %"}, {"b", 1, -3, -7, 1, "−3 %"}, {"none", 2, nan, nan, nan, "n/a"}},
	}
}

func TestSameFigureSameBytes(t *testing.T) {
	for _, f := range []*Figure{lines(3), bars()} {
		svg, spots, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := f.SVG()
		if err != nil || !bytes.Equal(svg, again) {
			t.Errorf("%s: two SVGs differ, %v", f.Name, err)
		}
		a, err := f.PNG()
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.PNG()
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two PNGs differ, %v", f.Name, err)
		}
		img, err := png.Decode(bytes.NewReader(a))
		if err != nil || img.Bounds().Dx() != int(width)*pngDPI/72 {
			t.Errorf("%s: PNG: %v", f.Name, err)
		}
		if len(spots) == 0 {
			t.Errorf("%s: nothing to point at", f.Name)
		}
		h := f.height(newPen()).Points()
		for _, s := range spots {
			if s.X < 0 || s.Y < 0 || s.X+s.W > width.Points() || s.Y+s.H > h || s.Text == "" {
				t.Errorf("%s: a spot out of the drawing: %+v", f.Name, s)
			}
		}
	}
}

func TestSVGIsWellFormedAndKeepsItsWords(t *testing.T) {
	svg, _, err := lines(2).SVG()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.CharData:
			text.Write(tok)
		case xml.StartElement:
			for _, a := range tok.Attr {
				if a.Name.Local == "href" || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s %s=%q", tok.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	for _, want := range []string{`A <title> & "more"`, "what it shows", "offered (Mbps)", "delivered (Mbps)", "latency (µs)", "configuration 0", "configuration 1", "delivered = offered"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the drawing", want)
		}
	}
	if n := strings.Count(string(svg), "<text"); n != strings.Count(string(svg), "textLength") {
		t.Errorf("of %d texts not all have their length", n)
	}
}

// Colour, dash and marker together tell 210 series apart, and any two of the
// first five differ in every one of the three.
func TestStylesAreToldApart(t *testing.T) {
	seen := map[string]Style{}
	look := func(s Style) (colour, dash, mark string) {
		return fmt.Sprint(s.color()), fmt.Sprint(s.line().Dashes), fmt.Sprint(s.marker())
	}
	for s := Baseline; s < 210; s++ {
		c, d, m := look(s)
		if other, has := seen[c+d+m]; has {
			t.Errorf("styles %d and %d look the same", s, other)
		}
		seen[c+d+m] = s
	}
	for a := Baseline; a < 5; a++ {
		for b := a + 1; b < 5; b++ {
			ca, da, ma := look(a)
			cb, db, mb := look(b)
			if ca == cb || da == db || ma == mb {
				t.Errorf("styles %d and %d: %s %s %s and %s %s %s", a, b, ca, da, ma, cb, db, mb)
			}
		}
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		lo, hi float64
		ticks  string
	}{
		{Axis{}, []float64{3, 100}, 0, 104, "0 20 40 60 80 100"},
		{Axis{}, []float64{0.1, 0.3}, 0, 0.312, "0 0.05 0.1 0.15 0.2 0.25 0.3"},
		{Axis{}, []float64{-5, 20}, -6.04, 21, "-5 0 5 10 15 20"},
		{Axis{}, []float64{0, 0}, 0, 1.04, "0 0.2 0.4 0.6 0.8 1"},
		{Axis{}, []float64{math.NaN()}, 0, 1, "0 0.2 0.4 0.6 0.8 1"},
		{Axis{Log: true}, []float64{20, 3000}, 10, 10000, "10 100 1000 10000"},
		{Axis{Log: true}, []float64{100, 100}, 100, 1000, "100 1000"},
		{Axis{Log: true}, []float64{0, -1}, 1, 10, "1 10"},
		{Axis{Max: 100}, []float64{7}, 0, 100, "0 20 40 60 80 100"},
	} {
		lo, hi := c.axis.span(c.values)
		if math.Abs(lo-c.lo) > 1e-9 || math.Abs(hi-c.hi) > 1e-9 {
			t.Errorf("%+v of %v: %v to %v, want %v to %v", c.axis, c.values, lo, hi, c.lo, c.hi)
		}
		var labels []string
		for _, tick := range (ticks{axis: c.axis}).Ticks(lo, hi) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, " "); got != c.ticks {
			t.Errorf("%+v of %v: ticks %s, want %s", c.axis, c.values, got, c.ticks)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	nan := math.NaN()
	empty := &Figure{Panels: []Panel{{Series: []Series{{Points: []Point{{X: 1, Y: nan}}}}}}}
	none := &Figure{Bars: []Bar{{Value: nan, Text: "n/a"}}}
	if empty.Drawable() || none.Drawable() || !lines(1).Drawable() || !bars().Drawable() {
		t.Error("what can be drawn, and what not")
	}
}

// A value of nothing on a logarithmic axis, a single point, an interval that
// reaches below zero: drawn as far as it goes, without a panic.
func TestAwkwardValues(t *testing.T) {
	nan := math.NaN()
	f := lines(1)
	f.Panels[1].Series[0].Points = []Point{{X: 1000, Y: 0, Lo: -1, Hi: 1}, {X: 2000, Y: 50, Lo: -10, Hi: 110}, {X: 3000, Y: nan, Lo: nan, Hi: nan}}
	f.Panels[0].Series[0].Points = f.Panels[0].Series[0].Points[:1]
	svg, _, err := f.SVG()
	if err != nil || bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Errorf("%v", err)
	}
}
