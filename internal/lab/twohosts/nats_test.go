//go:build labhost

package twohosts

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/hosts"
	"hdbench/internal/lab/natslab"
)

// eight are the client agents, two on each of four hosts.
func eight() (names []string) {
	for i := range 8 {
		names = append(names, fmt.Sprintf("client-%d", i+1))
	}
	return names
}

// natsScenario has a pair for each client and more.
const natsScenario = `
name: fleet
warmup: 100ms
measure: 400ms
runs: 1
load: {pairs: 16, rate: [100Mbps]}
relays:
  - {relay: hd, workers: 1, transport: tcp}
  - {relay: derper, transport: tcp}
`

// A fleet of the user's own: a nats-server with TLS and nkeys, agents started as a
// service manager would, and sweeps that find them.
func TestSweepWithEightClientsAtANATSServer(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"},
		hosts.Spec{Name: "c1", Clock: 77 * 1e9}, hosts.Spec{Name: "c2"}, hosts.Spec{Name: "c3"}, hosts.Spec{Name: "c4", Clock: 9 * 1e9})
	laptop, relay := l.Host("laptop"), l.Host("relay")
	url := startNATS(t, l, append([]string{"relay-1"}, eight()...))
	install(t, laptop)
	write(t, laptop, "/tmp/s.yaml", natsScenario)

	if err := relay.Put(derper, "/tmp/derper-1.102.5"); err != nil {
		t.Fatal(err)
	}
	agents := []*hosts.Process{startAgent(t, relay, url, "relay-1", "--role", "relay", "--data-addr", relay.Data.String(), "--binary", "/tmp/derper-1.102.5")}
	for i, name := range eight() {
		h := l.Host(fmt.Sprintf("c%d", 1+i/2))
		agents = append(agents, startAgent(t, h, url, name, "--role", "client", "--label", "rack=b4"))
	}
	before := states(t, l)
	control, data := traffic(t, l, hosts.Control), traffic(t, l, hosts.Data)
	nats := []string{"--nats", url, "--nats-ca", "/tmp/nats/server.pem", "--nkey", "/tmp/nats/controller.nk"}
	sweep(t, laptop, "root", append([]string{"s.yaml", "--out", "out"}, nats...)...)

	set := open(t, laptop, "/tmp/out")
	delivered := checkTrials(t, set, 1+2)
	if e := set.Environment.Hosts; len(e) != 9 || e[0].NATS != url || e[0].Data != relay.Data.String() {
		t.Errorf("hosts of the record: %+v", e)
	}
	for _, tr := range set.Trials {
		if tr.OK() && len(tr.Load.Hosts) != 8 {
			t.Errorf("%s: the load came from %d agents, want 8", tr.ID, len(tr.Load.Hosts))
		}
	}
	var got, orders uint64
	for _, name := range []string{"c1", "c2", "c3", "c4"} {
		got += traffic(t, l, hosts.Data)[name].ReceivedBytes - data[name].ReceivedBytes
		orders += traffic(t, l, hosts.Control)[name].ReceivedBytes - control[name].ReceivedBytes
	}
	if got < delivered || orders > 8<<20 {
		t.Errorf("clients received %d bytes over the data network, of %d of payload, and %d over the control network", got, delivered, orders)
	}
	nothingLeft(t, l, before)

	// The agents are there for the next, of which there is one at a time.
	first := startSweep(t, laptop, append([]string{"s.yaml", "--out", "out2"}, nats...)...)
	waitFor(t, "the next sweep to hold its agents", func() bool { return strings.Count(agents[8].Output(), ": serving ") == 2 })
	out, err := trySweep(t, laptop, "root", append([]string{"s.yaml", "--out", "out3"}, nats...)...)
	if err == nil || !strings.Contains(err.Error(), "serves another controller") || !strings.Contains(err.Error(), "root@laptop") {
		t.Errorf("a second sweep at the same time: %v\n%s", err, out)
	}
	if err := first.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.ExitCode(); code != 130 {
		t.Errorf("the interrupted sweep: exit code %d: %s", code, first.Output())
	}
	waitFor(t, "the agents to be given back", func() bool { return strings.Count(agents[8].Output(), "no longer serving") == 2 })
	for i, a := range agents {
		select {
		case <-a.Ended():
			t.Errorf("agent %d has ended: %s", i, a.Output())
		default:
		}
	}
	if out, err := trySweep(t, laptop, "root", append([]string{"s.yaml", "--out", "out4", "--label", "rack=c9"}, nats...)...); err == nil || !strings.Contains(err.Error(), "none with these labels") {
		t.Errorf("a label that nobody has: %v\n%s", err, out)
	}
}

// startNATS starts a nats-server on the lab's laptop and puts the keys where they
// belong. It returns its URL.
func startNATS(t *testing.T, l *hosts.Lab, agents []string) (url string) {
	t.Helper()
	laptop := l.Host("laptop")
	dir := t.TempDir()
	binary, err := natslab.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	addr := laptop.Control.String()
	files, err := natslab.Make(dir, "../../../deploy/nats/nats-server.conf", addr, agents...)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		if err := os.Mkdir(h.Path("/tmp/nats"), 0o700); err != nil {
			t.Fatal(err)
		}
		copyTo(t, h, files.CA(), "/tmp/nats/server.pem")
	}
	if err := laptop.Put(binary, "/tmp/nats-server"); err != nil {
		t.Fatal(err)
	}
	copyTo(t, laptop, files.Seed(natslab.Controller), "/tmp/nats/controller.nk")
	copyTo(t, laptop, dir+"/server-key.pem", "/tmp/nats/server-key.pem")
	config := strings.ReplaceAll(files.Config(addr+":4222", ""), dir, "/tmp/nats")
	write(t, laptop, "/tmp/nats/n.conf", config)
	for _, h := range l.Hosts() {
		for _, a := range agents {
			copyTo(t, h, files.Seed(a), "/tmp/nats/"+a+".nk")
		}
	}
	p, err := laptop.Start(hosts.Command{Args: []string{"/tmp/nats-server", "-c", "/tmp/nats/n.conf"}})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the nats-server to be ready", func() bool {
		select {
		case <-p.Ended():
			t.Fatalf("nats-server: %s", p.Output())
		default:
		}
		return strings.Contains(p.Output(), "Server is ready")
	})
	return "tls://" + addr + ":4222"
}

// startAgent starts an agent as its host's service manager would.
func startAgent(t *testing.T, h *hosts.Host, url, name string, args ...string) *hosts.Process {
	t.Helper()
	if err := h.Put(hdbench, "/tmp/hdbench"); err != nil && !strings.Contains(err.Error(), "text file busy") {
		t.Fatal(err)
	}
	p, err := h.Start(hosts.Command{Args: append([]string{
		"/tmp/hdbench", "agent", "--nats", url, "--nats-ca", "/tmp/nats/server.pem", "--nkey", "/tmp/nats/" + name + ".nk", "--name", name,
	}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "agent "+name, func() bool {
		select {
		case <-p.Ended():
			t.Fatalf("agent %s: %s", name, p.Output())
		default:
		}
		return strings.Contains(p.Output(), "is ready")
	})
	return p
}

func copyTo(t *testing.T, h *hosts.Host, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Path(to), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}
