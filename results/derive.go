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
	plots := filepath.Join(dir, DirPlots)
	written, err := report.WritePlots(plots)
	if err != nil {
		return nil, err
	}
	if err := removeStale(plots, written); err != nil {
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

// WritePlots writes the report's plots as SVG and PNG into a folder, and says what
// it wrote.
func (r *Report) WritePlots(dir string) (written []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, f := range r.Figures() {
		svg, _, err := f.SVG()
		if err != nil {
			return nil, err
		}
		png, err := f.PNG()
		if err != nil {
			return nil, err
		}
		for _, file := range []struct {
			name string
			b    []byte
		}{{f.Name + ".svg", svg}, {f.Name + ".png", png}} {
			if err := WriteFile(filepath.Join(dir, file.name), file.b); err != nil {
				return nil, err
			}
			written = append(written, file.name)
		}
	}
	return written, nil
}

// plotKinds begin the names of our plots: nothing else is ever taken away.
var plotKinds = []string{"rate-sweep", "latency", "ceilings", "ktls-tax", "timeline", "cache-cliff", "load-cost"}

// removeStale takes away the plots of an earlier report of a results folder that
// this one has not.
func removeStale(dir string, written []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		ours := (ext == ".svg" || ext == ".png") && slices.ContainsFunc(plotKinds, func(k string) bool {
			rest, is := strings.CutPrefix(strings.TrimSuffix(e.Name(), ext), k)
			return is && (rest == "" || rest[0] == '-')
		})
		if !ours || slices.Contains(written, e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove a plot of an earlier report: %w", err)
		}
	}
	return nil
}
