package results

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hdbench/internal/units"
)

// Derive writes what is made from a folder's records: bench.txt, report.md with
// its plots, and report.html. It returns the report for the terminal.
func Derive(dir string, compareAt units.Rate) (*Report, error) {
	set, err := Open(dir)
	if err != nil {
		return nil, err
	}
	report, err := NewReport(set, compareAt)
	if err != nil {
		return nil, err
	}
	var md, page, bench bytes.Buffer
	if err := report.Write(&md, Markdown); err != nil {
		return nil, err
	}
	if err := report.Write(&page, HTML); err != nil {
		return nil, err
	}
	if err := WriteBench(&bench, set); err != nil {
		return nil, err
	}
	if err := report.WritePlots(filepath.Join(dir, DirPlots)); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{FileReport, md.Bytes()}, {FilePage, page.Bytes()}, {FileBench, bench.Bytes()}} {
		if err := WriteFile(filepath.Join(dir, f.name), f.b); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// WritePlots writes the report's plots as SVG and PNG into a folder, and takes
// away plots that an earlier report had and this one has not.
func (r *Report) WritePlots(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var written []string
	for _, f := range r.Figures() {
		svg, _, err := f.SVG()
		if err != nil {
			return err
		}
		png, err := f.PNG()
		if err != nil {
			return err
		}
		for name, b := range map[string][]byte{f.Name + ".svg": svg, f.Name + ".png": png} {
			if err := WriteFile(filepath.Join(dir, name), b); err != nil {
				return err
			}
			written = append(written, name)
		}
	}
	return removeStale(dir, written)
}

// plotKinds begin the names of our plots: nothing else is ever taken away.
var plotKinds = []string{"rate-sweep", "latency", "ceilings", "ktls-tax", "timeline"}

func removeStale(dir string, written []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := slices.ContainsFunc(plotKinds, func(k string) bool { return strings.HasPrefix(e.Name(), k) })
		ours = ours && slices.Contains([]string{".svg", ".png"}, filepath.Ext(e.Name()))
		if !ours || slices.Contains(written, e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove a plot of an earlier report: %w", err)
		}
	}
	return nil
}
