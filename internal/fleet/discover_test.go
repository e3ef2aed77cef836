package fleet

import (
	"errors"
	"strings"
	"testing"
)

func TestChoosingAgents(t *testing.T) {
	agent := func(name string, r Role, rack string) Found {
		return Found{Member: Member{Agent: name, Role: r}, Protocol: serviceVersion, Host: "host-of-" + name, Labels: map[string]string{"rack": rack}}
	}
	all := []Found{agent("c1", RoleClient, "a"), agent("c2", RoleClient, "b"), agent("r1", RoleRelay, "a"), agent("r2", RoleRelay, "b")}
	old := agent("c3", RoleClient, "a")
	old.Protocol = "1.0.0"
	for _, c := range []struct {
		name  string
		found []Found
		w     Wanted
		want  string // names, or a part of the error
		is    error
	}{
		{"by label", all, Wanted{Labels: map[string]string{"rack": "a"}}, "r1 c1", nil},
		{"by name", all, Wanted{Relay: "r2", Clients: []string{"c2", "c1"}}, "r2 c2 c1", nil},
		{"all clients of one relay", all, Wanted{Relay: "r1"}, "r1 c1 c2", nil},
		{"two relays", all, Wanted{}, "several agents have the role relay", nil},
		{"nobody", nil, Wanted{}, "hdbench agent --nats", ErrNoAgents},
		{"no client", all[2:3], Wanted{}, "none has the role client", ErrNoAgents},
		{"no relay", all[:2], Wanted{}, "none has the role relay; found: c1 (client on host-of-c1, rack=a), c2", ErrNoAgents},
		{"no such name", all, Wanted{Relay: "r9"}, "no agent is named r9", ErrNoAgents},
		{"a client for a relay", all, Wanted{Relay: "c1"}, "has the role client, not relay", nil},
		{"one name twice", append(all, all[0]), Wanted{}, "two agents are named c1", nil},
		{"another protocol", append(all[2:3:3], old), Wanted{}, "protocol 1.0.0", ErrVersion},
	} {
		ms, err := c.w.Choose(c.found)
		var names []string
		for _, m := range ms {
			names = append(names, m.Agent)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMembersAreChecked(t *testing.T) {
	for name, ms := range map[string][]Member{
		"no role":       {{Agent: "a"}},
		"no name":       {{Role: RoleRelay}},
		"a bad name":    {{Agent: "a.b", Role: RoleRelay}},
		"one twice":     {{Agent: "a", Role: RoleRelay}, {Agent: "a", Role: RoleClient}},
		"a bad address": {{Agent: "a", Role: RoleRelay, SSH: "-x"}},
	} {
		if err := checkMembers(ms); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, m := range map[string]Meta{
		"no role": {}, "no address": {Role: RoleRelay, Data: "eth1"}, "CPUs that are not there": {Role: RoleRelay, CPUs: "9999"},
		"a bad label": {Role: RoleRelay, Labels: map[string]string{"a b": ""}}, "a long one": {Role: RoleRelay, Labels: map[string]string{"a": strings.Repeat("x", 999)}},
	} {
		if err := m.Check(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if n := AgentName("", RoleRelay); CheckAgentName(n) != nil || !strings.HasSuffix(n, "-relay") {
		t.Errorf("the name of an agent of this host: %q", n)
	}
}
