package results

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"hdbench/internal/measure"
)

// setup is where and with what a sweep was run.
func setup(env *Environment) []string {
	lines := []string{
		fmt.Sprintf("Scenario %s, started %s, hdbench %s, seed %d.", env.Scenario, env.Started.UTC().Format("2006-01-02 15:04 MST"), env.Hdbench, env.Seed),
	}
	var last *HostEntry
	for i := range env.Hosts {
		h := &env.Hosts[i]
		role := fmt.Sprintf("%s on CPUs %s", roleOf(env, h), h.CPUs)
		if last != nil && last.Host.Same(h.Host) && (env.Line == nil || env.Line.Of(h.Agent, true) == 0) {
			lines = append(lines, role+" of the same host: both share its memory, caches and kernel, and traffic goes over loopback.")
			continue
		}
		last = h
		lines = append(lines, role+" of "+describeHost(h.Host)+".")
		lines = append(lines, reached(h)...)
		if h.Host.Lab != "" {
			lines = append(lines, "Measured in the lab: "+h.Host.Lab+".")
		}
		if h.Host.NoCPUTime != "" {
			lines = append(lines, "CPU time n/a: "+h.Host.NoCPUTime+".")
		}
	}
	for _, v := range env.Relays {
		text := v.Version
		if v.NA != "" {
			text = "n/a: " + v.NA
		}
		lines = append(lines, fmt.Sprintf("Relay %s: %s.", v.Name, text))
	}
	return lines
}

// hostFlags are the flags that give a sweep its hosts again; who the user was there
// is not recorded.
func hostFlags(env *Environment) []string {
	var flags []string
	remote := false
	for _, h := range env.Hosts {
		role := slices.Contains(h.Roles, "relay")
		flag, at := "--client-host", cmp.Or(h.SSH, "local")
		if role {
			flag = "--relay-host"
		}
		if h.NATS != "" {
			if role {
				flags = append(flags, "--nats", h.NATS)
			}
			at = h.Agent
		}
		flags = append(flags, flag, at)
		remote = remote || h.SSH != "" || h.NATS != ""
		if role && h.Data != "" {
			flags = append(flags, "--data-addr", h.Data)
		}
	}
	if !remote {
		return nil
	}
	return flags
}

// roleOf is what a host is for, and where several are for the same, which it is.
func roleOf(env *Environment, h *HostEntry) string {
	role := strings.Join(h.Roles, " and ")
	for i := range env.Hosts {
		if o := &env.Hosts[i]; o != h && strings.Join(o.Roles, " and ") == role {
			return role + " " + h.Agent
		}
	}
	return role
}

// reached is how a host's agent was reached, and what it could not do.
func reached(h *HostEntry) []string {
	var lines []string
	how := ""
	switch {
	case h.SSH != "":
		how = "orders over ssh to " + h.SSH
	case h.NATS != "":
		how = fmt.Sprintf("orders to agent %s at %s", h.Agent, h.NATS)
	}
	if how != "" && h.Data != "" {
		how += ", traffic at " + h.Data
	}
	if how != "" {
		lines = append(lines, h.Host.Name+": "+how+".")
	}
	if h.Limits != "" {
		lines = append(lines, h.Host.Name+": its agent was "+h.Limits+".")
	}
	return lines
}

func describeHost(h measure.Host) string {
	virtual := ""
	if h.Virtual {
		virtual = ", virtualised"
	}
	return fmt.Sprintf("%s (%s, CPUs %s%s, %.0f GiB, Linux %s %s, TCP congestion control %s)",
		h.Name, h.CPUModel, h.CPUs, virtual, float64(h.MemBytes)/(1<<30), h.Kernel, h.Arch, h.Congestion)
}

// commit is a version that names one: what git describe prints, with or without a
// tag before it, or what Go stamps into a build.
var commit = regexp.MustCompile(`^(?:.*-g|devel-)?([0-9a-f]{7,40})(-dirty)?$`)

// reproduceSection has the commands that lead to these numbers again: the same
// hdbench, the same baseline, the same rates in the same order.
func reproduceSection(set *Set) section {
	env, dir := &set.Environment, folderName(set.Dir)
	s := section{title: "How to reproduce"}
	version := env.Hdbench
	if m := commit.FindStringSubmatch(env.Hdbench); m != nil {
		version = m[1]
	}
	var commands []string
	switch clean := strings.TrimSuffix(version, "-dirty"); {
	case version == "" || version == "unknown" || version == "devel":
		s.text = append(s.text, "n/a: the version of hdbench: its build did not say. The rest is as it was.")
	case strings.HasSuffix(env.Hdbench, "-dirty"):
		s.text = append(s.text, "This hdbench was built from a changed working tree: the commit below is what it was changed from.")
		fallthrough
	default:
		commands = append(commands, shellescape.QuoteCommand([]string{"git", "checkout", clean}), "make build")
	}
	for _, v := range env.Relays {
		if v.Name == RelayDerper && v.NA == "" && v.Version != "" {
			commands = append(commands, shellescape.QuoteCommand([]string{"make", "baseline", "DERPER=" + v.Version}))
		}
	}
	again := append([]string{"bin/hdbench", "sweep", filepath.Join(dir, FileScenario)}, hostFlags(env)...)
	if len(env.Hosts) > 0 && env.Hosts[0].Host.Lab != "" { // which puts its folders there
		again = []string{"make", "sweep-lab", "SCENARIO=" + filepath.Join("hdbench-out", dir, FileScenario)}
	}
	commands = append(commands, shellescape.QuoteCommand(again), shellescape.QuoteCommand([]string{"bin/hdbench", "report", dir}))
	if len(env.Command) > 0 {
		s.text = append(s.text, "Typed: `"+shellescape.QuoteCommand(env.Command)+"`.")
	}
	s.text = append(s.text, fmt.Sprintf("The scenario in the folder holds the rates and CPUs that were fitted and the seed %d of the order. Every record is in %s/%s; the last command makes this report of them again, on any machine.", env.Seed, dir, FileTrials))
	if hosts := hostsOf(env); len(hosts) > 0 {
		s.text = append(s.text, "Hosts: "+strings.Join(hosts, "; ")+".")
	}
	s.commands = commands
	return s
}

// folderName is the last part of a folder's path, "." and ".." looked up.
func folderName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// hostsOf says which host did what.
func hostsOf(env *Environment) []string {
	var hosts []string
	for _, h := range env.Hosts {
		line := fmt.Sprintf("%s on %s, CPUs %s, Linux %s", strings.Join(h.Roles, " and "), h.Host.Name, h.CPUs, h.Host.Kernel)
		if h.Data != "" {
			line += ", traffic to " + h.Data
		}
		if !slices.Contains(hosts, line) {
			hosts = append(hosts, line)
		}
	}
	return hosts
}

// continued breaks a command at its spaces outside quotes.
func continued(command string, width int) []string {
	var words []string
	word, quoted := "", false
	for _, r := range command {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			words, word = append(words, word), ""
			continue
		}
		word += string(r)
	}
	words = append(words, word)
	var lines []string
	line := ""
	for _, w := range words {
		switch {
		case line == "":
			line = w
		case textWidth(line)+1+textWidth(w) > width:
			lines, line = append(lines, line), w
		default:
			line += " " + w
		}
	}
	return append(lines, line)
}
