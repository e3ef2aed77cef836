package scenarios

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed embedded/*.yaml
var embedded embed.FS

// Default is the scenario that runs when none is named.
const Default = "quick"

// DefaultDerper is the version of the TS baseline, where a scenario names none.
const DefaultDerper = "1.102.5"

func embeddedPath(name string) string { return "embedded/" + name + ".yaml" }

// Names lists the embedded scenarios.
func Names() []string {
	entries, err := embedded.ReadDir("embedded")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Source is the text of an embedded scenario.
func Source(name string) ([]byte, error) {
	b, err := embedded.ReadFile(embeddedPath(name))
	if err != nil {
		return nil, fmt.Errorf("scenario %q: embedded are: %s", name, strings.Join(Names(), ", "))
	}
	return b, nil
}
