package results

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hdbench/internal/measure"
)

// FileDoctor is what doctor found before each part of a sweep.
const FileDoctor = "doctor.json"

// DoctorSchema is the JSON Schema of that file, and of hdbench doctor --format json.
//
//go:embed schema/doctor.schema.json
var DoctorSchema []byte

// doctorSchemaID names the schema in every file that follows it.
const doctorSchemaID = "https://hdbench.invalid/schema/doctor-1.json"

// doctorFile is FileDoctor: an examination for the sweep's beginning, and one for
// each time it was resumed.
type doctorFile struct {
	SchemaID     string                 `json:"$schema"`
	Schema       int                    `json:"schema"`
	Examinations []*measure.Examination `json:"examinations"`
}

// WriteDoctorJSON writes examinations as JSON that follows DoctorSchema.
func WriteDoctorJSON(w io.Writer, es ...*measure.Examination) error {
	return writeJSON(w, doctorFile{doctorSchemaID, SchemaVersion, es})
}

// AppendExamination adds an examination to a results folder.
func AppendExamination(dir string, e *measure.Examination) error {
	es, err := readExaminations(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := WriteDoctorJSON(&b, append(es, e)...); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, FileDoctor), []byte(b.String()))
}

// readExaminations are those of a results folder; older ones have none.
func readExaminations(dir string) ([]*measure.Examination, error) {
	name := filepath.Join(dir, FileDoctor)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f doctorFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Schema != SchemaVersion {
		return nil, fmt.Errorf("%s: %w: schema %d, this hdbench reads %d", name, ErrSchema, f.Schema, SchemaVersion)
	}
	return f.Examinations, nil
}

// DoctorLines are the warnings and failures of an examination, a line each.
func DoctorLines(e *measure.Examination) []string {
	var lines []string
	for _, h := range e.Hosts {
		for _, v := range h.Verdicts {
			if v.Verdict != measure.Warn && v.Verdict != measure.Fail {
				continue
			}
			line := fmt.Sprintf("doctor: %s %s: %s", v.Verdict, v.Check, v.Value)
			if len(e.Hosts) > 1 {
				line = fmt.Sprintf("doctor: %s: %s %s: %s", agents(h), v.Verdict, v.Check, v.Value)
			}
			lines = append(lines, shorten(line, TerminalWidth))
		}
	}
	return lines
}

// WriteDoctor writes an examination for a terminal: every check, then for each
// warning and failure why it matters and what mends it.
func WriteDoctor(w io.Writer, e *measure.Examination) error {
	for i, h := range e.Hosts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		t := &Table{
			Title:   fmt.Sprintf("%s, %s: %s", h.Name, strings.Join(h.Roles, " and "), tally(h.Verdicts)),
			Columns: []Column{{Head: "Verdict", Left: true}, {Head: "Check", Left: true}, {Head: "Found", Left: true, Prose: true}},
			Keys:    2,
		}
		var mend []measure.Verdict
		for _, v := range h.Verdicts {
			t.Rows = append(t.Rows, []string{string(v.Verdict), v.Check, v.Value})
			if v.Verdict == measure.Warn || v.Verdict == measure.Fail {
				mend = append(mend, v)
			}
		}
		if err := t.Write(w, Terminal); err != nil {
			return err
		}
		for _, v := range mend {
			fmt.Fprintln(w)
			writeWrapped(w, fmt.Sprintf("%s: %s.", v.Check, v.Why))
			if v.Mend != "" {
				writeWrapped(w, "  mend: "+v.Mend)
			}
		}
	}
	return nil
}

// agents name a host: names of hosts need not differ.
func agents(h measure.HostExamination) string { return strings.Join(h.Agents, ", ") }

// tally counts verdicts in words, the worst first.
func tally(vs []measure.Verdict) string {
	var words []string
	for _, f := range []measure.Fitness{measure.Fail, measure.Warn, measure.Fit, measure.Unknown} {
		n := 0
		for _, v := range vs {
			if v.Verdict == f {
				n++
			}
		}
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, f))
		}
	}
	return strings.Join(words, ", ")
}

// DoctorTable is what doctor found before a sweep: its warnings and failures, of
// all parts of a sweep that was resumed, each once. Nil without an examination.
func DoctorTable(es []*measure.Examination) *Table {
	if len(es) == 0 || len(es[0].Hosts) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{{Head: "Host", Left: true}, {Head: "Verdict", Left: true}, {Head: "Check", Left: true}, {Head: "Found", Left: true, Prose: true}}}
	var all []measure.Verdict
	var unknown []string
	for _, e := range es {
		for _, h := range e.Hosts {
			all = append(all, h.Verdicts...)
			for _, v := range h.Verdicts {
				row := []string{agents(h), string(v.Verdict), v.Check, v.Value}
				switch {
				case v.Verdict == measure.Unknown && !slices.Contains(unknown, v.Check):
					unknown = append(unknown, v.Check)
				case v.Verdict != measure.Warn && v.Verdict != measure.Fail:
				case !slices.ContainsFunc(t.Rows, func(r []string) bool { return slices.Equal(r, row) }):
					t.Rows = append(t.Rows, row)
				}
			}
		}
	}
	t.Title = "What doctor found before the sweep: " + tally(all)
	if len(es) > 1 {
		t.Title = fmt.Sprintf("What doctor found before the sweep and each time it was resumed (%d looks): %s", len(es), tally(all))
	}
	if len(t.Rows) == 0 {
		t.Rows = [][]string{{agents(es[0].Hosts[0]), string(measure.Fit), "all", "nothing to mend of what could be checked"}}
	}
	if len(unknown) > 0 {
		t.addNote("n/a: " + strings.Join(unknown, ", ") + "; the reasons are in " + FileDoctor + ".")
	}
	return t
}
