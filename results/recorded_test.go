package results

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Folders in testdata/recorded are of real sweeps, each made by the build it is named
// for, with the schema it is named for. Every later build must read them and find the
// same figures. They are never written again: a new schema gets a folder beside them.
const recordedFolders = "testdata/recorded"

// recordedPoint is what a folder's records say of one point.
type recordedPoint struct {
	name      string // of the configuration
	offered   string
	valid     int     // runs that count, lower bounds included
	delivered float64 // mean, Mbps
	lossPct   float64
	costs     float64 // mean, CPU-s/Gbit
	p99       float64 // µs
	shown     string  // delivered Mbps, as tables have it
}

// recorded is what each folder's records say: delivered, loss and cost reckoned from
// trials.jsonl by other means, p99 as the build that made the folder had it.
var recorded = map[string][]recordedPoint{
	"schema1-ea154ad": {
		{"hd tcp 1 worker", "100Mbps", 2, 99.9926, 0, 2.4435, 996.351, "100.0"},
		{"hd tcp 1 worker", "400Mbps", 2, 399.4727, 0, 1.0050, 1118.207, "399"},
		{"hd tcp 1 worker", "4.1Gbps", 2, 4096.4014, 0, 0.12353, 1505.279, "4096"},
		{"hd tls 1 worker", "130Mbps", 2, 129.9089, 0, 2.6323, 1162.239, "130"},
		{"hd tls 1 worker", "400Mbps", 2, 201.2600, 0, 3.9643, 1366.015, "201"}, // client-limited: lower bounds, which count
		{"derper 1.102.5 tcp GOMAXPROCS=1", "400Mbps", 2, 399.8703, 0.0420, 2.0712, 2443.263, "400"},
		{"derper 1.102.5 tcp GOMAXPROCS=1", "480Mbps", 2, 314.2289, 1.8985, 2.3591, 2042.879, "314"},
	},
}

func TestRecordedFoldersAreRead(t *testing.T) {
	dirs, err := os.ReadDir(recordedFolders)
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) != len(recorded) {
		t.Errorf("%d folders, and figures of %d", len(dirs), len(recorded))
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			set, err := Open(filepath.Join(recordedFolders, d.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Warnings) > 0 || len(set.Examinations) == 0 {
				t.Errorf("warnings %q, %d examinations", set.Warnings, len(set.Examinations))
			}
			r, err := NewReport(set, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []Format{Terminal, Markdown, HTML} {
				var b bytes.Buffer
				if err := r.Write(&b, f); err != nil {
					t.Errorf("%s: %v", f, err)
				}
				text := b.String()
				for _, p := range recorded[d.Name()] {
					if !strings.Contains(text, p.name) || !strings.Contains(text, p.shown) {
						t.Errorf("%s has no %s, or no %s of it at %s", f, p.name, p.shown, p.offered)
					}
				}
			}
			if files, err := r.WritePlots(t.TempDir()); err != nil || len(files) == 0 {
				t.Errorf("plots: %v, %v", files, err)
			}
			for _, f := range ExportFormats() {
				var b bytes.Buffer
				if err := Export(&b, f, set, 0); err != nil || b.Len() == 0 {
					t.Errorf("%s: %v, %d bytes", f, err, b.Len())
				}
			}
			sameFigures(t, set, recorded[d.Name()])
		})
	}
}

// sameFigures checks the report for programs against what the records say.
func sameFigures(t *testing.T, set *Set, want []recordedPoint) {
	t.Helper()
	var b bytes.Buffer
	if err := Export(&b, "json", set, 0); err != nil {
		t.Fatal(err)
	}
	type mean struct{ Mean float64 }
	var report struct {
		Points []struct {
			Configuration string
			Point         struct{ Offered string }
			Valid         int  `json:"valid_runs"`
			Delivered     mean `json:"delivered_bps"`
			Loss          float64
			Cost          mean `json:"relay_cpu_seconds_per_gbit"`
			Latency       struct {
				P99 float64 `json:"p99_ns"`
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 2e-4*max(math.Abs(b), 0.1) }
	for _, w := range want {
		found := false
		for _, p := range report.Points {
			if p.Configuration != w.name || p.Point.Offered != w.offered {
				continue
			}
			found = true
			if p.Valid != w.valid || !near(p.Delivered.Mean/1e6, w.delivered) || !near(100*p.Loss, w.lossPct) || !near(p.Cost.Mean, w.costs) || !near(p.Latency.P99/1e3, w.p99) {
				t.Errorf("%s at %s: %+v\nwant %+v", w.name, w.offered, p, w)
			}
		}
		if !found {
			t.Errorf("no %s at %s", w.name, w.offered)
		}
	}
}
