package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hdbench/results/figure"
	"hdbench/results/flame"
	"hdbench/results/page"
)

// topFunctions is how many functions of a configuration the report lists.
const topFunctions = 10

// profileSection is the CPU breakdown.
func profileSection(set *Set, ps []Profiled, published *Published) section {
	s := section{title: "CPU breakdown"}
	if len(ps) == 0 {
		s.text = []string{
			"n/a: the records hold no CPU samples: sampling costs the relay something, so a sweep takes them only when asked to. `hdbench sweep --resume DIR --profile` adds them.",
		}
		return s
	}
	names := profileNames(ps)
	if !slices.ContainsFunc(ps, func(p Profiled) bool { return p.Profile != nil }) {
		s.text = noProfiles(ps, names)
		return s
	}
	for _, group := range byLoad(ps) {
		s.tables = append(s.tables, CategoryTable("Share of CPU time · "+group[0].Config.Load.String(), group, names))
	}
	sampled := SampledTable(ps, names)
	events := map[string]bool{}
	for _, p := range ps {
		if p.Profile == nil {
			continue
		}
		events[p.Profile.Event] = true
		title := fmt.Sprintf("Functions · %s, %s Mbps offered", loadName(ps, names, p.Config), rateCell(p.Trial))
		s.tables = append(s.tables, FunctionTable(title, p.Profile, topFunctions))
	}
	s.tables = append(s.tables, sampled, published.CPUTable())
	for _, e := range []string{"cycles", "cpu-clock"} {
		if events[e] {
			s.after = append(s.after, e+": "+eventMeaning(e)+".")
		}
	}
	s.after = append(s.after,
		"Every configuration was sampled once, in a trial of its own that makes no ceiling, at the highest rate of which less than 1 % was missing, lost or held back (or else the least). Shares are of the CPU time of the relay's process, kernel and softirqs on its threads included; of 1,000 samples a share of 10 % is known to ±1.9 points (95 %).",
		"Shares of relays at different rates are not costs: CPU-s/Gbit is in the comparison.",
		"Cost of sampling: CPU-s/Gbit of the sampled trial over those of the same point without a sampler; in brackets where one more trial without one would be in 95 % of cases.",
		"`go tool pprof -top DIR/profiles/NAME.pb.gz` has all functions, `-tags` the threads and categories; the folded stacks are beside it. The published figures are of cycles, of another relay on other hardware.",
	)
	s.flames, s.after = flames(set, ps, names, s.after)
	return s
}

// noProfiles says why there is none, a line a reason.
func noProfiles(ps []Profiled, names map[Config]string) []string {
	var why []string
	of := map[string][]string{}
	for _, p := range ps {
		if of[p.NA] == nil {
			why = append(why, p.NA)
		}
		of[p.NA] = append(of[p.NA], loadName(ps, names, p.Config))
	}
	var lines []string
	for _, w := range why {
		lines = append(lines, fmt.Sprintf("n/a: %s (%s)", w, strings.Join(of[w], ", ")))
	}
	return lines
}

// profileNames are the names of the profiled configurations.
func profileNames(ps []Profiled) map[Config]string {
	var cs []Config
	for _, p := range ps {
		cs = append(cs, p.Config)
	}
	return Names(cs)
}

// byLoad are the profiles of one load together.
func byLoad(ps []Profiled) [][]Profiled {
	var groups [][]Profiled
	for i, p := range ps {
		if i == 0 || ps[i-1].Config.Load != p.Config.Load {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], p)
	}
	return groups
}

// loadName is a configuration's name, with its load where there are several.
func loadName(ps []Profiled, names map[Config]string, c Config) string {
	if len(byLoad(ps)) > 1 {
		return names[c] + ", " + c.Load.String()
	}
	return names[c]
}

// graph is a flame graph of the report's page.
type graph struct {
	title string
	graph *flame.Graph
}

// flames reads the folded stacks of the profiles. What is not there is said.
func flames(set *Set, ps []Profiled, names map[Config]string, notes []string) ([]graph, []string) {
	var out []graph
	for _, p := range ps {
		if p.Profile == nil || p.Profile.Folded == "" {
			continue
		}
		name := loadName(ps, names, p.Config)
		g, err := readFlame(filepath.Join(set.Dir, filepath.Clean("/"+p.Profile.Folded)))
		if err != nil {
			why := err.Error()
			if errors.Is(err, fs.ErrNotExist) {
				why = p.Profile.Folded + " is not in the folder"
			}
			notes = append(notes, fmt.Sprintf("Flame graph of %s: n/a: %s.", name, why))
			continue
		}
		out = append(out, graph{"Flame graph · " + name, g})
	}
	return out, notes
}

func readFlame(file string) (*flame.Graph, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g, err := flame.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return g, nil
}

// plot is the graph for the page.
func (g graph) plot() page.Plot {
	svg, spots := g.graph.SVG(g.title)
	var out []figure.Spot
	for _, s := range spots {
		out = append(out, figure.Spot(s))
	}
	slices.Reverse(out) // the page names what lies on one another from above
	return page.NewPlot(g.title, fmt.Sprintf("%s: %d samples. Blue: in the kernel; orange: in user space; grey: threads. A function is as wide as its share, who called it is below; what is narrower than 0.15 %% is left out.",
		g.title, g.graph.Samples()), svg, out)
}
