package results

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
)

// fingerprint is one of those that probe's tests make of recorded hosts.
func fingerprint(t *testing.T, name string) *measure.Fingerprint {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "internal", "probe", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	f := new(measure.Fingerprint)
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	f.Binary = measure.Binary{Go: "go1.26.0", Settings: map[string]string{"GOAMD64": "v1", "vcs.revision": "abc"}}
	return f
}

func examination() *measure.Examination {
	return &measure.Examination{
		Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Hdbench: "v0.1", Scenario: "quick",
		Hosts: []measure.HostExamination{{
			Name: "box", Agents: []string{"relay", "client"}, Roles: []string{"relay", "client"}, RelayCPUs: "0-1", ClientCPUs: "2-3",
			Readings: &measure.Readings{SampleNS: 4e8, CPUs: map[int]measure.CPUShare{0: {Busy: 0.5}}, Route: measure.Route{To: "127.0.0.1", Device: "lo", Local: true}},
			Verdicts: []measure.Verdict{
				{Check: "governor", Verdict: measure.Unknown, Value: "/sys is not there", Why: "a governor that follows the load measures the frequency it chose"},
				{Check: "load", Verdict: measure.Fail, Value: "CPUs 0-3 94 % busy, load average 3.17", Why: "whatever else runs takes CPU time", Mend: "find it with top and end it, or wait"},
				{Check: "swap", Verdict: measure.Fit, Value: "none", Why: "a page that comes back from disk takes milliseconds"},
				{Check: "ktls", Verdict: measure.Warn, Value: "none: this kernel has no module tls: load it (modprobe tls), or use a kernel built with CONFIG_TLS", Why: "points over ktls cannot be measured", Mend: "modprobe tls"},
			},
		}},
	}
}

func TestDoctorJSONFollowsItsSchema(t *testing.T) {
	validate := validator(t, doctorSchemaID, DoctorSchema)
	var b bytes.Buffer
	if err := WriteDoctorJSON(&b, examination(), examination()); err != nil {
		t.Fatal(err)
	}
	if err := validate(b.Bytes()); err != nil {
		t.Error(err)
	}
	for what, broken := range map[string][]byte{
		"another verdict": bytes.Replace(b.Bytes(), []byte(`"verdict": "fail"`), []byte(`"verdict": "bad"`), 1),
		"no reason":       bytes.Replace(b.Bytes(), []byte(`"value": "/sys is not there"`), []byte(`"value": ""`), 1),
		"another version": bytes.Replace(b.Bytes(), []byte(`"schema": 1`), []byte(`"schema": 2`), 1),
	} {
		if validate(broken) == nil {
			t.Errorf("the schema accepts %s", what)
		}
	}
}

func TestExaminationsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	store, err := Create(dir, environment(), []byte("name: quick\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if set, err := Open(dir); err != nil || set.Examinations != nil {
		t.Fatalf("a folder without examinations has %v, %v", set.Examinations, err)
	}
	for n := 1; n <= 2; n++ { // the sweep, and its being resumed
		if err := AppendExamination(dir, examination()); err != nil {
			t.Fatal(err)
		}
		set, err := Open(dir)
		if err != nil || len(set.Examinations) != n || set.Examinations[n-1].Hosts[0].Verdicts[1].Verdict != measure.Fail {
			t.Fatalf("%d kept: %+v, %v", n, set.Examinations, err)
		}
	}
	name := filepath.Join(dir, FileDoctor)
	for content, want := range map[string]string{`{"schema": 9}`: "schema 9, this hdbench reads 1", `{`: FileDoctor} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
		if err := AppendExamination(dir, examination()); err == nil {
			t.Errorf("%s: written over", content)
		}
	}
}

func TestWhatDoctorFoundReads(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDoctor(&b, examination()); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n--- before a sweep\n" + strings.Join(DoctorLines(examination()), "\n") + "\n\n--- in its report\n")
	if err := DoctorTable([]*measure.Examination{examination()}).Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n--- in the report of one that was resumed, with a second host\n")
	again := examination()
	again.Hosts = append(again.Hosts, again.Hosts[0])
	again.Hosts[1].Agents = []string{"client-2"}
	if err := DoctorTable([]*measure.Examination{examination(), again}).Write(&b, Markdown); err != nil {
		t.Fatal(err)
	}
	golden(t, "doctor.txt", b.Bytes())
	terminal, _, _ := strings.Cut(b.String(), "--- in the report of one")
	checkWidth(t, terminal)
	if DoctorTable(nil) != nil {
		t.Error("a folder without examinations has a table of them")
	}
	fit := examination()
	fit.Hosts[0].Verdicts = fit.Hosts[0].Verdicts[2:3]
	if rows := DoctorTable([]*measure.Examination{fit}).Rows; len(rows) != 1 || len(DoctorLines(fit)) != 0 {
		t.Errorf("a fit host: %v", rows)
	}
}

func checkWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if w := textWidth(strings.TrimRight(line, "\n")); w > TerminalWidth {
			t.Errorf("%d columns: %s", w, line)
		}
	}
}
