package loadgen

import "fmt"

// Part is one host's share of a load that several hosts send together, each with
// a process of its own. Every part makes the same plan from the same seed, so it
// knows the keys of peers that live elsewhere. A flow's two peers are on
// different parts, so that what a receiver costs is never paid by its sender.
type Part struct {
	Index int // from 0
	Of    int // parts in all; 0 or 1: the load is whole
	// OneClock says that all parts share a CLOCK_MONOTONIC. Without it one-way
	// latency is not measured.
	OneClock bool
}

// MaxParts bounds Part.Of.
const MaxParts = 256

// ParsePart reads "2/3", the second of three parts.
func ParsePart(s string) (Part, error) {
	var p Part
	var rest string
	if n, _ := fmt.Sscanf(s, "%d/%d%s", &p.Index, &p.Of, &rest); n != 2 || p.Of < 1 || p.Of > MaxParts || p.Index < 1 || p.Index > p.Of {
		return Part{}, fmt.Errorf("part %q: want PART/PARTS such as 2/3, of at most %d", s, MaxParts)
	}
	p.Index--
	return p, nil
}

// String is the part as ParsePart reads it; empty if the load is whole.
func (p Part) String() string {
	if !p.split() {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.Index+1, p.Of)
}

// split reports whether there are other parts.
func (p Part) split() bool { return p.Of > 1 }

// places are the parts that the two peers of flow i belong to. A peer of many
// flows has a part for itself.
func (p Part) places(pattern Pattern, i int) (from, to int) {
	switch {
	case !p.split():
		return 0, 0
	case pattern == FanIn:
		return 1 + i%(p.Of-1), 0
	case pattern == FanOut:
		return 0, 1 + i%(p.Of-1)
	default:
		return i % p.Of, (i + 1) % p.Of
	}
}

// Flows is how many of a load's flows have their sender on this part, and how
// many their receiver.
func (p Part) Flows(pattern Pattern, flows int) (from, to int) {
	for i := range flows {
		f, t := p.places(pattern, i)
		if f == p.Index {
			from++
		}
		if t == p.Index {
			to++
		}
	}
	return from, to
}

func (p Part) check(c *Config) error {
	switch {
	case p.Of < 0 || p.Of > MaxParts || p.Index < 0 || p.Index >= max(p.Of, 1):
		return fmt.Errorf("part: have %d of %d, want one of at most %d", p.Index+1, p.Of, MaxParts)
	case p.split() && c.Direct:
		return fmt.Errorf("part: without a relay there is one part: each host is measured by itself")
	case p.split() && c.Run == 0:
		return fmt.Errorf("part: the parts must be given the number of their run, the same to each")
	}
	return nil
}
