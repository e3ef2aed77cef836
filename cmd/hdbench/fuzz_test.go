package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hdbench/results"
	"hdbench/scenarios"
)

// A folder comes from other builds, other machines, disks that lie and editors. What
// opens must be reported, however little sense it makes; what does not open says so.

// recordedFiles are a small recorded sweep: trials over tcp and tls, a search, profiles,
// a relay that was not there.
var recordedFiles = []string{results.FileTrials, results.FileEnvironment, results.FileScenario, "doctor.json"}

// recorded reads the recorded folder.
func recorded(tb testing.TB) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	for _, name := range recordedFiles {
		b, err := os.ReadFile(filepath.Join("testdata", "recorded", name))
		if err != nil {
			tb.Fatal(err)
		}
		files[name] = b
	}
	return files
}

// renderings are all that can be made of a folder.
func renderings() [][]string {
	var all [][]string
	for _, format := range append([]string{"terminal", "markdown", "html"}, results.ExportFormats()...) {
		all = append(all, []string{"report", "DIR", "--format", format})
	}
	return append(all, []string{"compare", "DIR", "DIR"}, []string{"trend", "DIR", "DIR"})
}

// render makes one of the renderings of a folder with these files. A panic is the
// finding; so are a folder that opens and cannot be rendered, and a failure without a
// word.
func render(t *testing.T, files map[string][]byte, which byte) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := renderings()
	var args []string
	for _, a := range all[int(which)%len(all)] {
		args = append(args, strings.ReplaceAll(a, "DIR", dir))
	}
	var errs bytes.Buffer
	code := run(args, strings.NewReader(""), io.Discard, &errs)
	if code != 0 && errs.Len() == 0 || code == exitFailed && args[0] != "compare" { // of which it is a verdict
		t.Fatalf("%v: exit code %d: %s", args, code, &errs)
	}
}

// The largest numbers there are, of which the mean is none.
func TestRecordsWithHugeNumbersAreRendered(t *testing.T) {
	for _, key := range []string{"delivered_bps", "sent_bps", "cpu_seconds", "seconds"} {
		number := regexp.MustCompile(`"` + key + `":-?[0-9.e+-]+`)
		files := recorded(t)
		before := files[results.FileTrials]
		files[results.FileTrials] = number.ReplaceAll(before, []byte(`"`+key+`":1e308`))
		if bytes.Equal(before, files[results.FileTrials]) {
			t.Fatalf("no record has %s", key)
		}
		for which := range byte(len(renderings())) {
			render(t, files, which)
		}
	}
}

// FuzzRecordLine adds a line to a trials.jsonl that is whole.
func FuzzRecordLine(f *testing.F) {
	files := recorded(f)
	for i, line := range bytes.Split(bytes.TrimSpace(files[results.FileTrials]), []byte("\n")) {
		f.Add(byte(i), line)
	}
	f.Add(byte(0), []byte(`{"schema":1,"kind":"trial","id":"x","load":{}}`))
	f.Fuzz(func(t *testing.T, which byte, line []byte) {
		files := maps.Clone(recorded(t))
		files[results.FileTrials] = append(append(slices.Clone(files[results.FileTrials]), line...), '\n')
		render(t, files, which)
	})
}

// FuzzRecordValues changes values of a recorded folder: what is JSON stays JSON, and so
// the changes reach the report.
func FuzzRecordValues(f *testing.F) {
	for which := range byte(len(renderings())) {
		f.Add(which, []byte{0, 1, 2, 3, 4, 5, 6, 7})
		f.Add(which, []byte{which, 7, 1, 200, 3, 3, 40, 9, 100, 5, 17, 3, 2, 8, 11})
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte) {
		files := recorded(t)
		e := editor{edits: edits}
		lines := bytes.Split(bytes.TrimSpace(files[results.FileTrials]), []byte("\n"))
		for range 1 + e.pick(4) {
			i := e.pick(len(lines) + 2)
			switch {
			case i < len(lines):
				lines[i] = e.edit(t, lines[i])
			case i == len(lines):
				files[results.FileEnvironment] = e.edit(t, files[results.FileEnvironment])
			default:
				files["doctor.json"] = e.edit(t, files["doctor.json"])
			}
		}
		files[results.FileTrials] = append(bytes.Join(lines, []byte("\n")), '\n')
		render(t, files, which)
	})
}

// editor makes changes of JSON out of a fuzzer's bytes.
type editor struct{ edits []byte }

// pick is a number below n.
func (e *editor) pick(n int) int {
	if len(e.edits) < 2 || n < 1 {
		return 0
	}
	v := int(e.edits[0]) | int(e.edits[1])<<8
	e.edits = e.edits[1:]
	return v % n
}

// Odd values of each kind. Most changes keep a value's kind, so that the record still
// opens and the change is what a report has to live with. The square of none of them
// is beyond all numbers: TestRecordsWithHugeNumbersAreRendered has those.
var (
	oddWhole  = []any{0, -1, 1, 2, 1000, int64(1) << 40, int64(1) << 62, -(int64(1) << 62)}
	oddNumber = []any{0, -1, 1, 0.5, 1e-9, 1e12, 1e150, -1e150, 1e-150}
	oddText   = []any{"", "x", "|\n<b>&", strings.Repeat("w", 300), "\x00", "tls", "hd", "derper", "0-3", "max", "100Mbps", "2006-01-02T15:04:05Z", "search", "trial"}
	oddAny    = []any{nil, 0, -1, 1e150, "", "x", true, []any{}, map[string]any{}, []any{nil}, []any{-1, 1e150, 0}}
)

// edit changes one value somewhere in a document.
func (e *editor) edit(t *testing.T, doc []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e.change(v))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (e *editor) change(v any) any {
	of := func(values []any) any { return values[e.pick(len(values))] }
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
		keys := slices.Sorted(maps.Keys(v))
		k := keys[e.pick(len(keys))]
		switch e.pick(24) {
		case 0:
			delete(v, k)
		case 1:
			v[k] = v[keys[e.pick(len(keys))]]
		case 2:
			return map[string]any{}
		default:
			v[k] = e.change(v[k])
		}
		return v
	case []any:
		if len(v) == 0 {
			return nil
		}
		i := e.pick(len(v))
		switch e.pick(12) {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return append(v, v[i])
		case 2:
			return v[:i]
		}
		v[i] = e.change(v[i])
		return v
	case json.Number:
		if e.pick(24) > 0 {
			if _, err := v.Int64(); err == nil {
				return of(oddWhole)
			}
			return of(oddNumber)
		}
	case string:
		if e.pick(24) > 0 {
			return of(oddText)
		}
	case bool:
		return !v
	}
	return of(oddAny)
}

// FuzzScenarioFile gives a file to scenarios check, which makes the whole matrix of it.
func FuzzScenarioFile(f *testing.F) {
	for _, name := range scenarios.Names() {
		b, err := scenarios.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(recorded(f)[results.FileScenario])
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "s.yaml")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		if code := run([]string{"scenarios", "check", file}, strings.NewReader(""), io.Discard, &errs); code != 0 && errs.Len() == 0 {
			t.Fatalf("exit code %d without a word", code)
		}
	})
}
