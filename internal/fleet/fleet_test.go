package fleet

import (
	"context"
	"errors"
	"io"
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

const patience = 20 * time.Second

// TestMain lets the test binary play the processes that agents start.
func TestMain(m *testing.M) {
	switch os.Getenv("FLEET_TEST_PLAYS") {
	case "listener": // a relay: accepts connections at its last argument
		ln, err := net.Listen("tcp", os.Args[len(os.Args)-1])
		if err != nil {
			io.WriteString(os.Stderr, err.Error())
			os.Exit(1)
		}
		for {
			c, err := ln.Accept()
			if err != nil {
				os.Exit(1)
			}
			c.Close()
		}
	case "parent": // starts a child that sleeps, says its pid, and is killed
		s := newSpawner()
		c, err := startChild(s, cpu.Of(), unix.SIGKILL, nil, "sleep", "600")
		if err != nil {
			os.Exit(1)
		}
		io.WriteString(os.Stdout, strconv.Itoa(c.pid())+"\n")
		time.Sleep(10 * time.Minute)
	}
	os.Exit(m.Run())
}

// startTestFleet is a controller without agents of its own, and an agent that
// runs in this process.
func startTestFleet(t *testing.T) (*Fleet, *Host) {
	t.Helper()
	f, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	token := f.srv.token
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- RunAgent(ctx, AgentConfig{URL: f.srv.url(), Token: token, Name: "a1", Version: "test", Binary: os.Args[0]})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("agent:", err)
		}
		f.Close()
	})
	h := &Host{fleet: f, member: Member{Agent: "a1"}, gone: make(chan struct{})}
	bctx, bcancel := context.WithTimeout(context.Background(), patience)
	defer bcancel()
	if err := h.greet(bctx); err != nil {
		t.Fatal(err)
	}
	return f, h
}

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
		"unknown kind":   func() error { _, err := h.StartRelay(ctx, RelaySpec{Kind: "x"}); return err },
		"no such CPU":    func() error { _, err := h.StartRelay(ctx, RelaySpec{Kind: KindHD, CPUs: "9999"}); return err },
		"no such relay":  func() error { return (&Relay{host: h, Info: RelayInfo{ID: "relay-9"}}).Stop(ctx) },
		"no such window": func() error { _, err := (&Relay{host: h}).Window(ctx, 0, 0); return err },
		"no such load":   func() error { _, err := (&Load{h, "load-9"}).Run(ctx, 0); return err },
		"no derper":      func() error { _, err := h.RelayVersion(ctx, KindDerper, ""); return err },
		"a version of what": func() error {
			_, err := h.RelayVersion(ctx, KindExternal, "")
			return err
		},
		"a command without address": func() error {
			_, err := h.StartRelay(ctx, RelaySpec{Kind: KindExternal, Command: "true"})
			return err
		},
		"no JSON": func() error {
			msg, err := h.fleet.nc.RequestWithContext(ctx, subject("a1", verbClock), []byte("{"))
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

func TestStrangersAreRefused(t *testing.T) {
	f, _ := startTestFleet(t)
	if nc, err := nats.Connect(f.srv.url(), nats.Token("guess")); err == nil {
		nc.Close()
		t.Error("a wrong token is accepted")
	}
	if nc, err := nats.Connect(f.srv.url()); err == nil {
		nc.Close()
		t.Error("no token is accepted")
	}
	err := RunAgent(context.Background(), AgentConfig{URL: f.srv.url(), Token: "guess", Name: "x"})
	if err == nil || !strings.Contains(err.Error(), f.srv.url()) {
		t.Errorf("an agent with a wrong token: %v", err)
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
	if err != nil || w.Seconds < 0.02 || w.CPUSeconds < 0 || w.CPUSeconds > 10 {
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
	f, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), "hdbench-agent-*"))
	done := make(chan error, 1)
	go func() {
		done <- RunAgent(context.Background(), AgentConfig{URL: f.srv.url(), Token: f.srv.token, Name: "a1", Binary: os.Args[0]})
	}()
	h := &Host{fleet: f, member: Member{Agent: "a1"}, gone: make(chan struct{})}
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
	gone := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { close(gone) })
	h := &Host{fleet: f, member: Member{Agent: "mute"}, gone: gone}
	if _, err := h.SyncClock(context.Background()); !errors.Is(err, ErrAgentGone) {
		t.Errorf("got %v, want ErrAgentGone", err)
	}
}

func TestBootOfABadBinary(t *testing.T) {
	_, err := Start(context.Background(), Options{Members: []Member{{Agent: "a"}}, Binary: "/bin/false"})
	if err == nil || !strings.Contains(err.Error(), "agent a") {
		t.Errorf("got %v", err)
	}
	if _, err := Start(context.Background(), Options{Members: []Member{{Agent: "a"}}, Binary: "/no/such/file"}); err == nil {
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
