package results

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Each file is one trial of a sweep in which the cause was planted: what make
// limits-selftest does twenty times (its flag -keep writes them). What a cause is not
// decided from is left out.
func TestCauseIsWhatWasPlanted(t *testing.T) {
	for name, want := range map[string]Cause{
		"relay-under-a-quota":      RelayCPU,
		"short-send-queue":         SendQueue,
		"small-buffers-slow-link":  BackPressure,
		"client-under-a-quota":     ByClient,
		"client-that-stands-still": ByClient,
		"slow-receivers":           ByClient,
		"line-of-300-Mbit-per-s":   ByLine,
		"half-the-knee":            Carried,
		"nothing":                  RelayCPU,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", "planted", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			trial := new(Trial)
			if err := json.Unmarshal(b, trial); err != nil {
				t.Fatal(err)
			}
			if c := CauseOf(trial); c != want {
				t.Errorf("the cause is %s, want %s: %s", c, want, EvidenceOf(trial))
			}
		})
	}
}
