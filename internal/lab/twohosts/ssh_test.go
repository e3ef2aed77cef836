//go:build labhost

package twohosts

import (
	"testing"

	"hdbench/internal/lab/hosts"
)

func TestTry(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"}, hosts.Spec{Name: "c1"})
	laptop := l.Host("laptop")
	install(t, laptop)
	out := sweep(t, laptop, "root", "s.yaml", "--out", "out", "--relay-host", "relay", "--client-host", "c1", "--data-addr", l.Host("relay").Data.String())
	t.Log(out)
	for _, h := range l.Hosts() {
		s, err := h.Look()
		t.Log(h.Name, s, err)
	}
}
