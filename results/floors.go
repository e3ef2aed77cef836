package results

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// Floor is the least change of a metric that counts, and where that is from.
type Floor struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"` // share of the base's value, or difference of shares
	From   string  `json:"from"`
}

// DefaultFloors are the built-in ones.
func DefaultFloors() []Floor {
	var fs []Floor
	for _, m := range Metrics() {
		fs = append(fs, Floor{m.Name, m.Floor, "built in"})
	}
	return fs
}

// MeasuredFloors takes the floors from A/A runs: folders of one and the same
// build. What a metric of any point moves between two of them, nobody did. The
// floor is the largest such move; a metric that was never measured twice keeps
// the built-in one.
func MeasuredFloors(sets []*Set) ([]Floor, error) {
	if len(sets) < 2 {
		return nil, fmt.Errorf("A/A runs: %s given, want two at least", plural(len(sets), "folder"))
	}
	floors := DefaultFloors()
	for i, m := range Metrics() {
		largest, moves := 0.0, 0
		for j, a := range sets {
			for _, b := range sets[j+1:] {
				for _, s := range commonSamples(a, b, m) {
					if len(s.base) < 2 || len(s.new) < 2 {
						continue
					}
					if c := s.change().Value; !math.IsNaN(c) {
						largest = max(largest, math.Abs(c))
						moves++
					}
				}
			}
		}
		if moves > 0 {
			floors[i].Value = largest
			floors[i].From = fmt.Sprintf("A/A: largest of %s between %s", plural(moves, "move"), plural(len(sets), "folder"))
		}
	}
	return floors, nil
}

// BaselineMove is how far a metric of the TS baseline moved between two sweeps, as far
// as that is significant and beyond the floor. Both have the very same derper, so
// nobody did it but the hosts: what they did to it they may have done to the relays
// under test.
type BaselineMove struct {
	Metric string  `json:"metric"`
	Low    float64 `json:"low"`  // the furthest move down, at most 0
	High   float64 `json:"high"` // the furthest move up, at least 0
}

// excusedFloors is how many floors at most a move of the baseline excuses: a host that
// moves things further is not one to compare on.
const excusedFloors = 4

// baselineMoves are those of the baseline's changes.
func baselineMoves(control []Change) []BaselineMove {
	of := map[string]BaselineMove{}
	for _, c := range control {
		if c.Verdict == IsRegression || c.Verdict == IsImprovement {
			m, most := of[c.Metric.Name], excusedFloors*c.Floor
			of[c.Metric.Name] = BaselineMove{c.Metric.Name, min(m.Low, max(c.Change.Value, -most)), max(m.High, min(c.Change.Value, most))}
		}
	}
	var moves []BaselineMove
	for _, m := range Metrics() {
		if move, ok := of[m.Name]; ok {
			moves = append(moves, move)
		}
	}
	return moves
}

// covers reports whether the baseline moved as far as change, the same way.
func (m BaselineMove) covers(change float64) bool { return m.Low <= change && change <= m.High }

// movesText says what the baseline's moves excuse, in a line.
func movesText(moves []BaselineMove) []string {
	var of []string
	for _, move := range moves {
		for _, m := range Metrics() {
			if m.Name == move.Metric {
				of = append(of, fmt.Sprintf("%s %s to %s", m.Name, m.change(move.Low), m.change(move.High)))
			}
		}
	}
	if len(of) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("What the TS baseline did too is not called a regression (%d floors at most): %s.", excusedFloors, strings.Join(of, ", "))}
}

// floorsText says which floors a comparison used, in a line each origin.
func floorsText(floors []Floor) []string {
	var order []string
	by := map[string][]string{}
	for _, m := range Metrics() {
		for _, f := range floors {
			if f.Metric != m.Name {
				continue
			}
			if by[f.From] == nil {
				order = append(order, f.From)
			}
			by[f.From] = append(by[f.From], m.Name+" "+strings.TrimPrefix(m.change(f.Value), "+"))
		}
	}
	var lines []string
	for _, from := range order {
		lines = append(lines, fmt.Sprintf("Floors (%s): %s.", from, strings.Join(by[from], ", ")))
	}
	return lines
}

// commonSamples are the values of a metric at every point that both have valid
// trials of, relays under test only, in the order of the points.
func commonSamples(a, b *Set, m Metric) []sample {
	var ss []sample
	for _, p := range commonPoints(a, b) {
		if underTest(p.Config) {
			ss = append(ss, newSample(p, m, a, b))
		}
	}
	return ss
}

// name is how a folder is called in a comparison.
func (s *Set) name() string { return filepath.Base(filepath.Clean(s.Dir)) }
