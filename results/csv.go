package results

import (
	"encoding"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results/stat"
)

// WriteCSV writes the records as CSV (RFC 4180): one row a record, calibrations
// and probes too, one column a field, named by its path in trials.jsonl with its
// unit (bps: bit/s; ns; bytes; seconds; packets). Lists are JSON in one cell.
// Columns that the records do not have follow: shares of one, and CPU cost. An
// empty cell is what was not measured.
func WriteCSV(w io.Writer, set *Set) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	columns := csvColumns(reflect.TypeFor[Trial](), "", nil)
	var head []string
	for _, c := range columns {
		head = append(head, c.name)
	}
	for _, d := range derivedColumns {
		head = append(head, d.name)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, t := range set.Trials {
		var row []string
		for _, c := range columns {
			cell, err := c.cell(reflect.ValueOf(t).Elem())
			if err != nil {
				return fmt.Errorf("%s of trial %s: %w", c.name, t.ID, err)
			}
			row = append(row, cell)
		}
		for _, d := range derivedColumns {
			row = append(row, d.of(t))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// derivedColumns are computed from a record.
var derivedColumns = []struct {
	name string
	of   func(*Trial) string
}{
	{"valid", func(t *Trial) string { return strconv.FormatBool(t.Valid()) }},
	{"trusted", func(t *Trial) string { return (everything &^ t.Spoiled()).String() }},
	{"cause", func(t *Trial) string {
		if !t.OK() {
			return ""
		}
		return string(CauseOf(t))
	}},
	{"loss_share", func(t *Trial) string {
		if t.OK() {
			if v, ok := t.Load.Loss(); ok {
				return csvNumber(v)
			}
		}
		return ""
	}},
	{"shortfall_share", func(t *Trial) string {
		if t.OK() {
			if v, ok := t.Load.Shortfall(); ok {
				return csvNumber(v)
			}
		}
		return ""
	}},
	{"interval_cv_share", func(t *Trial) string {
		if !t.OK() {
			return ""
		}
		return csvNumber(stat.IntervalCV(t.Load.IntervalDeliveredBps))
	}},
	{"relay_cpus_used", func(t *Trial) string { cpus, _ := t.relayCost(); return csvNumber(cpus) }},
	{"relay_cpu_seconds_per_gbit", func(t *Trial) string { _, perGbit := t.relayCost(); return csvNumber(perGbit) }},
}

func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// csvColumn is one field of a record, however deep.
type csvColumn struct {
	name string
	path [][]int // field indexes; between two a pointer may be nil
}

// csvColumns are the fields of a struct and of those in it.
func csvColumns(t reflect.Type, prefix string, path [][]int) []csvColumn {
	var cs []csvColumn
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "hdr" || !f.IsExported() { // histograms are in trials.jsonl
			continue
		}
		here := append(append([][]int(nil), path...), []int{i})
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous:
			cs = append(cs, csvColumns(inner, prefix, here)...)
		case inner.Kind() == reflect.Struct && !inner.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
			cs = append(cs, csvColumns(inner, prefix+name+".", here)...)
		case inner == reflect.TypeFor[units.Rate]():
			cs = append(cs, csvColumn{prefix + name + "_bps", here})
		default:
			cs = append(cs, csvColumn{prefix + name, here})
		}
	}
	return cs
}

func (c *csvColumn) cell(v reflect.Value) (string, error) {
	for _, step := range c.path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return "", nil
			}
			v = v.Elem()
		}
		v = v.FieldByIndex(step)
	}
	if v.Kind() == reflect.Pointer { // a number that may not be there
		if v.IsNil() {
			return "", nil
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case []measure.ClientHost: // without the histograms, as everywhere here
		plain := slices.Clone(x)
		for i := range plain {
			plain[i].Pacing.Encoded, plain[i].Lateness.Encoded = "", ""
		}
		v = reflect.ValueOf(plain)
	case units.Rate:
		if x.IsMax() {
			return "max", nil
		}
		return csvNumber(float64(x)), nil
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		return string(b), err
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Float64:
		return csvNumber(v.Float()), nil
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return "", nil
		}
		b, err := json.Marshal(v.Interface())
		return string(b), err
	}
	return fmt.Sprint(v.Interface()), nil
}
