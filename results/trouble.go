package results

import (
	"fmt"
	"slices"
	"strings"
)

// trouble says, a line for each, why trials of which configuration have failed, and
// what relays did that they should not. Of the same the last example is shown.
func trouble(trials []*Trial) []string {
	type key struct {
		config Config
		what   string
	}
	type seen struct {
		n       int
		example string
	}
	var keys []key
	all := map[key]*seen{}
	add := func(c Config, what, example string) {
		k := key{c, what}
		if all[k] == nil {
			all[k] = new(seen)
			keys = append(keys, k)
		}
		all[k].n++
		all[k].example = example
	}
	const failed = "failed"
	var cs []Config
	for _, t := range trials {
		if t.Kind != KindTrial && t.Kind != KindSearch {
			continue
		}
		cs = append(cs, t.Point.Config)
		if t.Error != "" {
			add(t.Point.Config, failed, strings.ReplaceAll(t.Error, "\n", "; "))
		}
		for _, n := range t.RelayNotes {
			add(t.Point.Config, n.What, n.Detail)
		}
	}
	slices.SortStableFunc(keys, func(a, b key) int { return compareConfig(a.config, b.config) })
	names := Names(cs)
	var lines []string
	for _, k := range keys {
		what := k.what
		if what != failed {
			what = "relay " + what
		}
		lines = append(lines, fmt.Sprintf("%s, %s: %s (%s).", names[k.config], plural(all[k].n, "trial"), what, shorten(all[k].example, 600)))
	}
	return lines
}
