package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"hdbench/internal/units"
	"hdbench/results/stat"
)

// exporter writes a folder's records in a format that other programs read.
type exporter struct {
	format string
	write  func(io.Writer, *Set, units.Rate) error
}

func exporters() []exporter {
	return []exporter{
		{"bench", func(w io.Writer, s *Set, _ units.Rate) error { return WriteBench(w, s) }},
		{"json", WriteReportJSON},
		{"csv", func(w io.Writer, s *Set, _ units.Rate) error { return WriteCSV(w, s) }},
		{"csv-points", func(w io.Writer, s *Set, _ units.Rate) error { return WritePointsCSV(w, s) }},
		{"github", func(w io.Writer, s *Set, _ units.Rate) error { return writeGitHub(w, s, false) }},
		{"github-smaller", func(w io.Writer, s *Set, _ units.Rate) error { return writeGitHub(w, s, true) }},
		{"bmf", func(w io.Writer, s *Set, _ units.Rate) error { return writeBMF(w, s) }},
	}
}

// ExportFormats are the formats that Export knows.
func ExportFormats() []string {
	var names []string
	for _, e := range exporters() {
		names = append(names, e.format)
	}
	return names
}

// Export writes a folder's records in a format that other programs read: the Go
// benchmark format, JSON, CSV, github-action-benchmark's or Bencher's. compareAt
// fixes the offered rate of the cost comparison.
func Export(w io.Writer, format string, set *Set, compareAt units.Rate) error {
	for _, e := range exporters() {
		if e.format == format {
			return e.write(w, set, compareAt)
		}
	}
	return fmt.Errorf("format %q: want %s", format, strings.Join(ExportFormats(), ", "))
}

// metricPoint is one metric of a point, over its valid runs.
type metricPoint struct {
	Point  Point
	Metric Metric
	Values stat.Summary // in the metric's unit
}

// metricPoints are all metrics of all points with valid runs, in reading order. A
// mean beyond all numbers, as of damaged records, is none: JSON could not hold it.
func metricPoints(set *Set) []metricPoint {
	var out []metricPoint
	for _, p := range commonPoints(set, set) {
		for _, m := range Metrics() {
			s := newSample(p, m, set, set)
			for i := range s.base {
				s.base[i] *= m.scale
			}
			if len(s.base) == 0 {
				continue
			}
			if values := stat.Summarize(s.base); orNull(values.Mean) != nil {
				out = append(out, metricPoint{p, m, values})
			}
		}
	}
	return out
}

// gitHubEntry is an entry of github-action-benchmark's custom tools.
type gitHubEntry struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"`
	Extra string  `json:"extra,omitempty"`
}

// writeGitHub writes for github-action-benchmark. One file has one direction
// there, so rates go into one for its tool customBiggerIsBetter, and everything
// else into one for customSmallerIsBetter.
func writeGitHub(w io.Writer, set *Set, smaller bool) error {
	entries := []gitHubEntry{}
	for _, p := range metricPoints(set) {
		if p.Metric.UpIsWorse != smaller {
			continue
		}
		e := gitHubEntry{Name: benchName(p.Point) + " " + p.Metric.Name, Unit: p.Metric.Unit, Value: p.Values.Mean, Extra: fmt.Sprintf("mean of %s", plural(p.Values.N, "run"))}
		if p.Values.N > 1 {
			e.Range = fmt.Sprintf("± %.4g", p.Values.Half)
		}
		entries = append(entries, e)
	}
	return writeJSON(w, entries)
}

// bmfMeasure is a value of the Bencher Metric Format.
type bmfMeasure struct {
	Value float64  `json:"value"`
	Lower *float64 `json:"lower_value,omitempty"`
	Upper *float64 `json:"upper_value,omitempty"`
}

// writeBMF writes the Bencher Metric Format. A measure is named for its unit too:
// Bencher keeps one unit for each.
func writeBMF(w io.Writer, set *Set) error {
	all := map[string]map[string]bmfMeasure{}
	for _, p := range metricPoints(set) {
		name := benchName(p.Point)
		if all[name] == nil {
			all[name] = map[string]bmfMeasure{}
		}
		m := bmfMeasure{Value: p.Values.Mean}
		if p.Values.N > 1 {
			m.Lower, m.Upper = orNull(p.Values.Mean-p.Values.Half), orNull(p.Values.Mean+p.Values.Half)
		}
		all[name][p.Metric.Name+" ("+p.Metric.Unit+")"] = m
	}
	return writeJSON(w, all) // keys are sorted
}

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// IsExport reports whether Export knows a format.
func IsExport(format string) bool { return slices.Contains(ExportFormats(), format) }
