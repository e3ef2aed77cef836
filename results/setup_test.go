package results

import (
	"strings"
	"testing"
)

// What a report says to type leads to the same hosts, and names no user.
func TestHostsAreReproduced(t *testing.T) {
	ssh := &Environment{Hosts: []HostEntry{
		{Agent: "relay", Roles: []string{"relay"}, Data: "10.50.0.1", SSH: "relay"}, {Agent: "client-1", Roles: []string{"client"}, SSH: "ssh://c1:2222"}, {Agent: "client-2", Roles: []string{"client"}},
	}}
	nats := &Environment{Hosts: []HostEntry{
		{Agent: "relay-1", Roles: []string{"relay"}, Data: "10.50.0.1", NATS: "tls://n:4222"}, {Agent: "c9", Roles: []string{"client"}, NATS: "tls://n:4222"},
	}}
	here := &Environment{Hosts: []HostEntry{{Agent: "relay", Roles: []string{"relay"}, Data: "127.0.0.1"}, {Agent: "client", Roles: []string{"client"}}}}
	for _, c := range []struct {
		env  *Environment
		want string
	}{
		{ssh, "--relay-host relay --data-addr 10.50.0.1 --client-host ssh://c1:2222 --client-host local"},
		{nats, "--nats tls://n:4222 --relay-host relay-1 --data-addr 10.50.0.1 --client-host c9"},
		{here, ""},
	} {
		if got := strings.Join(hostFlags(c.env), " "); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
