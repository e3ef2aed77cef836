//go:build labhost

package twohosts

import (
	"strings"
	"testing"
	"time"

	"hdbench/internal/lab/hosts"
)

// Three clients whose kernels' clocks are minutes apart: one window for all, as near
// as the record says, the line of each, and what follows for latency.
func TestManyClientsOverSSH(t *testing.T) {
	clocks := map[string]time.Duration{"c1": 300 * time.Second, "c2": 3 * time.Second, "c3": 0}
	specs := []hosts.Spec{{Name: "laptop"}, {Name: "relay", Clock: 5000 * time.Second}}
	args := []string{"s.yaml", "--out", "out", "--relay-host", "root@relay"}
	for _, name := range []string{"c1", "c2", "c3"} {
		specs = append(specs, hosts.Spec{Name: name, Clock: clocks[name]})
		args = append(args, "--client-host", "root@"+name)
	}
	l := room(t, specs...)
	laptop, relay := l.Host("laptop"), l.Host("relay")
	install(t, laptop)
	before := states(t, l)
	out := sweep(t, laptop, hosts.User, append(args, "--data-addr", relay.Data.String())...)
	for _, want := range []string{"The client hosts, each one's share", "The line: raw TCP", "Latency n/a: sender and receiver are on hosts with clocks of their own"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	set := open(t, laptop, "/tmp/out")
	checkTrials(t, set, 2+3)
	line := set.Environment.Line
	if line == nil || line.NA != "" || len(line.Runs) != 3*4+2*3 {
		t.Fatalf("line: %+v", line)
	}
	for _, r := range line.Runs {
		if r.Bps <= 0 || r.MTU != 1500 || r.PathMTU != 1500 || r.MSS > 1460 || r.MSS < 1400 {
			t.Errorf("line: %+v", r)
		}
	}
	for _, tr := range set.Trials {
		if tr.Kind != "trial" || !tr.OK() {
			continue
		}
		first, last := int64(1)<<62, int64(-1)<<62
		for _, h := range tr.Load.Hosts {
			begin := h.WindowBeginMonoNS - int64(clocks[h.Host])
			first, last = min(first, begin), max(last, begin)
			if h.LineToRelayBps <= 0 || h.LineFromRelayBps <= 0 || h.LimitBps <= 0 || h.SentPackets == 0 {
				t.Errorf("%+v", h)
			}
		}
		if apart := last - first; len(tr.Load.Hosts) != 3 || apart > tr.ClockBoundNS {
			t.Errorf("the windows of %d hosts began %v apart, the bound is %v", len(tr.Load.Hosts), time.Duration(apart), time.Duration(tr.ClockBoundNS))
		}
		if len(tr.Clocks) != 4 || tr.LineToRelayBps <= 0 || tr.Load.Latency.Count != 0 {
			t.Errorf("clocks %+v, line %v, latency %+v", tr.Clocks, tr.LineToRelayBps, tr.Load.Latency)
		}
	}
	nothingLeft(t, l, before)
}
