package results

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Names of the files in a folder of published figures.
const (
	FilePublication = "publication.json"
	FilePublished   = "published.jsonl"
)

// KindPublished is the kind of a figure somebody else has printed.
const KindPublished Kind = "published"

// publishedFooting brings a delivered rate to the footing of the published
// figures: 2606/3000, see the second fault in reference/publication.json.
const publishedFooting = 2606.0 / 3000

//go:embed reference/publication.json reference/published.jsonl
var referenceFiles embed.FS

// Published is the profile of Hyper-DERP that hdbench started from: figures as
// they were printed. They are not trials. Nobody has published the runs behind
// them, so they have no n and no interval, and nothing here gives them one.
type Published struct {
	Schema  int      `json:"schema"`
	Title   string   `json:"title"`
	Setup   []string `json:"setup"`
	Faults  []Fault  `json:"faults"`
	Remarks []string `json:"remarks"`

	Figures []PublishedFigure `json:"-"` // of published.jsonl, in its order
}

// Fault is something known to be wrong with published figures.
type Fault struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// PublishedFigure is one printed number, or word.
type PublishedFigure struct {
	Schema      int      `json:"schema"`
	Kind        Kind     `json:"kind"`
	Table       string   `json:"table"` // throughput, tax, delivered, cpu, llc
	Relay       string   `json:"relay"`
	Transport   string   `json:"transport,omitempty"`
	Workers     int      `json:"workers,omitempty"`      // 0: not said
	OfferedMbps int      `json:"offered_mbps,omitempty"` // 0: not said
	Symbol      string   `json:"symbol,omitempty"`
	Where       string   `json:"where,omitempty"`
	Quantity    string   `json:"quantity"`
	Printed     string   `json:"printed"`
	Value       *float64 `json:"value,omitempty"` // what was printed, where it is one number
	Unit        string   `json:"unit,omitempty"`
	Faults      []int    `json:"faults,omitempty"`
}

// ReadPublished reads the embedded figures.
func ReadPublished() (*Published, error) {
	sub, err := fs.Sub(referenceFiles, "reference")
	if err != nil {
		return nil, err
	}
	return readPublished(sub, "embedded published figures")
}

// IsPublished reports whether a folder holds published figures and not trials.
func IsPublished(dir string) bool {
	_, err := os.Stat(path.Join(dir, FilePublication))
	return err == nil
}

// OpenPublished reads a folder of published figures.
func OpenPublished(dir string) (*Published, error) {
	return readPublished(os.DirFS(dir), dir)
}

func readPublished(dir fs.FS, name string) (*Published, error) {
	p := new(Published)
	b, err := fs.ReadFile(dir, FilePublication)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, FilePublication, err)
	}
	if p.Schema != SchemaVersion {
		return nil, fmt.Errorf("%s: %s: %w: schema %d, this hdbench reads %d", name, FilePublication, ErrSchema, p.Schema, SchemaVersion)
	}
	if b, err = fs.ReadFile(dir, FilePublished); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var f PublishedFigure
		if err := json.Unmarshal(line, &f); err != nil {
			return nil, fmt.Errorf("%s: %s:%d: %w", name, FilePublished, n, err)
		}
		if err := p.check(f); err != nil {
			return nil, fmt.Errorf("%s: %s:%d: %w", name, FilePublished, n, err)
		}
		p.Figures = append(p.Figures, f)
	}
	return p, nil
}

// publishedQuantities are what each published table holds.
var publishedQuantities = map[string][]string{
	"throughput": {"throughput", "loss", "CV"},
	"tax":        {"ceiling", "kTLS tax"},
	"delivered":  {"delivered"},
	"cpu":        {"cycles"},
	"llc":        {"LLC miss rate"},
}

func (p *Published) check(f PublishedFigure) error {
	switch {
	case f.Schema != SchemaVersion:
		return fmt.Errorf("%w: schema %d, this hdbench reads %d", ErrSchema, f.Schema, SchemaVersion)
	case f.Kind != KindPublished:
		return fmt.Errorf("kind %q, want %q", f.Kind, KindPublished)
	case f.Printed == "":
		return errors.New("a figure without what was printed")
	case !slices.Contains(publishedQuantities[f.Table], f.Quantity):
		return fmt.Errorf("no published table %q holds a %q", f.Table, f.Quantity)
	}
	for _, n := range f.Faults {
		if !slices.ContainsFunc(p.Faults, func(x Fault) bool { return x.Number == n }) {
			return fmt.Errorf("fault %d is not explained in %s", n, FilePublication)
		}
	}
	return nil
}

// of are the figures of one table.
func (p *Published) of(table string) []PublishedFigure {
	return slices.DeleteFunc(slices.Clone(p.Figures), func(f PublishedFigure) bool { return f.Table != table })
}
