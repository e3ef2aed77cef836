package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/measure"
)

// CategoryTable is what share of its CPU time each relay spends where, side by
// side. All have the same load.
func CategoryTable(title string, ps []Profiled, names map[Config]string) *Table {
	t := &Table{
		Title: title, Keys: 2,
		Columns: []Column{{Head: "Category", Left: true}, {Head: "Space", Left: true}},
	}
	var have []*measure.Profile
	for _, p := range ps {
		if p.Profile == nil {
			t.addNote(names[p.Config] + ": n/a: " + p.NA)
			continue
		}
		have = append(have, p.Profile)
		t.Columns = append(t.Columns, Column{Head: narrow(names[p.Config]) + "\n%", Full: names[p.Config] + ", %"})
	}
	if len(have) == 0 {
		t.Columns = nil
		return t
	}
	cells := func(first, second string, of func(*measure.Profile) string) {
		row := []string{first, second}
		for _, p := range have {
			row = append(row, of(p))
		}
		t.Rows = append(t.Rows, row)
	}
	for _, kernel := range []bool{true, false} {
		space := spaceName(kernel)
		for _, name := range categoriesOf(have, kernel) {
			cells(name, space, func(p *measure.Profile) string { return percent(categoryShare(p, name, kernel)) })
		}
		cells("all of it", space, func(p *measure.Profile) string { return percent(p.Of(kernel)) })
	}
	cells("in a named category", "both", func(p *measure.Profile) string { return percent(p.Named()) })
	cells("samples", "both", func(p *measure.Profile) string { return fmt.Sprint(p.Samples) })
	return t
}

func spaceName(kernel bool) string {
	if kernel {
		return "kernel"
	}
	return "user"
}

// categoriesOf are the categories that any of the profiles has, the weightiest
// first, unknown last.
func categoriesOf(ps []*measure.Profile, kernel bool) []string {
	most := map[string]float64{}
	var names []string
	for _, p := range ps {
		for _, c := range p.Categories {
			if c.Kernel != kernel {
				continue
			}
			if _, there := most[c.Name]; !there {
				names = append(names, c.Name)
			}
			most[c.Name] += p.Share(c.Weight)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		switch measure.CategoryUnknown {
		case a:
			return 1
		case b:
			return -1
		}
		return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(a, b))
	})
	return names
}

// narrow breaks a configuration's name into lines of a column.
func narrow(name string) string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(strings.Replace(name, "GOMAXPROCS=", "GOMAX- PROCS=", 1)) {
		if line != "" && len(line)+1+len(w) > 9 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return strings.Join(append(lines, line), "\n")
}

// FunctionTable is the functions that weigh most by themselves, in the shape of
// the published CPU table.
func FunctionTable(title string, p *measure.Profile, rows int) *Table {
	t := &Table{
		Title: title, Keys: 1,
		Columns: []Column{{Head: "Symbol", Left: true}, {Head: "Where", Left: true}, {Head: eventHead(p.Event) + "\n%"}},
	}
	for _, f := range p.Functions[:min(rows, len(p.Functions))] {
		t.Rows = append(t.Rows, []string{shortFunction(f.Name), f.Category, percent(p.Share(f.Weight))})
	}
	return t
}

// eventHead is what a sample's weight is, over a column.
func eventHead(event string) string {
	if event == "cycles" {
		return "Cycles"
	}
	return "CPU time"
}

// maxFunctionName is how long a function's name may be in a table.
const maxFunctionName = 42

// shortFunction is a function without the path of its Go package, type arguments
// and what is too long.
func shortFunction(name string) string {
	head := name
	if at := strings.IndexAny(name, "([<"); at >= 0 {
		head = name[:at]
	}
	if at := strings.LastIndexByte(head, '/'); at >= 0 {
		name = name[at+1:]
	}
	if at := strings.IndexByte(name, '['); at >= 0 {
		if end := strings.LastIndexByte(name, ']'); end > at {
			name = name[:at] + "[…]" + name[end+1:]
		}
	}
	if r := []rune(name); len(r) > maxFunctionName {
		name = string(r[:maxFunctionName-1]) + "…"
	}
	return name
}

// SampledTable is how each profile was taken, and what sampling cost.
func SampledTable(ps []Profiled, names map[Config]string) *Table {
	t := &Table{
		Title: "How it was sampled", Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Offered\nMbps"}, {Head: "Deliv-\nered", Full: "Delivered Mbps"}, {Head: "Event", Left: true}, {Head: "Samples"}, {Head: "Lost"},
			{Head: "Cost of sampling\n[chance]", Full: "CPU-s/Gbit, of that without sampling [where chance alone would put it]", Left: true}, {Head: "", Left: true},
		},
	}
	for _, p := range ps {
		if p.Profile == nil {
			t.addNote(names[p.Config] + ": n/a: " + p.NA)
			continue
		}
		seen := map[Code]bool{}
		for _, f := range p.Trial.Validity {
			seen[f.Code] = true
		}
		t.Rows = append(t.Rows, []string{
			names[p.Config], rateCell(p.Trial), mbps(p.Trial.Load.DeliveredBps), p.Profile.Event, fmt.Sprint(p.Profile.Samples), fmt.Sprint(p.Profile.Lost),
			ratio(p.Cost), marks(seen),
		})
		if p.CostRuns == 0 {
			t.addNote("cost n/a: no valid trial of the same point without a sampler, or no CPU time")
		}
		for _, n := range p.Profile.Notes {
			t.addNote(names[p.Config] + ": " + n)
		}
		if n := p.Profile.LeafOnly; n > 0 {
			t.addNote(fmt.Sprintf("%s: %d samples are kept without their callers: too many different stacks", names[p.Config], n))
		}
	}
	return t
}

func rateCell(t *Trial) string {
	if t.Point.Offered.IsMax() {
		return "max"
	}
	return mbps(float64(t.Point.Offered))
}

// ProfileTables are one profile by itself, for a terminal.
func ProfileTables(title string, p *measure.Profile) []*Table {
	cats := &Table{
		Title: title, Keys: 2,
		Columns: []Column{{Head: "Category", Left: true}, {Head: "Space", Left: true}, {Head: "Samples"}, {Head: eventHead(p.Event) + "\n%"}},
	}
	for _, kernel := range []bool{true, false} {
		for _, c := range p.Categories {
			if c.Kernel == kernel {
				cats.Rows = append(cats.Rows, []string{c.Name, spaceName(kernel), fmt.Sprint(c.Samples), percent(p.Share(c.Weight))})
			}
		}
	}
	cats.Notes = []string{
		fmt.Sprintf("%s: %s.", p.Event, eventMeaning(p.Event)),
		fmt.Sprintf("%s at %d Hz over %.1f s, %d lost; %s, %s; %s %% in a named category, by the rules %s.",
			plural(int(p.Samples), "sample"), p.FrequencyHz, p.Seconds, p.Lost, processes(p.Processes), plural(p.Threads, "thread"), percent(p.Named()), p.Rules),
		fmt.Sprintf("Reading the samples took %.1f ms of CPU time; taking them costs the process itself about as many interrupts as there are samples.", 1000*p.SamplerCPU),
	}
	cats.Notes = append(cats.Notes, p.Notes...)
	return []*Table{cats, FunctionTable("Functions, each without what it calls", p, 15)}
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// eventMeaning says what a sample is.
func eventMeaning(event string) string {
	if event == "cycles" {
		return "a sample every so many CPU cycles of the process"
	}
	return "a sample every so much time on a CPU, by a timer; there is no PMU to count cycles. Where interrupts are off a timer waits: what happens there shows where they are on again (spin_unlock_irqrestore, finish_task_switch)"
}
