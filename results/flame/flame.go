// Package flame draws flame graphs: folded stacks in, SVG out.
//
// A rectangle is a function, as wide as its share of the samples, callees and all;
// who called it is below it. Functions stand in the order of their names, so the
// same stacks give the same bytes, and two graphs can be laid side by side. Frames
// too narrow to be seen are left out, and how much that is, is said.
//
// The package knows nothing of relays: it counts what it is given.
package flame

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// kernelMark is behind the functions of the kernel in folded stacks.
const kernelMark = "_[k]"

// Graph is stacks that have been put together by their common beginnings.
type Graph struct {
	root  node
	depth int
}

type node struct {
	name     string
	kernel   bool
	samples  uint64
	children map[string]*node
}

func (n *node) child(name string) *node {
	c := n.children[name]
	if c == nil {
		c = &node{}
		c.name, c.kernel = strings.CutSuffix(name, kernelMark)
		if n.children == nil {
			n.children = map[string]*node{}
		}
		n.children[name] = c
	}
	return c
}

// maxLine bounds a line of folded stacks.
const maxLine = 1 << 20

// Read reads folded stacks: functions, outermost first, joined by semicolons, then
// a space and how often. The error names the line.
func Read(r io.Reader) (*Graph, error) {
	g := &Graph{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 1 {
			return nil, fmt.Errorf("line %d: want functions joined by semicolons and a number", n)
		}
		samples, err := strconv.ParseUint(line[at+1:], 10, 48)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is no number of samples", n, line[at+1:])
		}
		g.root.samples += samples
		at2 := &g.root
		frames := strings.Split(line[:at], ";")
		for _, f := range frames {
			at2 = at2.child(f)
			at2.samples += samples
		}
		g.depth = max(g.depth, len(frames))
	}
	return g, s.Err()
}

// Samples is how many samples there are.
func (g *Graph) Samples() uint64 { return g.root.samples }

// Spot is a place in the SVG that has something to say, in the units of its view
// box.
type Spot struct {
	X, Y, W, H float64
	Text       string
}

// Sizes, in the units of the view box.
const (
	width     = 1000.0
	row       = 15.0
	narrowest = 1.5 // of a frame that is drawn
	letter    = 5.6 // of the font, at its size
	fontSize  = 9.5
	maxRows   = 64 // deeper stacks are cut off above
)

// SVG draws the graph and says where its frames are. Colours tell kernel and user
// space apart: they are translucent, so that they read on light and dark.
func (g *Graph) SVG(title string) (svg []byte, spots []Spot) {
	d := &drawing{total: g.root.samples}
	d.place(&g.root, 0, 0)
	rows := min(d.deepest+1, maxRows)
	height := float64(rows)*row + 4
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img"><title>%s</title><desc>%s</desc>`,
		width, height, width, height, escape(title), "Flame graph")
	fmt.Fprintf(&b, `<g font-family="ui-monospace,'Liberation Mono',Menlo,Consolas,monospace" font-size="%.1f">`, fontSize)
	for _, f := range d.frames {
		y := height - float64(f.row+1)*row - 2
		fill := "#E69F00"
		if f.node.kernel {
			fill = "#56B4E9"
		}
		if f.row == 0 {
			fill = "#999999"
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" fill-opacity="0.45"/>`, f.x, y, max(f.w-0.4, 0.4), row-1, fill)
		if text := fit(f.node.name, f.w); text != "" {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`, f.x+2, y+row-4.5, escape(text))
		}
		spots = append(spots, Spot{f.x, y, f.w, row, f.node.name + spaceOf(f) + "\n" + d.share(f.node.samples)})
	}
	b.WriteString("</g></svg>\n")
	return []byte(b.String()), spots
}

func spaceOf(f frame) string {
	switch {
	case f.row == 0:
		return " (thread)"
	case f.node.kernel:
		return " (kernel)"
	}
	return ""
}

// drawing places frames.
type drawing struct {
	total   uint64
	deepest int
	frames  []frame
}

type frame struct {
	node *node
	row  int // 0: the outermost
	x, w float64
}

// place places a node's children from x on, in the order of their names.
func (d *drawing) place(n *node, x float64, at int) {
	if at >= maxRows {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		c := n.children[name]
		w := width * float64(c.samples) / float64(d.total)
		if w >= narrowest {
			d.frames = append(d.frames, frame{c, at, x, w})
			d.deepest = max(d.deepest, at)
			d.place(c, x, at+1)
		}
		x += w
	}
}

func (d *drawing) share(n uint64) string {
	return fmt.Sprintf("%.1f %%, %d of %d samples", 100*float64(n)/float64(d.total), n, d.total)
}

// fit is as much of a name as goes into a width; nothing where that is too little
// to tell.
func fit(name string, w float64) string {
	n := int((w - 4) / letter)
	r := []rune(short(name))
	switch {
	case n < 3:
		return ""
	case len(r) > n:
		return string(r[:n-1]) + "…"
	}
	return string(r)
}

// short is a name without the path of its package.
func short(name string) string {
	head := name
	if at := strings.IndexAny(name, "([<"); at >= 0 {
		head = name[:at]
	}
	return name[strings.LastIndexByte(head, '/')+1:]
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;").Replace(s)
}
