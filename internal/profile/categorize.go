package profile

import "hdbench/internal/measure"

// categorizer applies rules, and remembers what they say of a function: the same
// few thousand come again and again.
type categorizer struct {
	rules *Rules
	seen  map[frameKey]verdict
}

type frameKey struct {
	name, module string
	kernel, own  bool
}

// verdict is the category a function has by each kind of rule; empty: none.
type verdict struct{ leaf, caller, last string }

func newCategorizer(r *Rules) *categorizer { return &categorizer{r, map[frameKey]verdict{}} }

// category is the category of a stack, innermost frame first.
func (c *categorizer) category(frames []Frame) string {
	if len(frames) == 0 {
		return measure.CategoryUnknown
	}
	leaf := c.of(&frames[0])
	if leaf.leaf != "" {
		return leaf.leaf
	}
	for i := 1; i < len(frames) && frames[i].Kernel == frames[0].Kernel; i++ {
		if v := c.of(&frames[i]); v.caller != "" {
			return v.caller
		}
	}
	if leaf.last != "" {
		return leaf.last
	}
	return measure.CategoryUnknown
}

func (c *categorizer) of(f *Frame) verdict {
	k := frameKey{f.Name, f.Module, f.Kernel, f.own}
	v, there := c.seen[k]
	if there {
		return v
	}
	for i := range c.rules.rules {
		r := &c.rules.rules[i]
		if !r.stands(f) {
			continue
		}
		switch {
		case r.how == matchLast && v.last == "":
			v.last = r.category
		case r.how == matchLeaf && v.leaf == "":
			v.leaf = r.category
		case r.how == matchStack:
			if v.leaf == "" {
				v.leaf = r.category
			}
			if v.caller == "" {
				v.caller = r.category
			}
		}
	}
	c.seen[k] = v
	return v
}
