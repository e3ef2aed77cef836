package results

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// However wide the cells, no line is wider than a terminal and no cell is lost.
func TestTablesFitATerminal(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for i := range 300 {
		tab := &Table{Title: strings.Repeat("title ", rng.IntN(30)), Keys: rng.IntN(2)}
		var words []string
		for c := range 2 + rng.IntN(16) {
			tab.Columns = append(tab.Columns, Column{Head: fmt.Sprintf("h%d\nMbps", c), Left: rng.IntN(3) == 0, Break: rng.IntN(6) == 0, Every: c > 3 && rng.IntN(9) == 0})
		}
		for r := range 1 + rng.IntN(4) {
			var row []string
			for c, col := range tab.Columns {
				cell := fmt.Sprintf("%d.%d", 10+r, 10+c)
				if col.Left {
					cell += strings.Repeat(" name", rng.IntN(12))
				} else {
					cell += strings.Repeat("9", rng.IntN(8))
				}
				words = append(words, strings.Fields(cell)[0])
				row = append(row, cell)
			}
			tab.Rows = append(tab.Rows, row)
		}
		tab.Notes = []string{strings.Repeat("x", 200), strings.Repeat("a note ", 40)}
		var b bytes.Buffer
		if err := tab.Write(&b, Terminal); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := textWidth(strings.TrimRight(line, "\n")); n > TerminalWidth {
				t.Fatalf("table %d: a line of %d columns:\n%s", i, n, b.String())
			}
		}
		for _, w := range words {
			if !strings.Contains(b.String(), w) {
				t.Fatalf("table %d: %s is lost:\n%s", i, w, b.String())
			}
		}
	}
}

func TestPartsRepeatKeysAndMarks(t *testing.T) {
	wide := strings.Repeat("1", 30)
	tab := &Table{
		Keys:    1,
		Columns: []Column{{Head: "key"}, {Head: "a"}, {Head: "b"}, {Head: "c", Break: true}, {Head: "marks", Every: true}},
		Rows:    [][]string{{"k1", wide, wide, wide, "c"}},
	}
	parts := tab.fit(TerminalWidth)
	if len(parts) != 2 {
		t.Fatalf("%d parts, want 2", len(parts))
	}
	for _, p := range parts {
		if p.Rows[0][0] != "k1" || p.Rows[0][len(p.Rows[0])-1] != "c" {
			t.Errorf("a part without key or mark: %v", p.Rows[0])
		}
	}
	tab.Rows[0] = []string{"k1", "1", "2", "3", "c"}
	if parts := tab.fit(TerminalWidth); len(parts) != 1 || len(parts[0].Columns) != 5 {
		t.Errorf("a table that fits was cut: %d parts", len(parts))
	}
}

func TestContinuedCommands(t *testing.T) {
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"hdbench sweep quick", []string{"hdbench sweep", "quick"}},
		{"hdbench sweep --external 'mine=/opt/relay --addr {addr}' x", []string{"hdbench sweep", "--external", "'mine=/opt/relay --addr {addr}'", "x"}},
	} {
		if got := continued(c.command, 15); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q", got)
		}
	}
}
