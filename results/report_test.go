package results

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/perf/benchfmt"
)

func TestReportGoldens(t *testing.T) { reportGoldens(t, "report", sampleSet()) }

// reportGoldens holds a set's report against the files of a name, in every form,
// and the terminal's against its width.
func reportGoldens(t *testing.T, name string, set *Set) {
	t.Helper()
	report, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	for f, suffix := range map[Format]string{Terminal: ".txt", Markdown: ".md", HTML: ".html"} {
		var b bytes.Buffer
		if err := report.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, name+suffix, b.Bytes())
		if f == Terminal {
			fitsTerminal(t, b.String())
		}
	}
}

func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > TerminalWidth {
			t.Errorf("a line of %d columns:\n%s", n, line)
		}
	}
}

// Numbers from a kernel of the lab are never to be taken for a machine's.
func TestReportOfTheLabSaysSo(t *testing.T) {
	s := sampleSet()
	for i := range s.Environment.Hosts {
		s.Environment.Hosts[i].Host.Lab = "user-mode Linux 6.1: one CPU"
	}
	r, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{Terminal, Markdown} {
		var out bytes.Buffer
		if err := r.Write(&out, f); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Measured in the lab: user-mode Linux 6.1: one CPU.", "make sweep-lab SCENARIO=hdbench-out/quick-1/scenario.yaml"} {
			if n := strings.Count(strings.Join(strings.Fields(out.String()), " "), want); n != 1 {
				t.Errorf("the report says %q %d times, want once:\n%s", want, n, out.String())
			}
		}
	}
}

func TestBenchGolden(t *testing.T) {
	var b bytes.Buffer
	if err := WriteBench(&b, sampleSet()); err != nil {
		t.Fatal(err)
	}
	golden(t, "bench.txt", b.Bytes())
	r := benchfmt.NewReader(bytes.NewReader(b.Bytes()), "bench.txt")
	n, delivered := 0, 0
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			n++
			if v, ok := rec.Value("delivered-Mbit/s"); ok && v > 0 {
				delivered++
			} else if _, ok := rec.Value("CPU-s/Gbit"); !ok { // of lower bounds the cost counts
				t.Errorf("%s: %+v", rec.Name, rec.Values)
			}
			if base, parts := rec.Name.Parts(); string(base) != "Relay" || len(parts) < 8 {
				t.Errorf("name %s has base %s and %d parts", rec.Name, base, len(parts))
			}
		case *benchfmt.SyntaxError:
			t.Error(rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if n != 36 || delivered != 32 {
		t.Errorf("%d results, %d with what was delivered, want those of 36 trials, of which 4 are lower bounds", n, delivered)
	}
}

func TestEmptyFolderHasAReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	report, err := Derive(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "No trial has been made yet") {
		t.Errorf("%s", b.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestNamesTellApartWhatDiffers(t *testing.T) {
	a, b := hd(1), hd(1)
	b.ModerationNS = int64(200 * time.Microsecond)
	n := Names([]Config{a, b, derper()})
	if n[a] != "hd tcp 1 worker" || n[b] != "hd tcp 1 worker moderation 200µs" || n[derper()] != "derper 1.102.5 tcp GOMAXPROCS=2" {
		t.Errorf("%v", n)
	}
	b.OnFull, b.ModerationNS = "drop-tail", 0
	n = Names([]Config{a, b})
	if n[a] != "hd tcp 1 worker on-full pause" || n[b] != "hd tcp 1 worker on-full drop-tail" {
		t.Errorf("%v", n)
	}
}

func TestMarkdownCellsAreEscaped(t *testing.T) {
	tab := &Table{Columns: []Column{{Head: "a|b"}}, Rows: [][]string{{"x | y\nz"}}}
	var b bytes.Buffer
	if err := tab.Write(&b, Markdown); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 2 {
			t.Errorf("a cell breaks the table: %q", line)
		}
	}
}
