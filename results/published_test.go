package results

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// The published tables, number for number.
func TestPublishedTablesArePrintedAgain(t *testing.T) {
	p, err := OpenPublished("reference")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := ReadPublished()
	if err != nil || len(embedded.Figures) != len(p.Figures) {
		t.Fatalf("the embedded figures are others: %v", err)
	}
	for name, c := range map[string]struct {
		table *Table
		want  string
	}{
		"throughput": {p.ThroughputTable(), `
			TS TLS|4,100|37 %|< 1 %|n/a|n/a|2
			HD kTLS 2 workers|3,833|3 %|6–9 %|n/a|n/a|2
			HD kTLS 4 workers|6,680|8 %|10 %|n/a|n/a|1, 2
			HD TCP 2 workers|7,383|low|low|n/a|n/a|2
			HD TCP 4 workers|8,652|< 1 %|0.1 %|n/a|n/a|2`},
		"tax": {p.TaxTable(), `
			2|3,833|7,383|48 %|n/a|n/a|2
			4|6,300|8,652|27 %|n/a|n/a|1, 2`},
		"delivered": {p.DeliveredTable(), `
			3000|2590|2606|2606|2608|n/a|n/a|2
			5000|3478|4342|4316|4342|n/a|n/a|2
			7500|3774|6367|5621|6505|n/a|n/a|2
			10000|3833|7383|6300|8652|n/a|n/a|1, 2`},
		"cpu": {p.CPUTable(), `
			aes_gcm_dec|kernel crypto|13.0
			aes_gcm_enc|kernel crypto|11.8
			rep_movs_alternative|kernel copy|4.0
			skb_release_data|kernel SKB|2.2
			ForwardMsg|user relay|2.0
			memset_orig|kernel alloc|1.7`},
		"cache": {p.CacheTable(), `
			HD kTLS 2 workers|3000|2.6 %
			HD kTLS 2 workers|5000|40 %
			HD TCP, workers n/a|3000|1.45 %`},
	} {
		var rows []string
		for _, r := range c.table.Rows {
			if len(r) != len(c.table.Columns) {
				t.Errorf("%s: %d cells under %d headings", name, len(r), len(c.table.Columns))
			}
			rows = append(rows, strings.Join(r, "|"))
		}
		want := strings.ReplaceAll(strings.TrimSpace(c.want), "\t", "")
		if got := strings.Join(rows, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
		if !strings.HasPrefix(c.table.Title, "Published, not measured here") {
			t.Errorf("%s is not labelled: %s", name, c.table.Title)
		}
	}
}

// A number beside its words must be that number.
func TestPublishedValuesAreWhatWasPrinted(t *testing.T) {
	p, err := ReadPublished()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Figures {
		digits := strings.NewReplacer(",", "", " %", "").Replace(f.Printed)
		if f.Value == nil {
			if strings.Trim(digits, "0123456789.") == "" {
				t.Errorf("%+v: a plain number without its value", f)
			}
			continue
		}
		if v, err := strconv.ParseFloat(digits, 64); err != nil || v != *f.Value {
			t.Errorf("printed %q, value %v", f.Printed, *f.Value)
		}
	}
}

func TestPublishedGoldens(t *testing.T) {
	p, err := ReadPublished()
	if err != nil {
		t.Fatal(err)
	}
	r := p.Report()
	for f, name := range map[Format]string{Terminal: "published.txt", Markdown: "published.md", HTML: "published.html"} {
		var b bytes.Buffer
		if err := r.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		if f == Terminal {
			fitsTerminal(t, b.String())
		}
	}
	goldenPlots(t, r, "plots-published")
}

func TestDamagedPublishedFolders(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("reference", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	about, figures := read(FilePublication), read(FilePublished)
	for name, c := range map[string]struct {
		about, figures, want string
	}{
		"torn":                {about, figures[:len(figures)-20], "published.jsonl:46"},
		"other schema":        {strings.Replace(about, `"schema": 1`, `"schema": 7`, 1), figures, "schema 7"},
		"record of a trial":   {about, strings.Replace(figures, `"kind": "published"`, `"kind": "trial"`, 1), `published.jsonl:1: kind "trial"`},
		"unexplained fault":   {about, strings.Replace(figures, `"faults": [2]`, `"faults": [9]`, 1), "fault 9 is not explained"},
		"another quantity":    {about, strings.Replace(figures, `"loss"`, `"luck"`, 1), `no published table "throughput" holds a "luck"`},
		"nothing was printed": {about, strings.Replace(figures, `"4,100"`, `""`, 1), "without what was printed"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{FilePublication: c.about, FilePublished: c.figures} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := OpenPublished(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if name == "other schema" && !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if IsPublished(t.TempDir()) || !IsPublished("reference") {
		t.Error("which folder is one of published figures")
	}
}

func FuzzPublished(f *testing.F) {
	about, err := referenceFiles.ReadFile("reference/" + FilePublication)
	if err != nil {
		f.Fatal(err)
	}
	figures, err := referenceFiles.ReadFile("reference/" + FilePublished)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(about, figures)
	f.Add([]byte(`{"schema":1}`), []byte(`{"schema":1,"kind":"published","table":"cpu","quantity":"x","printed":"1"}`))
	f.Fuzz(func(t *testing.T, about, figures []byte) {
		p, err := readPublished(fstest.MapFS{FilePublication: {Data: about}, FilePublished: {Data: figures}}, "x")
		if err != nil {
			return
		}
		var b bytes.Buffer
		for _, format := range []Format{Terminal, Markdown} {
			if err := p.Report().Write(&b, format); err != nil {
				t.Fatal(err)
			}
		}
	})
}
