package scenarios

import (
	"slices"
	"strings"
	"testing"

	"hdbench/internal/fleet"
)

func TestInventory(t *testing.T) {
	inv, err := ParseInventory("hosts.yaml", []byte(`
hosts:
  - {ssh: me@c1, role: client, cpus: "2-15"}
  - {ssh: me@relay, role: [relay, client], data: 10.50.0.1}
  - {ssh: local, role: client, name: here}
external:
  mine: /opt/relay --addr {addr}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Member{
		{Agent: "relay", Role: fleet.RoleRelay, SSH: "me@relay", Data: "10.50.0.1"},
		{Agent: "client-1", Role: fleet.RoleClient, SSH: "me@c1", CPUs: "2-15"},
		{Agent: "client-2", Role: fleet.RoleClient, SSH: "me@relay", Data: "10.50.0.1"},
		{Agent: "here", Role: fleet.RoleClient, SSH: "local"},
	}
	if !slices.Equal(inv.Members, want) {
		t.Errorf("members\n%+v, want\n%+v", inv.Members, want)
	}
	if !slices.Equal(inv.External, []string{"mine=/opt/relay --addr {addr}"}) {
		t.Errorf("external relays: %q", inv.External)
	}
}

func TestInventoryIsStrict(t *testing.T) {
	const relay, client = "  - {ssh: r, role: relay}\n", "  - {ssh: c, role: client}\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"no YAML", "{", "this is no inventory"},
		{"a list", "- a\n", "h.yaml:1: inventory: want keys and values"},
		{"no hosts", "external: {}\n", "h.yaml:1: inventory: hosts is missing"},
		{"an unknown key", "hosts:\n" + relay + client + "  - {shs: x, role: client}\n", `h.yaml:4: hosts: unknown key "shs" (did you mean "ssh"?)`},
		{"a key twice", "hosts:\n" + relay + "  - {ssh: c, role: client, ssh: d}\n", `h.yaml:3: hosts: key "ssh" is given twice (first on line 3)`},
		{"no ssh", "hosts:\n" + relay + "  - {role: client}\n", "h.yaml:3: hosts: ssh is missing"},
		{"no role", "hosts:\n" + relay + "  - {ssh: c}\n", "h.yaml:3: hosts: role is missing"},
		{"another role", "hosts:\n" + relay + "  - {ssh: c, role: judge}\n", `h.yaml:3: role: role "judge": want relay or client`},
		{"an option for ssh", "hosts:\n" + relay + "  - {ssh: -oProxyCommand=id, role: client}\n", "h.yaml:3: ssh: ssh destination"},
		{"no address", "hosts:\n  - {ssh: r, role: relay, data: eth1}\n" + client, `h.yaml:2: data: "eth1"`},
		{"any address", "hosts:\n  - {ssh: r, role: relay, data: 0.0.0.0}\n" + client, `h.yaml:2: data: "0.0.0.0"`},
		{"CPUs of two roles", "hosts:\n  - {ssh: r, role: [relay, client], cpus: 1}\n", "h.yaml:2: hosts: cpus are of one role"},
		{"a name for two roles", "hosts:\n  - {ssh: r, role: [relay, client], name: x}\n", "h.yaml:2: hosts: a name is of one role"},
		{"a bad name", "hosts:\n" + relay + "  - {ssh: c, role: client, name: a.b}\n", "h.yaml:3: name: name of an agent"},
		{"two relays", "hosts:\n" + relay + relay + client, "2 hosts with the role relay: want one"},
		{"no client", "hosts:\n" + relay, "no host has the role client"},
		{"one name twice", "hosts:\n" + relay + "  - {ssh: c, role: client, name: x}\n  - {ssh: d, role: client, name: x}\n", "two agents would be named x"},
		{"a command without an address", "hosts:\n" + relay + client + "external: {mine: /opt/relay}\n", "h.yaml:4: external.mine: command"},
		{"a command twice", "hosts:\n" + relay + client + "external:\n  mine: /a {addr}\n  mine: /b {addr}\n", `h.yaml:6: external: "mine" is given twice (first on line 5)`},
	} {
		_, err := ParseInventory("h.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func FuzzInventory(f *testing.F) {
	f.Add("hosts:\n  - {ssh: r, role: [relay, client], data: 10.0.0.1}\nexternal: {x: '/a {addr}'}\n")
	f.Add("hosts: [{ssh: local, role: relay, cpus: 0-3}, {ssh: a@b, role: client, name: n}]")
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := ParseInventory("f", []byte(text))
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, m := range inv.Members {
			if fleet.CheckAgentName(m.Agent) != nil || names[m.Agent] || m.Remote() && fleet.CheckDestination(m.SSH) != nil {
				t.Errorf("member %+v", m)
			}
			names[m.Agent] = true
		}
	})
}

func TestHostsFromFlags(t *testing.T) {
	ms, err := HostMembers("me@relay", nil)
	if err != nil || len(ms) != 2 || ms[0].SSH != "me@relay" || ms[1] != (fleet.Member{Agent: "client", Role: fleet.RoleClient, SSH: fleet.Local}) {
		t.Errorf("a relay's host alone: %+v, %v", ms, err)
	}
	ms, err = HostMembers("", []string{"c1", "c2"})
	if err != nil || len(ms) != 3 || ms[0].SSH != fleet.Local || ms[2].Agent != "client-2" {
		t.Errorf("clients' hosts alone: %+v, %v", ms, err)
	}
	if _, err := HostMembers("-x", nil); err == nil {
		t.Error("an option for ssh is a host")
	}
}
