package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// decoder reads YAML strictly and collects everything that is wrong, each with
// its line, so that a file is mended in one go.
type decoder struct {
	file string
	errs []error
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d: %s", d.file, n.Line, fmt.Sprintf(format, args...)))
}

func (d *decoder) err() error { return errors.Join(d.errs...) }

// fields says how each key of a mapping is read.
type fields map[string]func(*yaml.Node)

// mapping reads the keys of n: each at most once, and none that is not known.
func (d *decoder) mapping(n *yaml.Node, where string, f fields) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s: want keys and values, have %s", where, kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if first, again := seen[k.Value]; again {
			d.fail(k, "%s: key %q is given twice (first on line %d)", where, k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		read, known := f[k.Value]
		if !known {
			d.fail(k, "%s: unknown key %q%s; allowed here: %s", where, k.Value, suggest(k.Value, f), strings.Join(slices.Sorted(maps.Keys(f)), ", "))
			continue
		}
		read(v)
	}
}

// given reports whether a mapping has a key, or a mapping in it has: with a value,
// whatever that is worth, or with more than an empty list.
func given(n *yaml.Node, path ...string) bool {
	if len(path) == 0 {
		return n.Kind == yaml.ScalarNode || len(n.Content) > 0
	}
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == path[0] {
			return given(n.Content[i+1], path[1:]...)
		}
	}
	return false
}

// suggest finds the known key that was probably meant.
func suggest(key string, f fields) string {
	best, at := 3, ""
	for k := range maps.Keys(f) {
		if n := levenshtein.ComputeDistance(key, k); n < best || n == best && at != "" && k < at {
			best, at = n, k
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", at)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// one reads a single value.
func one[T any](d *decoder, key string, to *T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			d.fail(n, "%s: want one value, have %s", key, kindName(n))
			return
		}
		v, err := parse(n.Value)
		if err != nil {
			d.fail(n, "%s: %v", key, err)
			return
		}
		*to = v
	}
}

// list reads one value or a list of them, none twice.
func list[T comparable](d *decoder, key string, to *[]T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
			if len(items) == 0 {
				d.fail(n, "%s: the list is empty", key)
			}
		}
		for _, item := range items {
			var v T
			before := len(d.errs)
			one(d, key, &v, parse)(item)
			if len(d.errs) > before {
				continue
			}
			if slices.Contains(*to, v) {
				d.fail(item, "%s: %s is listed twice", key, item.Value)
				continue
			}
			*to = append(*to, v)
		}
	}
}
