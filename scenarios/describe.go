package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/probe"
	"hdbench/internal/transport"
	"hdbench/results"
)

// List is a table of the embedded scenarios.
func List() (*results.Table, error) {
	t := &results.Table{Columns: []results.Column{{Head: "Scenario", Left: true}, {Head: "What it is for", Left: true}}}
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			return nil, err
		}
		for i, line := range breakLines(s.About, 66) {
			if i > 0 {
				name = ""
			}
			t.Rows = append(t.Rows, []string{name, line})
		}
	}
	return t, nil
}

func breakLines(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(lines, line)
}

// PlaceholderHelp explains the placeholders of an external relay's command.
func PlaceholderHelp() string {
	var b strings.Builder
	for _, p := range fleet.Placeholders() {
		fmt.Fprintf(&b, "  %-10s %s\n", p.Name, p.Meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// AddExternal adds a relay given as NAME=COMMAND.
func (s *Scenario) AddExternal(arg string) error {
	name, cmd, ok := strings.Cut(arg, "=")
	if !ok {
		return fmt.Errorf("%q: want NAME=COMMAND", arg)
	}
	if _, err := parseName(name); err != nil {
		return err
	}
	if name == results.RelayHD || name == results.RelayDerper || name == results.RelayNone {
		return fmt.Errorf("the name %q is taken; choose another", name)
	}
	for _, r := range s.Relays {
		if r.Relay == name {
			return fmt.Errorf("there are two relays named %q", name)
		}
	}
	if err := fleet.CheckCommand(cmd); err != nil {
		return err
	}
	transport := "tcp"
	if strings.Contains(cmd, "{cert}") { // it will have a use for it
		transport = "tls"
	}
	s.Relays = append(s.Relays, RelayAxes{Relay: name, Command: cmd, Transport: []string{transport}})
	return nil
}

// here are the configurations that a sweep on this host would measure, before it has
// looked for rates, and on which CPUs.
func (s *Scenario) here() (Split, *Resolved, error) {
	avail, err := cpu.Available()
	if err != nil {
		return Split{}, nil, err
	}
	split, err := fitCPUs(s.CPUs, probe.Siblings(avail))
	if err != nil || s.Resolved != nil {
		return split, s.Resolved, err
	}
	return split, &Resolved{Configurations: s.configurations(func(relay string) []int { return autoWorkers(relay, split.Relay.Size()) })}, nil
}

// Foretell says what is already known to be wrong with the trials of a sweep on this
// host: whose will all be marked oversubscribed.
func (s *Scenario) Foretell() ([]string, error) {
	split, r, err := s.here()
	if err != nil {
		return nil, err
	}
	return oversubscribed(split, r.Configurations), nil
}

// oversubscribed foretells what results.Judge will find of the CPUs.
func oversubscribed(split Split, configurations []Configuration) []string {
	const marked = "will be marked " + string(results.Oversubscribed)
	if both := split.Relay.Intersection(split.Client); !both.IsEmpty() {
		return []string{fmt.Sprintf("On this host every trial %s: relay and client share CPU %s. Give them CPUs of their own (cpus), or a host each.", marked, both)}
	}
	var all []results.Config
	for _, c := range configurations {
		all = append(all, c.Config)
	}
	names := results.Names(all)
	var over []string
	for _, c := range all {
		if c.Workers > split.Relay.Size() && !slices.Contains(over, names[c]) {
			over = append(over, names[c])
		}
	}
	if len(over) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("On this host every trial of these %s, with more workers than the relay has CPUs (%s): %s.", marked, split.Relay, strings.Join(over, ", "))}
}

// Plan is what a sweep of the scenario on this host would run, for a dry run.
func (s *Scenario) Plan() (*results.Table, error) {
	split, r, err := s.here()
	if err != nil {
		return nil, err
	}
	if s.Resolved == nil {
		for i := range r.Configurations {
			r.Configurations[i].Rates = s.Load.Rate
			if s.Load.Search != nil {
				r.Configurations[i].SearchMax = cmp.Or(s.Load.Search.Max, max(searchGuess, 2*s.Load.Search.Min))
			}
		}
	}
	var cs []results.Config
	for _, c := range r.Configurations {
		cs = append(cs, c.Config)
	}
	names := results.Names(cs)
	t := &results.Table{
		Title: fmt.Sprintf("%s: relay on CPUs %s, client on CPUs %s", s.Name, split.Relay, split.Client),
		Columns: []results.Column{
			{Head: "Configuration", Left: true}, {Head: "Load", Left: true}, {Head: "Offered rates", Left: true}, {Head: "Trials"},
		},
	}
	oneLoad := len(s.Load.shapes()) == 1
	if oneLoad { // it is the same in every row
		t.Title += "\n" + s.Load.shapes()[0].String()
		t.Columns = slices.Delete(t.Columns, 1, 2)
	}
	row := func(c results.Config, rates, trials string) {
		cells := []string{names[c], c.Load.String(), rates, trials}
		if oneLoad {
			cells = slices.Delete(cells, 1, 2)
		}
		t.Rows = append(t.Rows, cells)
	}
	trials, climbs, searches, looks, profiles := 0, 0, 0, 0, 0
	var searchTime time.Duration
	clients := map[results.Config]bool{}
	for _, c := range r.Configurations {
		if err := transport.Check(transport.Kind(c.Transport)); err != nil {
			row(c.Config, "n/a", "0")
			if na := "n/a: " + err.Error(); !slices.Contains(t.Notes, na) {
				t.Notes = append(t.Notes, na)
			}
			continue
		}
		var rates []string
		n := 0
		profiles++
		clients[clientOf(c.Config)] = true
		for _, rate := range c.Rates {
			rates = append(rates, rate.String())
			n++
			if rate.Auto {
				n += autoRates - 1
			}
		}
		if s.Resolved == nil && s.Load.needsKnee() {
			climbs++
		}
		trials += n * s.Runs.planned()
		count := fmt.Sprint(n * s.Runs.planned())
		if s.Load.Search != nil {
			k, took, err := s.searchEstimate(c.SearchMax)
			if err != nil {
				return nil, err
			}
			searches, looks, searchTime = searches+1, looks+k, searchTime+took
			count = fmt.Sprintf("%d + %d", n*s.Runs.planned(), k)
			rates = append(rates, "search")
		}
		row(c.Config, strings.Join(rates, " "), count)
	}
	about := aroundTime + time.Duration(float64(trials)*s.Runs.typical())/time.Duration(s.Runs.planned())*s.trialTime() +
		time.Duration(climbs)*climbTime + time.Duration(len(clients))*calibrationWindows.total() + searchTime
	if s.Profile {
		about += time.Duration(profiles) * (s.Warmup + max(s.Measure, profileWindow) + overhead)
		t.Notes = append(t.Notes, fmt.Sprintf("profile: %d trials more, in which the relay is sampled.", profiles))
	}
	t.Notes = append(t.Notes, fmt.Sprintf("%d trials of %v after %v warm-up, about %v in all.", trials, s.Measure, s.Warmup, about.Round(time.Second)))
	if s.Runs.UntilCI > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("Runs of a point: %v; counted as %d, their time as half-way.", s.Runs, s.Runs.planned()))
	}
	if s.Runs.UntilCeiling > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("Runs of a point: %v; counted as %d.", s.Runs, s.Runs.planned()))
	}
	if searches > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("search: %v. Counted (+) as it goes where nothing is in doubt: %d looks, %v of the time; it may take twice as many. auto is counted as %v; twice what the climb finds will be taken.",
			s.Load.Search, looks, searchTime.Round(time.Second), searchGuess))
	}
	t.Notes = append(t.Notes, oversubscribed(split, r.Configurations)...)
	if climbs > 0 {
		note := fmt.Sprintf("auto and %% are found by a climb of each configuration, some %v", climbTime)
		if slices.ContainsFunc(s.Load.Rate, func(r Rate) bool { return r.Auto }) {
			note += fmt.Sprintf("; auto is counted as %d rates, the most it makes", autoRates)
		}
		t.Notes = append(t.Notes, note+".")
	}
	return t, nil
}

// climbTime is about what a climb takes: a dozen looks.
const climbTime = 10 * time.Second

// aroundTime is for what is done once: agents, the doctor's look, the report.
const aroundTime = 4 * time.Second
