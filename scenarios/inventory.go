package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"

	"hdbench/internal/fleet"
)

// Inventory is the hosts of a sweep, and what is to be run on them beside hdbench.
type Inventory struct {
	Members  []fleet.Member
	External []string // NAME=COMMAND, run on the relay's host
}

// LoadInventory reads an inventory file.
func LoadInventory(file string) (*Inventory, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ParseInventory(file, b)
}

// inventoryHost is one entry of hosts.
type inventoryHost struct {
	ssh, name, cpus, data string
	roles                 []fleet.Role
}

// ParseInventory reads an inventory as strictly as a scenario: what it does not
// know is an error with its line.
func ParseInventory(file string, text []byte) (*Inventory, error) {
	var doc yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: this is no inventory: the file is empty", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: this is no inventory: %w", file, err)
	}
	d := &decoder{file: file}
	root := doc.Content[0]
	inv := &Inventory{}
	var hosts []inventoryHost
	d.mapping(root, "inventory", fields{
		"hosts":    func(n *yaml.Node) { d.inventoryHosts(n, &hosts) },
		"external": func(n *yaml.Node) { d.inventoryExternal(n, &inv.External) },
	})
	if root.Kind == yaml.MappingNode && len(hosts) == 0 && len(d.errs) == 0 {
		d.fail(root, "inventory: hosts is missing: where do relay and clients run?")
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	if inv.Members, err = members(hosts); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return inv, nil
}

func (d *decoder) inventoryHosts(n *yaml.Node, to *[]inventoryHost) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "hosts: want a list, have %s", kindName(n))
		return
	}
	for _, item := range n.Content {
		var h inventoryHost
		before := len(d.errs)
		d.mapping(item, "hosts", fields{
			"ssh":  one(d, "ssh", &h.ssh, parseHost),
			"role": list(d, "role", &h.roles, fleet.ParseRole),
			"name": one(d, "name", &h.name, func(s string) (string, error) { return s, fleet.CheckAgentName(s) }),
			"cpus": one(d, "cpus", &h.cpus, cpuList),
			"data": one(d, "data", &h.data, ParseAddr),
		})
		switch {
		case len(d.errs) > before:
			continue
		case h.ssh == "":
			d.fail(item, "hosts: ssh is missing: a destination such as user@host, or %s for this host", fleet.Local)
		case len(h.roles) == 0:
			d.fail(item, "hosts: role is missing: relay, client, or [relay, client]")
		case len(h.roles) > 1 && h.cpus != "":
			d.fail(item, "hosts: cpus are of one role: give the host twice, once for each role, or leave them out")
		case len(h.roles) > 1 && h.name != "":
			d.fail(item, "hosts: a name is of one role: give the host twice, once for each role, or leave it out")
		}
		*to = append(*to, h)
	}
}

func (d *decoder) inventoryExternal(n *yaml.Node, to *[]string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "external: want names and commands, have %s", kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if first, again := seen[k.Value]; again {
			d.fail(k, "external: %q is given twice (first on line %d)", k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		var name, text string
		one(d, "external", &name, parseName)(k)
		one(d, "external."+k.Value, &text, command)(v)
		*to = append(*to, name+"="+text)
	}
}

// parseHost reads an ssh destination, or local.
func parseHost(s string) (string, error) {
	if s == fleet.Local {
		return s, nil
	}
	return s, fleet.CheckDestination(s)
}

// ParseAddr reads an IP address.
func ParseAddr(s string) (string, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() {
		return "", fmt.Errorf("%q: want the IP address of a host's own, such as 10.50.0.1", s)
	}
	return a.String(), nil
}

// HostMembers are the members of a sweep whose hosts are given as ssh
// destinations. Without a relay's or a client's, that one is this host.
func HostMembers(relay string, clients []string) ([]fleet.Member, error) {
	if relay == "" {
		relay = fleet.Local
	}
	if len(clients) == 0 {
		clients = []string{fleet.Local}
	}
	hosts := []inventoryHost{{ssh: relay, roles: []fleet.Role{fleet.RoleRelay}}}
	for _, c := range clients {
		hosts = append(hosts, inventoryHost{ssh: c, roles: []fleet.Role{fleet.RoleClient}})
	}
	for _, h := range hosts {
		if _, err := parseHost(h.ssh); err != nil {
			return nil, err
		}
	}
	return members(hosts)
}

// members gives each role of each host an agent with a name: its own, or the
// role's, with a number where there are several.
func members(hosts []inventoryHost) ([]fleet.Member, error) {
	of := map[fleet.Role]int{}
	for _, h := range hosts {
		for _, r := range h.roles {
			of[r]++
		}
	}
	if of[fleet.RoleRelay] != 1 {
		return nil, fmt.Errorf("%d hosts with the role relay: want one", of[fleet.RoleRelay])
	}
	if of[fleet.RoleClient] == 0 {
		return nil, errors.New("no host has the role client")
	}
	var ms []fleet.Member
	names, number := map[string]bool{}, 0
	for _, role := range []fleet.Role{fleet.RoleRelay, fleet.RoleClient} {
		for _, h := range hosts {
			for _, r := range h.roles {
				if r != role {
					continue
				}
				name := h.name
				if r == fleet.RoleClient {
					number++
				}
				if name == "" {
					name = string(r)
					if of[r] > 1 {
						name += "-" + strconv.Itoa(number)
					}
				}
				if names[name] {
					return nil, fmt.Errorf("two agents would be named %s: give the hosts names", name)
				}
				names[name] = true
				ms = append(ms, fleet.Member{Agent: name, Role: r, CPUs: h.cpus, Data: h.data, SSH: h.ssh})
			}
		}
	}
	return ms, nil
}
