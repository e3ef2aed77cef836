package fleet

// Role is what a host does in a sweep.
type Role string

// The roles. A host with two has two agents, one for each.
const (
	RoleRelay  Role = "relay"
	RoleClient Role = "client"
)

// Member is a host of the fleet, as asked for.
type Member struct {
	Agent string // name of its agent, one subject token, nobody else's
	Role  Role
	CPUs  string // CPU list for the role; empty: fitted to the host
	Data  string // address of its data link; empty: loopback
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
