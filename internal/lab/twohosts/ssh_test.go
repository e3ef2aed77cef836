//go:build labhost

package twohosts

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hdbench/internal/lab/hosts"
	"hdbench/results"
)

// The promise of the README: a sweep from a third host, over ssh, with what a local
// one prints, its traffic on the data network alone and nothing left behind.
func TestSweepOverSSH(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay", Clock: 5000 * 1e9}, hosts.Spec{Name: "c1", Clock: 300 * 1e9}, hosts.Spec{Name: "c2"})
	laptop, relay := l.Host("laptop"), l.Host("relay")
	install(t, laptop)
	before := states(t, l)
	data, control := traffic(t, l, hosts.Data), traffic(t, l, hosts.Control)
	// make two-hosts runs a whole scenario instead.
	scenario, whole := os.LookupEnv("TWO_HOSTS_SCENARIO")
	if whole = whole && scenario != ""; !whole {
		scenario = "s.yaml"
	}
	out := sweep(t, laptop, hosts.User, scenario, "--out", "out", "--relay-host", "root@relay",
		"--client-host", "c1", "--client-host", "bench@c2", "--data-addr", relay.Data.String())
	for _, section := range []string{"SETUP", "RATE SWEEP", "CEILINGS", "COMPARISON TO TS", "orders over ssh to c2"} {
		if !strings.Contains(out, section) {
			t.Errorf("the report lacks %s", section)
		}
	}

	set := open(t, laptop, "/tmp/out")
	want := 2 + 3
	if whole {
		want = len(set.Trials)
	}
	delivered := checkTrials(t, set, want)
	if e := set.Environment.Hosts; len(e) != 3 || e[0].SSH != "relay" || e[0].Data != relay.Data.String() || e[2].SSH != "c2" {
		t.Errorf("hosts of the record: %+v", e)
	}
	if e := set.Environment.Hosts[0].Limits; e != "" {
		t.Errorf("root is limited: %s", e)
	}
	if e := set.Environment.Hosts[2].Limits; !strings.Contains(e, "not root") {
		t.Errorf("who is not root can do all: %q", e)
	}
	// What the clients got, they got over the data network; the control network
	// carried the binaries, orders and results.
	var got, orders uint64
	for _, name := range []string{"c1", "c2"} {
		h := l.Host(name)
		now := traffic(t, l, hosts.Data)[name]
		got += now.ReceivedBytes - data[name].ReceivedBytes
		orders += traffic(t, l, hosts.Control)[name].ReceivedBytes - control[name].ReceivedBytes
		if log, err := os.ReadFile(h.Path("/var/tmp/sshd.log")); err != nil || !strings.Contains(string(log), "Accepted publickey") {
			t.Errorf("%s: nobody logged in: %v", name, err)
		}
	}
	if got < delivered {
		t.Errorf("clients received %d bytes over the data network, and %d of payload", got, delivered)
	}
	binary := size(t, hdbench)
	if orders < 2*binary || orders > 2*binary+(4<<20) {
		t.Errorf("clients received %d bytes over the control network; two binaries are %d", orders, 2*binary)
	}
	nothingLeft(t, l, before)

	// The second time nothing is copied.
	control = traffic(t, l, hosts.Control)
	if out, err := trySweep(t, laptop, hosts.User, "s.yaml", "--out", "again", "--relay-host", "root@relay", "--client-host", "c1", "--client-host", "bench@c2"); err == nil || !strings.Contains(err.Error(), "--data-addr") {
		t.Errorf("without a data address: %v\n%s", err, out)
	}
	if n := traffic(t, l, hosts.Control)["c1"].ReceivedBytes - control["c1"].ReceivedBytes; n > 1<<20 {
		t.Errorf("c1 received %d bytes over the control network the second time", n)
	}
	nothingLeft(t, l, before)
}

// A host may drive a sweep in which it has a part itself.
func TestSweepFromTheClientItself(t *testing.T) {
	l := room(t, hosts.Spec{Name: "relay"}, hosts.Spec{Name: "c1"})
	c1, relay := l.Host("c1"), l.Host("relay")
	install(t, c1)
	write(t, c1, "/tmp/hosts.yaml", `
hosts:
  - {ssh: bench@relay, role: relay, data: `+relay.Data.String()+`}
  - {ssh: local, role: client}
`)
	before := states(t, l)
	out := sweep(t, c1, "root", "s.yaml", "--out", "out", "--inventory", "hosts.yaml")
	local := sweep(t, c1, "root", "s.yaml", "--out", "out-local")
	there := heads(out)
	for head := range heads(local) {
		if !there[head] {
			t.Errorf("a local report has %q, the one over ssh has not", head)
		}
	}
	if len(there) < 8 {
		t.Errorf("only %d sections and kinds of tables: %v", len(there), there)
	}
	set := open(t, c1, "/tmp/out")
	checkTrials(t, set, 2+3)
	if e := set.Environment.Hosts; e[0].SSH != "relay" || e[1].SSH != "" || e[0].Host.Name != "relay" || e[1].Host.Name != "c1" {
		t.Errorf("hosts of the record: %+v", e)
	}
	nothingLeft(t, l, before)
}

// heads are a report's sections, and the last lines of the heads of the tables of
// its rate sweep, however wide. Which other tables there are is for the numbers to
// say: what had no valid trial is compared with nothing.
func heads(report string) map[string]bool {
	found, section, last := map[string]bool{}, "", ""
	for line := range strings.Lines(report) {
		line = strings.TrimSpace(line)
		if title.MatchString(line) {
			section = line
			found[section] = true
		}
		if strings.HasPrefix(line, "────") && section == "RATE SWEEP" {
			found[strings.Join(strings.Fields(last), " ")] = true
		}
		last = line
	}
	return found
}

var title = regexp.MustCompile(`^[A-Z][A-Z ]{4,}$`)

// states are the hosts' before a sweep.
func states(t *testing.T, l *hosts.Lab) map[string]hosts.State {
	t.Helper()
	all := map[string]hosts.State{}
	for _, h := range l.Hosts() {
		s, err := h.Look()
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = s
	}
	return all
}

// nothingLeft finds what a sweep has left on hosts but its results and, in the
// user's cache, the binaries.
func nothingLeft(t *testing.T, l *hosts.Lab, before map[string]hosts.State) {
	t.Helper()
	for _, h := range l.Hosts() {
		var left hosts.State
		// sshd takes a moment to see that a connection is over.
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			now, err := h.Look()
			if err != nil {
				t.Fatal(err)
			}
			left = now.Since(before[h.Name])
			left.Files = slices.DeleteFunc(left.Files, func(f string) bool {
				return strings.HasPrefix(f, "/tmp/out") || strings.HasPrefix(f, "/tmp/again") || strings.HasSuffix(f, "/.cache") || strings.Contains(f, "/.cache/hdbench")
			})
			if left.Empty() {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("left on %s:\n%s", h.Name, left)
				break
			}
		}
		for _, home := range []string{"/root", "/home/bench"} {
			cached, err := filepath.Glob(h.Path(home) + "/.cache/hdbench/bin/*/*")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range cached {
				if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("%s: %s: mode %v, %v", h.Name, f, info.Mode(), err)
				}
			}
		}
	}
}

func traffic(t *testing.T, l *hosts.Lab, n hosts.Network) map[string]hosts.Traffic {
	t.Helper()
	all := map[string]hosts.Traffic{}
	for _, h := range l.Hosts() {
		tr, err := h.Traffic(n)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = tr
	}
	return all
}

// checkTrials finds records that are not what they must be, and returns the bytes
// of payload that were delivered through relays.
func checkTrials(t *testing.T, set *results.Set, want int) (bytes uint64) {
	t.Helper()
	if len(set.Trials) != want {
		t.Errorf("%d records, want %d", len(set.Trials), want)
	}
	for _, tr := range set.Trials {
		if tr.NA != "" && tr.Point.Transport == "ktls" {
			continue // of a whole scenario, on a kernel without it
		}
		if !tr.OK() {
			t.Errorf("%s: %s%s", tr.ID, tr.Error, tr.NA)
			continue
		}
		for _, f := range tr.Validity {
			switch f.Code {
			case "accounting", "corrupt", "clock-skew":
				t.Errorf("%s: %s", tr.ID, f.Code)
			}
		}
		if loss, ok := tr.Load.Loss(); tr.Point.Relay == results.RelayHD && tr.Point.OnFull == "" && (!ok || loss != 0) {
			t.Errorf("%s: loss %v, %v", tr.ID, loss, ok)
		}
		if tr.Kind == results.KindTrial {
			bytes += tr.Load.DeliveredPackets * uint64(tr.Point.Load.PayloadBytes)
		}
	}
	return bytes
}

func size(t *testing.T, file string) uint64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Size())
}
