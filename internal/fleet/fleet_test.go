package fleet

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

const patience = 5 * time.Minute

func TestAgentAnswers(t *testing.T) {
	f, h := startTestFleet(t)
	if h.Info().Kernel == "" || h.Version() != "test" {
		t.Errorf("host %+v, version %q", h.Info(), h.Version())
	}
	o, err := h.SyncClock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// One host has one CLOCK_MONOTONIC: the offset is nothing but its error.
	if o.Ahead > o.Bound || o.Ahead < -o.Bound || o.Bound <= 0 {
		t.Errorf("offset %v, bound %v", o.Ahead, o.Bound)
	}
	if now := f.Now(); h.local(now)-now != int64(o.Ahead) {
		t.Error("times are not converted by the offset")
	}
}

func TestAgentRefusesNonsense(t *testing.T) {
	_, h := startTestFleet(t)
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"unknown kind": func() error { _, err := h.StartRelay(ctx, RelaySpec{Kind: "x", Host: "127.0.0.1"}); return err },
		"no such CPU": func() error {
			_, err := h.StartRelay(ctx, RelaySpec{Kind: KindHD, Host: "127.0.0.1", CPUs: "9999"})
			return err
		},
		"no such relay":  func() error { return (&Relay{host: h, Info: RelayInfo{ID: "relay-9"}}).Stop(ctx) },
		"no such window": func() error { _, err := (&Relay{host: h}).Window(ctx, 0, 0); return err },
		"no such load":   func() error { _, err := (&Load{id: "load-9", clients: []Client{{Host: h}}}).Run(ctx, 0); return err },
		"no derper":      func() error { _, err := h.RelayVersion(ctx, KindDerper, Binary{}); return err },
		"a version of what": func() error {
			_, err := h.RelayVersion(ctx, KindExternal, Binary{})
			return err
		},
		"a command without address": func() error {
			_, err := h.StartRelay(ctx, RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: "true"})
			return err
		},
		"no JSON": func() error {
			msg, err := h.fleet.nc.RequestMsgWithContext(ctx, &nats.Msg{
				Subject: subject("a1", verbClock), Data: []byte("{"), Header: nats.Header{headerController: {h.fleet.id}},
			})
			if err == nil && msg.Header.Get("Nats-Service-Error-Code") == codeBadRequest {
				return &RemoteError{Code: codeBadRequest}
			}
			return err
		},
	} {
		err := call()
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Code != codeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.call(ctx, "no-such-verb", nil, nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("an unknown verb: %v", err)
	}
}

func TestExternalRelay(t *testing.T) {
	t.Setenv("FLEET_TEST_PLAYS", "listener")
	_, h := startTestFleet(t)
	ctx := context.Background()
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	one := cpu.Of(set.List()[0])
	r, err := h.StartRelay(ctx, RelaySpec{
		Kind: KindExternal, Host: "127.0.0.1", CPUs: one.String(), Workers: 3,
		Command: os.Args[0] + " -workers {workers} -cert {cert} '-a b' {addr}",
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", r.Info.Addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if c := strings.Join(r.Info.Command, "|"); !strings.Contains(c, "|-workers|3|") || !strings.Contains(c, "|-a b|") || strings.Contains(c, "{") {
		t.Errorf("command %s", c)
	}
	if r.Info.CPUs != one.String() {
		t.Errorf("CPUs %s", r.Info.CPUs)
	}
	pid := onlyChild(t)
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil || !strings.Contains(string(status), "Cpus_allowed_list:\t"+one.String()+"\n") {
		t.Errorf("the relay does not run on CPU %s alone: %v", one, err)
	}
	if c, _, err := r.Counters(ctx); err != nil || c != nil {
		t.Errorf("counters of a stranger: %v, %v", c, err)
	}
	now := h.fleet.Now()
	w, err := r.Window(ctx, now+1e9, now+1e9+30e6)
	// (A busy agent reads late, and the window is what was between its two readings.)
	if err != nil || w.Seconds <= 0 || w.CPUSeconds < 0 || w.CPUSeconds > 10 {
		t.Errorf("window %+v, %v", w, err)
	}
	if w.Perf == nil || w.Perf.Threads < 1 || w.Perf.ContextSwitches.Value == nil {
		t.Errorf("counters of the window: %+v", w.Perf)
	}
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", r.Info.Addr); err == nil {
		t.Error("the relay still listens")
	}
	if err := r.Stop(ctx); err == nil {
		t.Error("stopping twice succeeds")
	}
}

// onlyChild is the pid of this process's one child.
func onlyChild(t *testing.T) string {
	t.Helper()
	kids, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, k := range kids {
		b, err := os.ReadFile(k)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(b))...)
	}
	if len(pids) != 1 {
		t.Fatalf("children: %v, want one", pids)
	}
	return pids[0]
}

func TestRelayThatDiesIsNoticed(t *testing.T) {
	_, h := startTestFleet(t)
	ctx := context.Background()
	_, err := h.StartRelay(ctx, RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: `sh -c 'echo no licence >&2; exit 3' {addr}`})
	if err == nil || !strings.Contains(err.Error(), "no licence") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a relay that will not start: %v", err)
	}
	t.Setenv("FLEET_TEST_PLAYS", "listener")
	r, err := h.StartRelay(ctx, RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: os.Args[0] + " {addr}"})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(onlyChild(t))
	if err != nil {
		t.Fatal(err)
	}
	now := h.fleet.Now()
	time.AfterFunc(20*time.Millisecond, func() { unix.Kill(pid, unix.SIGKILL) })
	if _, err := r.Window(ctx, now+1e6, now+int64(time.Minute)); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a relay that dies in the window: %v", err)
	}
	if err := r.Stop(ctx); err == nil || !strings.Contains(err.Error(), errRelayDied.Error()) {
		t.Errorf("stopping it: %v", err)
	}
}

// When the process that started a child is killed, the child dies.
func TestChildrenDieWithTheirParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLEET_TEST_PLAYS=parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 20)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(child, 0); err != nil {
		t.Fatalf("the child is not there: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		// Gone, or a zombie that nobody has waited for.
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child lives on: %s", stat)
		}
	}
}

func TestAgentEndsWithItsController(t *testing.T) {
	f, cfg := testAgent(t)
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), "hdbench-agent-*"))
	done := make(chan error, 1)
	go func() { done <- RunAgent(context.Background(), cfg) }()
	h := &Host{fleet: f, member: Member{Agent: "a1"}, life: newLife(func() {})}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.greet(ctx); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLEET_TEST_PLAYS", "listener")
	r, err := h.StartRelay(ctx, RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: os.Args[0] + " {addr} {cert} {addr}"})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the agent goes on without a controller")
	}
	if _, err := net.Dial("tcp", r.Info.Addr); err == nil {
		t.Error("its relay goes on")
	}
	after, _ := filepath.Glob(filepath.Join(os.TempDir(), "hdbench-agent-*"))
	if len(after) > len(before) {
		t.Errorf("files are left: %v", after)
	}
}

func TestLostAgentFailsTheCall(t *testing.T) {
	f, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sub, err := f.nc.Subscribe(subject("mute", verbClock), func(*nats.Msg) {}) // never answers
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	l := newLife(func() {})
	time.AfterFunc(20*time.Millisecond, func() { l.lose(errors.New("unplugged")) })
	h := &Host{fleet: f, member: Member{Agent: "mute"}, life: l}
	if _, err := h.SyncClock(context.Background()); !errors.Is(err, ErrAgentGone) {
		t.Errorf("got %v, want ErrAgentGone", err)
	}
}

func TestBootOfABadBinary(t *testing.T) {
	_, err := Start(context.Background(), Options{Members: []Member{{Agent: "a", Role: RoleRelay}}, Binary: "/bin/false"})
	if err == nil || !strings.Contains(err.Error(), "agent a") {
		t.Errorf("got %v", err)
	}
	if _, err := Start(context.Background(), Options{Members: []Member{{Agent: "a", Role: RoleRelay}}, Binary: "/no/such/file"}); err == nil {
		t.Error("a binary that is not there")
	}
}

func TestVarz(t *testing.T) {
	f, err := os.Open("testdata/varz.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := parseVarz(f)
	if err != nil {
		t.Fatal(err)
	}
	if c.Received != 892755 || c.Forward != 634212 || c.Dropped["queue_head"] != 258000 || c.Dropped["unknown_dest"] != 543 || c.DroppedTotal() != 258543 {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"", "derp_packets_sent 1\n", "not metrics at all {"} {
		if _, err := parseVarz(strings.NewReader(bad)); err == nil {
			t.Errorf("%q parses", bad)
		}
	}
}

func FuzzVarz(f *testing.F) {
	b, err := os.ReadFile("testdata/varz.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("derp_packets_dropped{reason=\"x\"} -1\n")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseVarz(strings.NewReader(s)); err == nil && c == nil {
			t.Fatal("neither counters nor an error")
		}
	})
}

func TestCommandOfALoad(t *testing.T) {
	s := LoadSpec{Relay: "1.2.3.4:5", Transport: "tcp", Pattern: "pairs", Pairs: 3, Payload: 1400, Rate: "1Gbps", Burst: "tick",
		Tick: time.Millisecond, Warmup: time.Second, Measure: 2 * time.Second, CPUs: "1", RTT: true, Congestion: "reno", Seed: 9}
	got := strings.Join(s.args(), " ")
	want := "load --relay 1.2.3.4:5 --transport tcp --pattern pairs --pairs 3 --payload 1400B --rate 1Gbps --burst tick --tick 1ms" +
		" --warmup 1s --measure 2s --drain 0s --cpus 1 --seed 9 --format json --await-start --rtt --congestion reno"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Direct = true
	if a := s.args(); a[0] != "calibrate" {
		t.Errorf("direct: %v", a)
	}
}

func TestPageOfARelay(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(ln)
	defer srv.Close()
	if _, err := hdCounters(context.Background(), ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a relay without the page: %v", err)
	}
}

func TestTail(t *testing.T) {
	w := &tail{max: 5}
	for _, s := range []string{"ab", "cdefgh", "i\n"} {
		w.Write([]byte(s))
	}
	if got := w.String(); got != "fghi" {
		t.Errorf("got %q", got)
	}
}
