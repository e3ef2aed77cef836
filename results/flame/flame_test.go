package flame

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

const folded = `relay;main;work;sys_write_[k] 60
relay;main;work 20
relay;main;idle 19
relay;main;"a<b>&c" 1
`

func read(t *testing.T, text string) *Graph {
	t.Helper()
	g, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestFramesAreAsWideAsTheirShare(t *testing.T) {
	g := read(t, folded)
	svg, spots := g.SVG("a graph")
	wide := map[string]Spot{}
	for _, s := range spots {
		name, _, _ := strings.Cut(s.Text, "\n")
		wide[name] = s
	}
	for name, w := range map[string]float64{"relay (thread)": 1000, "main": 1000, "work": 800, "sys_write (kernel)": 600, "idle": 190, `"a<b>&c"`: 10} {
		s, there := wide[name]
		if !there || s.W < w-0.01 || s.W > w+0.01 {
			t.Errorf("%s: %+v, want a width of %v", name, s, w)
		}
	}
	if a, b := wide["sys_write (kernel)"], wide["work"]; a.Y >= b.Y || a.X != b.X {
		t.Errorf("a callee stands on its caller: %+v on %+v", a, b)
	}
	if !strings.Contains(wide["work"].Text, "80.0 %, 80 of 100 samples") {
		t.Errorf("it says %q", wide["work"].Text)
	}
	if again, _ := read(t, folded).SVG("a graph"); string(again) != string(svg) {
		t.Error("the same stacks give other bytes")
	}
	wellFormed(t, svg)
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestWhatIsTooNarrowIsLeftOut(t *testing.T) {
	_, spots := read(t, "a;b 999999\na;c 1\n").SVG("x")
	if len(spots) != 2 {
		t.Errorf("%d frames, want 2: %+v", len(spots), spots)
	}
	deep := strings.Repeat("f;", 500) + "f 5\n"
	if _, spots := read(t, deep).SVG("x"); len(spots) != maxRows {
		t.Errorf("%d rows of a deep stack, want %d", len(spots), maxRows)
	}
}

func TestDamagedStacks(t *testing.T) {
	for text, want := range map[string]string{
		"a;b 5\nnonsense\n": "line 2",
		"a;b five\n":        "line 1",
		" 5\n":              "line 1",
		"a -5\n":            "line 1",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if g := read(t, "\n\n"); g.Samples() != 0 {
		t.Errorf("%d samples in nothing", g.Samples())
	}
}

func FuzzRead(f *testing.F) {
	f.Add(folded)
	f.Add("a;;b 1\n; 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Read(strings.NewReader(text))
		if err == nil {
			g.SVG(text)
		}
	})
}
