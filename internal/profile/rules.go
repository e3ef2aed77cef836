package profile

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/measure"
)

// DefaultRules is the rules file that is built in.
//
//go:embed rules.yaml
var DefaultRules []byte

// BuiltIn is the name of the rules that are built in.
const BuiltIn = "built in"

// Rules put stacks into categories.
//
// A stack is judged in the space (kernel or user) in which the thread was found
// running, from the function it was in outwards; where a system call or a fault
// begins, it ends. The first function for which a rule stands decides; where
// several rules stand for one function, the first in the file.
//
//   - A rule stands for its functions and for what they call, unless that has a
//     rule of its own.
//   - A rule with "match: leaf" stands only where its function itself was running.
//   - A rule with "match: last" stands like a leaf, but is asked last, when no
//     caller has decided: it is for functions that everybody calls.
type Rules struct {
	Name  string // of the file
	rules []rule
}

type rule struct {
	category  string
	kernel    bool
	how       match
	functions *regexp.Regexp // nil: any, also one without a name
	modules   *regexp.Regexp // nil: any
	own       bool           // of the relay's own binary only
}

type match string

const (
	matchStack match = "stack"
	matchLeaf  match = "leaf"
	matchLast  match = "last"
)

// ownBinary in a rule's modules stands for the program's own file.
const ownBinary = "{binary}"

// LoadRules reads a rules file; an empty name is the one that is built in.
func LoadRules(name string) (*Rules, error) {
	if name == "" {
		return ParseRules(BuiltIn, DefaultRules)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return ParseRules(name, b)
}

// ParseRules reads rules. The error names file and line of everything wrong.
func ParseRules(file string, b []byte) (*Rules, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: the file is empty", file)
	}
	p := &ruleParser{file: file}
	r := &Rules{Name: file}
	p.mapping(doc.Content[0], map[string]func(*yaml.Node){
		"rules": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				p.fail(n, "rules: want a list")
				return
			}
			for _, item := range n.Content {
				r.rules = append(r.rules, p.rule(item))
			}
		},
	})
	if len(r.rules) == 0 && len(p.errs) == 0 {
		p.fail(doc.Content[0], "rules is missing: a list of category, where and functions")
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return r, nil
}

type ruleParser struct {
	file string
	errs []error
}

func (p *ruleParser) fail(n *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s", p.file, n.Line, fmt.Sprintf(format, args...)))
}

func (p *ruleParser) mapping(n *yaml.Node, fields map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, "want keys and values")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		read := fields[key.Value]
		if read == nil {
			var known []string
			for k := range fields {
				known = append(known, k)
			}
			slices.Sort(known)
			p.fail(key, "key %q is not known, want %s", key.Value, strings.Join(known, ", "))
			continue
		}
		read(n.Content[i+1])
	}
}

func (p *ruleParser) rule(n *yaml.Node) rule {
	r := rule{how: matchStack}
	var where string
	p.mapping(n, map[string]func(*yaml.Node){
		"category": p.text(&r.category),
		"where":    p.text(&where),
		"match":    p.text((*string)(&r.how)),
		"functions": func(n *yaml.Node) {
			r.functions, _ = p.patterns(n, "functions")
		},
		"modules": func(n *yaml.Node) {
			r.modules, r.own = p.patterns(n, "modules")
		},
	})
	if n.Kind != yaml.MappingNode {
		return r
	}
	switch {
	case r.category == "":
		p.fail(n, "category is missing")
	case r.category == measure.CategoryUnknown:
		p.fail(n, "category %q is what no rule knows; choose another name", r.category)
	case r.functions == nil && r.modules == nil && !r.own:
		p.fail(n, "%s: neither functions nor modules: the rule would stand for everything", r.category)
	}
	switch where {
	case "kernel":
		r.kernel = true
	case "user":
	default:
		p.fail(n, "%s: where is %q, want kernel or user", r.category, where)
	}
	if r.how != matchStack && r.how != matchLeaf && r.how != matchLast {
		p.fail(n, "%s: match is %q, want stack, leaf or last", r.category, r.how)
	}
	return r
}

func (p *ruleParser) text(to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			p.fail(n, "want a word")
			return
		}
		*to = n.Value
	}
}

// patterns reads a list of names in which * is any text, as one expression.
func (p *ruleParser) patterns(n *yaml.Node, what string) (re *regexp.Regexp, own bool) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, "%s: want a list of names, in which * is any text", what)
		return nil, false
	}
	var alternatives []string
	for _, item := range n.Content {
		switch {
		case item.Kind != yaml.ScalarNode || item.Value == "":
			p.fail(item, "%s: want a name, in which * is any text", what)
		case item.Value == ownBinary && what == "modules":
			own = true
		default:
			alternatives = append(alternatives, strings.ReplaceAll(regexp.QuoteMeta(item.Value), `\*`, `.*`))
		}
	}
	if len(alternatives) == 0 {
		return nil, own
	}
	// Every name is quoted, so the expression is always a good one.
	return regexp.MustCompile(`^(?s:` + strings.Join(alternatives, "|") + `)$`), own
}

// stands is whether the rule is for a function.
func (r *rule) stands(f *Frame) bool {
	if r.kernel != f.Kernel {
		return false
	}
	if r.functions != nil && (f.Name == "" || !r.functions.MatchString(f.Name)) {
		return false
	}
	if r.modules == nil && !r.own {
		return true
	}
	return r.own && f.own || r.modules != nil && r.modules.MatchString(f.Module)
}

// Categories are the names of all categories, those of the kernel first, as they
// come in the file.
func (r *Rules) Categories() []measure.CategoryShare {
	var out []measure.CategoryShare
	for _, kernel := range []bool{true, false} {
		for i := range r.rules {
			c := measure.CategoryShare{Name: r.rules[i].category, Kernel: kernel}
			if r.rules[i].kernel == kernel && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}
