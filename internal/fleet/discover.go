package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// The metadata by which agents are found.
const (
	metaAgent   = "agent"
	metaVersion = "hdbench"
	metaRole    = "role"
	metaData    = "data"
	metaCPUs    = "cpus"
	metaHost    = "host"
	metaLabel   = "label." // and its key
)

// Found is an agent that a nats-server knows.
type Found struct {
	Member
	Version  string            // of hdbench
	Protocol string            // of the service
	Host     string            // what the host calls itself
	Labels   map[string]string // as its keeper has set them
}

// Discovery times: the slowest agent has discoverFor, and after the last answer
// nobody is waited for longer than discoverQuiet.
const (
	discoverFor   = 3 * time.Second
	discoverQuiet = 500 * time.Millisecond
)

// Discover asks who is there, by NATS' service discovery.
func (e External) Discover(ctx context.Context) ([]Found, error) {
	nc, err := e.connect(nats.Name("hdbench discovery"))
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	return discover(ctx, nc)
}

func discover(ctx context.Context, nc *nats.Conn) ([]Found, error) {
	all, err := micro.ControlSubject(micro.InfoVerb, serviceName, "")
	if err != nil {
		return nil, err
	}
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest(all, inbox, nil); err != nil {
		return nil, err
	}
	var found []Found
	for deadline := time.Now().Add(discoverFor); time.Now().Before(deadline); {
		quiet, cancel := context.WithTimeout(ctx, discoverQuiet)
		m, err := sub.NextMsgWithContext(quiet)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, nats.ErrNoResponders):
			return nil, nil
		case errors.Is(err, context.DeadlineExceeded):
			if len(found) > 0 {
				deadline = time.Now()
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("ask for agents: %w", err)
		}
		var info micro.Info
		if err := json.Unmarshal(m.Data, &info); err != nil {
			return nil, fmt.Errorf("an agent says of itself: %w", err)
		}
		found = append(found, foundOf(info))
	}
	slices.SortFunc(found, func(a, b Found) int { return cmp.Compare(a.Agent, b.Agent) })
	return found, nil
}

func foundOf(info micro.Info) Found {
	f := Found{
		Member: Member{
			Agent: info.Metadata[metaAgent], Role: Role(info.Metadata[metaRole]),
			CPUs: info.Metadata[metaCPUs], Data: info.Metadata[metaData],
		},
		Version: info.Metadata[metaVersion], Protocol: info.Version, Host: info.Metadata[metaHost],
		Labels: map[string]string{},
	}
	for k, v := range info.Metadata {
		if key, ok := strings.CutPrefix(k, metaLabel); ok {
			f.Labels[key] = v
		}
	}
	return f
}

// Wanted chooses among the agents that are found.
type Wanted struct {
	Relay   string            // name of the relay's agent; empty: the only one
	Clients []string          // names of the clients' agents; empty: all
	Labels  map[string]string // that each must have
}

// ErrNoAgents means that the agents of a sweep are not to be found.
var ErrNoAgents = errors.New("agents are missing")

// Choose makes members of the agents that are wanted: the relay's, then the
// clients'. All must be of this protocol; no name may be there twice.
func (w Wanted) Choose(found []Found) ([]Member, error) {
	byName := map[string]Found{}
	var relays, clients []string
	for _, f := range found {
		if !hasLabels(f.Labels, w.Labels) {
			continue
		}
		if there, twice := byName[f.Agent]; twice {
			return nil, fmt.Errorf("two agents are named %s (on %s and %s): give each a name of its own with --name", f.Agent, there.Host, f.Host)
		}
		byName[f.Agent] = f
		switch f.Role {
		case RoleRelay:
			relays = append(relays, f.Agent)
		case RoleClient:
			clients = append(clients, f.Agent)
		}
	}
	there := "found: " + describe(byName)
	var names []string
	switch {
	case w.Relay != "":
		names = append(names, w.Relay)
	case len(relays) == 1:
		names = relays
	case len(relays) == 0:
		return nil, fmt.Errorf("%w: none has the role relay; %s", ErrNoAgents, there)
	default:
		return nil, fmt.Errorf("several agents have the role relay: choose one with --relay-host or --label; %s", there)
	}
	if len(w.Clients) > 0 {
		clients = w.Clients
	}
	if len(clients) == 0 {
		return nil, fmt.Errorf("%w: none has the role client; %s", ErrNoAgents, there)
	}
	var members []Member
	for i, name := range append(names, clients...) {
		role := RoleClient
		if i == 0 {
			role = RoleRelay
		}
		f, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("%w: no agent is named %s; %s", ErrNoAgents, name, there)
		}
		if f.Role != role {
			return nil, fmt.Errorf("agent %s has the role %s, not %s", name, f.Role, role)
		}
		if major(f.Protocol) != major(serviceVersion) {
			return nil, fmt.Errorf("agent %s: %w: it speaks protocol %s, this hdbench %s; install the same hdbench on every host", name, ErrVersion, f.Protocol, serviceVersion)
		}
		members = append(members, f.Member)
	}
	return members, nil
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func major(version string) string {
	m, _, _ := strings.Cut(version, ".")
	return m
}

func describe(byName map[string]Found) string {
	if len(byName) == 0 {
		return "none with these labels (is one started: hdbench agent --nats URL --role relay)"
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		f := byName[name]
		text := fmt.Sprintf("%s (%s on %s", name, f.Role, f.Host)
		for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
			text += ", " + k + "=" + f.Labels[k]
		}
		texts = append(texts, text+")")
	}
	return strings.Join(texts, ", ")
}
