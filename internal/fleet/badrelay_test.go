package fleet

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/lab/badrelay"
)

// badRelay is a relay with a fault.
func badRelay(t *testing.T, fault badrelay.Fault, more ...string) RelaySpec {
	t.Helper()
	t.Setenv("FLEET_TEST_PLAYS", "badrelay")
	t.Setenv(testRun, t.Name()+rand.Text())
	return RelaySpec{
		Kind: KindExternal, Host: "127.0.0.1", Workers: 1, Wait: patience,
		Command: strings.Join(append([]string{os.Args[0], string(fault), "{addr}"}, more...), " "),
	}
}

// testRun is a variable that says which test a process belongs to.
const testRun = "FLEET_TEST_RUN"

// marked are the living processes that have a relay's mark, of this test.
func marked(t *testing.T) (pids []int) {
	t.Helper()
	procs, err := procfs.AllProcs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		env, err := p.Environ()
		st, serr := p.Stat()
		if err == nil && serr == nil && st.State != "Z" && slices.Contains(env, testRun+"="+os.Getenv(testRun)) && strings.Contains(strings.Join(env, "\n"), markName+"=") {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// checkEnd checks a relay's end: what it is told of, and that nothing is left.
func checkEnd(t *testing.T, r *Relay, look bool, want ...string) {
	t.Helper()
	e, err := r.End(t.Context(), look)
	if err != nil {
		t.Fatal(err)
	}
	notes := ""
	for _, n := range e.Notes {
		notes += n.What + ": " + n.Detail + "\n"
	}
	for _, w := range want {
		if !strings.Contains(notes, w) {
			t.Errorf("the notes do not say %q: %q", w, e.Notes)
		}
	}
	if len(want) == 0 && notes != "" {
		t.Errorf("notes on a good end: %q", e.Notes)
	}
	if left := marked(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if c, err := net.Dial("tcp", r.Info.Addr); err == nil {
		c.Close()
		t.Error("its port is still listened on")
	}
}

func TestEndsOfRelays(t *testing.T) {
	for fault, want := range map[badrelay.Fault][]string{
		badrelay.None:      nil,
		badrelay.Stubborn:  {"ignored SIGTERM: it did not end within 5s of SIGTERM, and was killed"},
		badrelay.Sessions:  {"it left processes in a session or group of their own, which were killed: ", " 2 more"},
		badrelay.KeepsPort: {"it left processes", "kept its port: when it had ended ", " still listened at 127.0.0.1:", ", until it was killed"},
	} {
		t.Run(string(fault), func(t *testing.T) {
			_, h := startTestFleet(t)
			r, err := h.StartRelay(t.Context(), badRelay(t, fault))
			if err != nil {
				t.Fatal(err)
			}
			checkEnd(t, r, false, want...)
		})
	}
}

// What a relay has started ends with its agent, too.
func TestSessionsEndWithTheirAgent(t *testing.T) {
	f, cfg := testAgent(t)
	done := make(chan error, 1)
	go func() { done <- RunAgent(context.Background(), cfg) }()
	h := &Host{fleet: f, member: Member{Agent: "a1"}, life: newLife(func() {})}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.greet(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.StartRelay(ctx, badRelay(t, badrelay.Sessions)); err != nil {
		t.Fatal(err)
	}
	if n := len(marked(t)); n != 6 {
		t.Errorf("%d processes, want the relay and 5", n)
	}
	f.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if left := marked(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestRelaysThatDoNotStart(t *testing.T) {
	_, h := startTestFleet(t)
	mute := badRelay(t, badrelay.Mute)
	mute.Wait = time.Second
	gone := badRelay(t, badrelay.None)
	gone.Command = "/no/such/relay {addr}"
	for _, c := range []struct {
		spec RelaySpec
		want []string
	}{
		{badRelay(t, badrelay.Says), []string{"it ended after ", ", before it accepted connections at 127.0.0.1:", "exit status 1", "on stdout: the licence has expired"}},
		{mute, []string{"it runs, and has not accepted connections at 127.0.0.1:", " within 1", "on stdout: waiting for the database"}},
		{gone, []string{"/no/such/relay", "no such file"}},
	} {
		_, err := h.StartRelay(t.Context(), c.spec)
		if err == nil {
			t.Errorf("%s starts", c.spec.Command)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the reason does not say %q: %v", c.spec.Command, w, err)
			}
		}
	}
	if left := marked(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// With SO_REUSEPORT a stranger takes a part of the peers, and nobody notices.
func TestAPortThatIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "friend")
	friend, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	go func() { // listens at what the relay has been told, before it does
		c, err := friend.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		addr, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return
		}
		ln, err := badrelay.ListenShared(t.Context(), strings.TrimSpace(addr))
		if err != nil {
			return
		}
		t.Cleanup(func() { ln.Close() })
		fmt.Fprintln(c)
	}()
	_, h := startTestFleet(t)
	_, err = h.StartRelay(t.Context(), badRelay(t, badrelay.Shares, path))
	if err == nil {
		t.Fatal("a relay that shares its port starts")
	}
	for _, w := range []string{errNotOurs.Error(), fmt.Sprintf("(process %d)", os.Getpid()), "SO_REUSEPORT"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the reason does not say %q: %v", w, err)
		}
	}
	if left := marked(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// A relay that fills its standard output is not held up by it.
func TestARelayThatTalksALot(t *testing.T) {
	t.Setenv("FLEET_TEST_PLAYS", "listener")
	t.Setenv(testRun, rand.Text())
	_, h := startTestFleet(t)
	r, err := h.StartRelay(t.Context(), RelaySpec{
		Kind: KindExternal, Host: "127.0.0.1", Wait: patience,
		Command: fmt.Sprintf(`sh -c 'head -c 1000000 /dev/zero; exec "$0" "$1"' %s {addr}`, os.Args[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r, false)
}

// A relay that spins is known on a busy machine, too: waiting for a CPU counts.
func TestABusyIdleRelay(t *testing.T) {
	t.Setenv(testRun, rand.Text())
	_, h := startTestFleet(t)
	r, err := h.StartRelay(t.Context(), RelaySpec{
		Kind: KindExternal, Host: "127.0.0.1", Wait: patience,
		Command: fmt.Sprintf(`sh -c 'FLEET_TEST_PLAYS=listener "$0" "$1" & while :; do :; done' %s {addr}`, os.Args[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r, true, "busy without delivering: it keeps ", "CPUs busy although nobody uses it")
	r, err = h.StartRelay(t.Context(), badRelay(t, badrelay.None))
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, r, true)
}

// A process is only ended if it descends from the relay.
func TestKinAreNobodyElse(t *testing.T) {
	s := newSpawner()
	stranger, err := startChild(s, cpu.Of(), unix.SIGKILL, nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.stop(0)
	mark := newMark()
	c, err := startChild(s, cpu.Of(), unix.SIGKILL, []string{mark}, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop(0)
	k, err := newKin(s, c.pid(), mark)
	if err != nil {
		t.Fatal(err)
	}
	s.alone = true
	late, err := startChild(s, cpu.Of(), unix.SIGKILL, nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	defer late.stop(0)
	pids, err := k.pids()
	if err != nil || len(pids) != 1 || pids[0] != c.pid() {
		t.Errorf("kin of process %d: %v, %v", c.pid(), pids, err)
	}
}
