package fleet

import (
	"fmt"
	"regexp"
)

// Role is what a host does in a sweep.
type Role string

// The roles. A host with two has two agents, one for each.
const (
	RoleRelay  Role = "relay"
	RoleClient Role = "client"
)

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); r == RoleRelay || r == RoleClient {
		return r, nil
	}
	return "", fmt.Errorf("role %q: want %s or %s", s, RoleRelay, RoleClient)
}

// Local is how the controller's own host is named where an ssh destination is
// expected.
const Local = "local"

// Member is a host of the fleet, as asked for.
type Member struct {
	Agent string // name of its agent, one subject token, nobody else's
	Role  Role
	CPUs  string // CPU list for the role; empty: fitted to the host
	Data  string // address of its data link; empty: loopback
	// SSH is where its agent is started: a destination as ssh knows it (a host of
	// ssh_config, user@host, ssh://user@host:port); empty or Local: on this host.
	SSH string
}

// Remote reports whether the member is on another host than the controller.
func (m Member) Remote() bool { return m.SSH != "" && m.SSH != Local }

var subjectToken = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// CheckAgentName finds what is wrong with an agent's name, which becomes a part of
// subjects and of a command.
func CheckAgentName(s string) error {
	if !subjectToken.MatchString(s) {
		return fmt.Errorf("name of an agent %q: want letters, digits, - and _, 63 at most, a letter or digit first", s)
	}
	return nil
}

// checkMembers finds members that cannot be told apart or reached.
func checkMembers(ms []Member) error {
	seen := map[string]bool{}
	for _, m := range ms {
		if err := CheckAgentName(m.Agent); err != nil {
			return err
		}
		if seen[m.Agent] {
			return fmt.Errorf("two agents are named %s", m.Agent)
		}
		seen[m.Agent] = true
		if _, err := ParseRole(string(m.Role)); err != nil {
			return fmt.Errorf("agent %s: %w", m.Agent, err)
		}
		if m.Remote() {
			if err := CheckDestination(m.SSH); err != nil {
				return fmt.Errorf("agent %s: %w", m.Agent, err)
			}
		}
	}
	return nil
}

// Hosts are the hosts with a role, in the order they were asked for.
func (f *Fleet) Hosts(r Role) []*Host {
	var hosts []*Host
	for _, h := range f.hosts {
		if h.member.Role == r {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// Member is the host as it was asked for.
func (h *Host) Member() Member { return h.member }
