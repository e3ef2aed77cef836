package results

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// publishedFooting brings a delivered rate to the footing of the published
// figures: 2606/3000, see the note in reference/published.json.
const publishedFooting = 2606.0 / 3000

//go:embed reference/published.json
var publishedJSON []byte

// Published is the profile of Hyper-DERP that hdbench started from.
type Published struct {
	Title  string         `json:"title"`
	Setup  string         `json:"setup"`
	Faults []string       `json:"faults"`
	Rows   []PublishedRow `json:"rows"`
}

// PublishedRow is one line of the published comparison, as printed there.
type PublishedRow struct {
	Config string `json:"config"`
	Mbps   string `json:"mbps"`
	Loss   string `json:"loss"`
	CV     string `json:"cv"`
}

// ReadPublished reads the embedded figures.
func ReadPublished() (Published, error) {
	var p Published
	if err := json.Unmarshal(publishedJSON, &p); err != nil {
		return p, fmt.Errorf("embedded published figures: %w", err)
	}
	return p, nil
}

// Table is the published rows, labelled as what they are.
func (p Published) Table() *Table {
	t := &Table{
		Title:   "Published, not measured here: " + p.Title,
		Columns: []Column{{Head: "Configuration", Left: true}, {Head: "Throughput\nMbps"}, {Head: "Loss"}, {Head: "CV"}},
		Notes:   append([]string{p.Setup}, p.Faults...),
	}
	for _, r := range p.Rows {
		t.Rows = append(t.Rows, []string{r.Config, r.Mbps, r.Loss, r.CV})
	}
	return t
}
