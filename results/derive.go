package results

import (
	"bytes"
	"path/filepath"

	"hdbench/internal/units"
)

// Derive writes what is made from a folder's records: bench.txt and report.md. It
// returns the report for the terminal.
func Derive(dir string, compareAt units.Rate) (*Report, error) {
	set, err := Open(dir)
	if err != nil {
		return nil, err
	}
	report, err := NewReport(set, compareAt)
	if err != nil {
		return nil, err
	}
	var md, bench bytes.Buffer
	if err := report.Write(&md, Markdown); err != nil {
		return nil, err
	}
	if err := WriteBench(&bench, set); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{FileReport, md.Bytes()}, {FileBench, bench.Bytes()}} {
		if err := WriteFile(filepath.Join(dir, f.name), f.b); err != nil {
			return nil, err
		}
	}
	return report, nil
}
