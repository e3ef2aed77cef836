package profile

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Folded stacks are lines of functions, outermost first, joined by semicolons, and
// a number: what flame graph programs read. Functions of the kernel end with _[k],
// as theirs do; the first is the thread's name, the number counts samples. A
// function's category is not in them.

// kernelMark is behind the kernel's functions.
const kernelMark = "_[k]"

// folded is a stack in one line, without the number.
func (s *Stack) folded() string {
	parts := []string{foldable(s.Thread)}
	for _, f := range slices.Backward(s.Frames) {
		name := foldable(f.Text())
		if f.Kernel {
			name += kernelMark
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, ";")
}

// foldable is a name without what the format separates by.
func foldable(s string) string {
	if s == "" {
		return "unknown"
	}
	return strings.NewReplacer(";", ":", "\n", " ", "\r", " ").Replace(s)
}

// WriteFolded writes the stacks of all threads of one name together, in the order
// of their text.
func (p *Profile) WriteFolded(w io.Writer) error {
	counts := map[string]uint64{}
	for i := range p.Stacks {
		counts[p.Stacks[i].folded()] += p.Stacks[i].Samples
	}
	out := bufio.NewWriter(w)
	for _, line := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%s %d\n", line, counts[line])
	}
	return out.Flush()
}
