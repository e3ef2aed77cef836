package results

import (
	"testing"

	"hdbench/internal/measure"
)

func TestL3IsThatOfTheRelaysCPUs(t *testing.T) {
	const mib = 1 << 20
	host := func(role, cpus string, caches ...measure.Cache) HostEntry {
		f := &measure.Fingerprint{}
		f.CPU.Caches = caches
		return HostEntry{Roles: []string{role}, CPUs: cpus, Host: measure.Host{Fingerprint: f}}
	}
	l2 := measure.Cache{Name: "L2", Bytes: mib, SharedBy: []string{"0", "1"}}
	l3 := measure.Cache{Name: "L3", Bytes: 15 * mib, SharedBy: []string{"0-5", "6-11"}}
	for _, tt := range []struct {
		name  string
		hosts []HostEntry
		want  uint64
	}{
		{"one instance", []HostEntry{host("relay", "0-3", l2, l3), host("client", "0-11", l3)}, 15 * mib},
		{"two sockets", []HostEntry{host("relay", "4-7", l3)}, 30 * mib},
		{"no L3", []HostEntry{host("relay", "0", l2)}, 0},
		{"a record older than fingerprints", []HostEntry{{Roles: []string{"relay"}, CPUs: "0"}}, 0},
	} {
		if got := l3Of(&Environment{Hosts: tt.hosts}); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.name, got, tt.want)
		}
	}
}
