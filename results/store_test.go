package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hdbench/internal/units"
)

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), []byte("name: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := trial(hd(1), units.Gbps, 1, 1000, 0.3), trial(hd(1), units.Gbps, 2, 1001, 0.3)
	if err := s.Append(first); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(dir); err == nil || !strings.Contains(err.Error(), "another sweep") {
		t.Errorf("two writers: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, environment(), nil); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("creating over a folder: %v", err)
	}

	// A sweep killed while writing leaves half a line.
	file := filepath.Join(dir, FileTrials)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torn, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(bytes.Clone(whole), torn[:len(torn)/2]...), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := Open(dir)
	if err != nil || len(set.Trials) != 1 || len(set.Warnings) != 1 || !strings.Contains(set.Warnings[0], "trials.jsonl:2") {
		t.Fatalf("a torn folder: %v, %v", set, err)
	}
	if s, err = Append(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(second); err != nil {
		t.Fatal(err)
	}
	s.Close()
	set, err = Open(dir)
	if err != nil || len(set.Trials) != 2 || len(set.Warnings) != 0 || set.Trials[1].ID != second.ID {
		t.Fatalf("after the repair: %+v, %v", set, err)
	}
	if set.Trials[0].Load.DeliveredBps != 1000e6 || set.Environment.Seed != 7 || string(set.Scenario) != "name: x\n" {
		t.Errorf("read back: %+v", set)
	}
}

func TestARepeatedTrialCountsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	failed := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	failed.Load, failed.Error = nil, "the relay died"
	again := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	for _, r := range []*Trial{failed, again} {
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Open(dir)
	if err != nil || len(set.Trials) != 1 || !set.Trials[0].OK() {
		t.Errorf("%+v, %v", set.Trials, err)
	}
}

func TestRecordsOfOtherVersions(t *testing.T) {
	tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	// A field of a later version is kept.
	later := strings.Replace(string(b), `{"schema":1,`, `{"schema":1,"weather":{"sun":true},`, 1)
	var got Trial
	if err := json.Unmarshal([]byte(later), &got); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(out), `"weather":{"sun":true}`) {
		t.Errorf("an unknown field is lost: %s, %v", out, err)
	}
	for _, bad := range []string{`{"schema":2}`, `{}`, `{"schema":"1"}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil || strings.Contains(bad, ":2") && !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", bad, err)
		}
	}

	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Append(tr)
	s.Close()
	env := filepath.Join(dir, FileEnvironment)
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(env, bytes.Replace(text, []byte(`"schema": 1`), []byte(`"schema": 9`), 1), 0o644)
	if _, err := Open(dir); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "9") {
		t.Errorf("a folder of another schema: %v", err)
	}
	if _, err := Append(dir); !errors.Is(err, ErrSchema) {
		t.Errorf("resuming it: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotAFolder) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestDamagedRecordIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s, err := Create(dir, environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Append(trial(hd(1), units.Gbps, 1, 1000, 0.3))
	s.Close()
	f, err := os.OpenFile(filepath.Join(dir, FileTrials), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "rubbish")
	f.Close()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "trials.jsonl:2") {
		t.Errorf("got %v, want the line named", err)
	}
}

func FuzzRecord(f *testing.F) {
	b, err := json.Marshal(trial(hd(1), units.Gbps, 1, 1000, 0.3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"schema":1,"x":[1,{"y":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var tr Trial
		if json.Unmarshal(b, &tr) != nil {
			return
		}
		out, err := json.Marshal(tr)
		if err != nil {
			t.Fatalf("reads but does not write: %v", err)
		}
		var again Trial
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("does not read back: %v\n%s", err, out)
		}
		Judge(&again)
		if _, err := Points([]*Trial{&again}); err == nil {
			ValidityTable([]*Trial{&again})
		}
	})
}
