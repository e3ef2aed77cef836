package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

func export(t *testing.T, format string, set *Set) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(&b, format, set, 0); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportGoldens(t *testing.T) {
	for format, name := range map[string]string{"github": "github.json", "github-smaller": "github-smaller.json", "bmf": "bmf.json", "json": "report.json"} {
		golden(t, name, export(t, format, sampleSet()))
	}
	if err := Export(&bytes.Buffer{}, "pdf", sampleSet(), 0); err == nil || !strings.Contains(err.Error(), "want bench, json, csv") {
		t.Error(err)
	}
}

// Every export of a folder without a trial must be well-formed too.
func TestExportsOfNothing(t *testing.T) {
	empty := &Set{Dir: "/empty", Environment: environment()}
	for _, format := range ExportFormats() {
		b := export(t, format, empty)
		if strings.HasPrefix(format, "github") || format == "bmf" || format == "json" {
			var v any
			if err := json.Unmarshal(b, &v); err != nil || v == nil {
				t.Errorf("%s of nothing: %s", format, b)
			}
		}
	}
}

func TestReportJSONFollowsItsSchema(t *testing.T) {
	validate := validator(t, reportSchemaID, ReportSchema)
	max := &Set{Environment: environment(), Trials: []*Trial{trial(hd(1), units.Max, 1, 9000, 0.1)}}
	for name, set := range map[string]*Set{"sample": sampleSet(), "nothing": {Environment: environment()}, "max, one run": max, "many hosts": spreadSet(), "a search": {Environment: environment(), Trials: searchTrials(t)}, "counters": countedSet(), "no PMU": uncountedSet(), "examined": {Environment: environment(), Examinations: []*measure.Examination{examination()}}} {
		b := export(t, "json", set)
		if err := validate(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, broken := range map[string][]byte{
			"an unknown field": bytes.Replace(b, []byte(`"warnings"`), []byte(`"weather": 1, "warnings"`), 1),
			"no validity":      bytes.Replace(b, []byte(`"validity"`), []byte(`"validness"`), 1),
			"another version":  bytes.Replace(b, []byte(`"schema": 1,`), []byte(`"schema": 2,`), 1),
		} {
			if validate(broken) == nil {
				t.Errorf("%s: the schema accepts %s", name, what)
			}
		}
	}
}

func TestCSV(t *testing.T) {
	set := sampleSet()
	b := export(t, "csv", set)
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(set.Trials) || !bytes.Contains(b, []byte("\r\n")) {
		t.Fatalf("%d rows of %d records, line ends as in RFC 4180: %v", len(rows), len(set.Trials), bytes.Contains(b, []byte("\r\n")))
	}
	head := rows[0]
	column := func(name string) int {
		i := slices.Index(head, name)
		if i < 0 {
			t.Fatalf("no column %s in %q", name, head)
		}
		return i
	}
	for i, tr := range set.Trials {
		row := rows[i+1]
		if row[column("id")] != tr.ID || row[column("point.offered_bps")] != csvOffered(tr.Point.Offered) || row[column("valid")] != strconv.FormatBool(tr.Valid()) {
			t.Errorf("row %d: %q", i, row)
		}
		delivered, loss := row[column("load.delivered_bps")], row[column("loss_share")]
		if !tr.OK() {
			if delivered != "" || loss != "" {
				t.Errorf("a trial without numbers has %q, %q", delivered, loss)
			}
			continue
		}
		v, err := strconv.ParseFloat(delivered, 64)
		want, _ := tr.Load.Loss()
		l, err2 := strconv.ParseFloat(loss, 64)
		if err != nil || err2 != nil || v != tr.Load.DeliveredBps || l != want {
			t.Errorf("row %d: delivered %q of %v, loss %q of %v", i, delivered, tr.Load.DeliveredBps, loss, want)
		}
	}
	// What is a quantity says its unit: a suffix, or a share, a count, a name.
	for _, name := range []string{"point.moderation_ns", "point.load.payload_bytes", "load.latency.p99_ns", "relay.cpu_seconds", "seconds", "relay_cpu_seconds_per_gbit", "load.sent_packets", "relay.counters.dropped_packets", "validity"} {
		column(name)
	}
	if slices.Contains(head, "load.latency.hdr") || len(slices.Compact(slices.Sorted(slices.Values(head)))) != len(head) {
		t.Errorf("columns %q", head)
	}
}

// A row a point, with the intervals, in a table that a person can look over.
func TestPointsCSVHasARowAPointWithItsIntervals(t *testing.T) {
	var b bytes.Buffer
	if err := WritePointsCSV(&b, sampleSet()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	points, err := Points(sampleSet().Trials)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(points)+1 || len(rows[0]) > 30 {
		t.Fatalf("%d rows of %d columns for %d points", len(rows), len(rows[0]), len(points))
	}
	cell := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	number := func(row []string, name string) float64 {
		v, err := strconv.ParseFloat(cell(row, name), 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return v
	}
	for _, r := range rows[1:] {
		if cell(r, "transport") == "ktls" {
			if cell(r, "na") == "" || cell(r, "delivered_bps") != "" {
				t.Errorf("what cannot be measured: %q", r)
			}
			continue
		}
		for _, q := range []string{"delivered_%sbps", "relay_cpu_seconds_per_gbit%s", "latency_p99_%sns"} {
			lo, hi := fmt.Sprintf(q, "lower_"), fmt.Sprintf(q, "upper_")
			if strings.HasSuffix(q, "%s") {
				lo, hi = fmt.Sprintf(q, "_lower"), fmt.Sprintf(q, "_upper")
			}
			if !(number(r, lo) <= number(r, hi)) {
				t.Errorf("%s %s, %s %s", lo, cell(r, lo), hi, cell(r, hi))
			}
		}
		bound := cell(r, "workers") == "2" && cell(r, "relay") == RelayHD && cell(r, "offered_bps") == "9e+09"
		if (cell(r, "lower_bound") == "true") != bound || (cell(r, "trusted") == "all") == bound {
			t.Errorf("lower bound %s, trusted %s: %q", cell(r, "lower_bound"), cell(r, "trusted"), r)
		}
	}
}

// The tax that the real benchstat computes from bench.txt is the report's.
func TestBenchstatAgreesWithTheTax(t *testing.T) {
	set := &Set{Environment: environment()}
	rates := map[string]map[int]float64{"tcp": {2: 7383, 4: 8652}, "tls": {2: 3833, 4: 6300}}
	for transport, byWorkers := range rates {
		for workers, mbps := range byWorkers {
			c := hd(workers)
			c.Transport = transport
			for run := 1; run <= 7; run++ {
				v := mbps * (1 + 0.01*float64(run-4)) // mean and median are one: benchstat shows the median
				tr := trialWith(c, 9*units.Gbps, run, v, 0.1, measure.Histogram{})
				tr.RelayCPUs, tr.ClientCPUs = "0-3", "4-7"
				if tr.Validity = Judge(tr); !tr.Valid() {
					t.Fatal(tr.Validity)
				}
				set.Trials = append(set.Trials, tr)
			}
		}
	}
	points, err := Points(set.Trials)
	if err != nil {
		t.Fatal(err)
	}
	taxes := map[string]Tax{}
	for _, cost := range TransportCosts(Ceilings(points)) {
		for i := range cost.Ceilings {
			if c := &cost.Ceilings[i]; c.Config.Transport == "tls" {
				taxes[strconv.Itoa(c.Config.Workers)] = TaxOf(c, cost.Base)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "bench.txt")
	if err := os.WriteFile(file, export(t, "bench", set), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "tool", "benchstat", "-format", "csv", "-filter", ".unit:delivered-Mbit/s", "-col", "/transport@(tcp tls)", "-row", "/workers", file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		workers := strings.TrimPrefix(cells[0], "workers=")
		tax, ok := taxes[workers]
		if len(cells) < 6 || !ok {
			continue
		}
		found++
		change, err := strconv.ParseFloat(strings.Trim(cells[5], "%"), 64)
		if tax.NA != "" || err != nil || math.Abs(-change-100*tax.Value) > 0.005+1e-9 {
			t.Errorf("%s workers: benchstat says %s, the report's tax is %.2f %% [%.2f, %.2f]", workers, cells[5], 100*tax.Value, 100*tax.Lo, 100*tax.Hi)
		}
	}
	if found != 2 {
		t.Errorf("%d rows, want one for 2 and one for 4 workers:\n%s", found, out)
	}
}
