package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"hdbench/internal/lab/natslab"
)

const exampleConfig = "../../deploy/nats/nats-server.conf"

// natsRoom is a real nats-server, or a cluster, with everybody's keys.
type natsRoom struct {
	files   *natslab.Files
	binary  string
	servers []*natslab.Server
}

func newNATSRoom(t *testing.T, agents ...string) *natsRoom {
	t.Helper()
	binary, err := natslab.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := natslab.Make(t.TempDir(), exampleConfig, "127.0.0.1", agents...)
	if err != nil {
		t.Fatal(err)
	}
	return &natsRoom{files: files, binary: binary}
}

func (r *natsRoom) start(t *testing.T, files *natslab.Files, name, addr, more string) *natslab.Server {
	t.Helper()
	if addr == "" {
		var err error
		if addr, err = natslab.FreeAddr(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := files.Start(ctx, r.binary, name, addr, more)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	r.servers = append(r.servers, s)
	return s
}

// as is how a user connects to a server.
func (r *natsRoom) as(user string, s *natslab.Server) External {
	return External{URL: s.URL(), CA: r.files.CA(), NKey: r.files.Seed(user)}
}

// logged collects lines.
type logged struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *logged) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.lines, "\n"), text)
}

// runAgent runs an agent of a user's until the test ends.
func runAgent(t *testing.T, e External, name string, r Role, more func(*AgentConfig)) *logged {
	t.Helper()
	log := &logged{}
	cfg := AgentConfig{
		Name: name, Version: "test", Binary: os.Args[0], NATS: &e, Log: log.add,
		Meta: Meta{Role: r, Data: "127.0.0.1", Labels: map[string]string{"rack": "b4"}},
	}
	if more != nil {
		more(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- RunAgent(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("agent %s: %v", name, err)
		}
	})
	return log
}

func allowExternal(c *AgentConfig) { c.Own.External = true }

// startListener starts a relay that is none: it accepts connections.
func startListener(t *testing.T, h *Host) *Relay {
	t.Helper()
	r, err := h.StartRelay(t.Context(), RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: "env FLEET_TEST_PLAYS=listener " + os.Args[0] + " {addr}"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// findTwo discovers until relay-1 and client-1 are there.
func findTwo(t *testing.T, e External) []Member {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		found, err := e.Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		members, err := Wanted{Labels: map[string]string{"rack": "b4"}}.Choose(found)
		if err == nil {
			return members
		}
		if !errors.Is(err, ErrNoAgents) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestAgentsOfTheUsersServeOneControllerAfterTheOther(t *testing.T) {
	t.Parallel()
	room := newNATSRoom(t, "relay-1", "client-1")
	s := room.start(t, room.files, "n1", "", "")
	me := room.as(natslab.Controller, s)
	log := runAgent(t, room.as("relay-1", s), "relay-1", RoleRelay, nil)
	runAgent(t, room.as("client-1", s), "client-1", RoleClient, nil)
	members := findTwo(t, me)
	if members[0].Agent != "relay-1" || members[0].Data != "127.0.0.1" || members[1].Role != RoleClient {
		t.Fatalf("members: %+v", members)
	}

	o := Options{Members: members, NATS: &me, Version: "test"}
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	relay := f.Hosts(RoleRelay)[0]
	if _, err := relay.StartRelay(t.Context(), RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: os.Args[0] + " {addr}"}); !strings.Contains(fmt.Sprint(err), "--allow-external") {
		t.Errorf("a command from the network: %v", err)
	}
	if _, err := relay.RelayVersion(t.Context(), KindDerper, Binary{"/bin/sh", strings.Repeat("0", 64)}); !strings.Contains(fmt.Sprint(err), "--binary /bin/sh") {
		t.Errorf("a binary that the agent does not offer: %v", err)
	}

	if _, err := Start(t.Context(), o); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second controller: %v; it should be told who holds the agent", err)
	}
	f.Close()
	again, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("after the first has given it back: %v", err)
	}
	again.Close()
	if !log.has("serving") {
		t.Error("the agent's keeper is told nothing")
	}
	o.Version = "other"
	if _, err := Start(t.Context(), o); !errors.Is(err, ErrVersion) {
		t.Errorf("another version: %v", err)
	}
}

func TestSilentControllerLosesItsLease(t *testing.T) {
	t.Parallel()
	room := newNATSRoom(t, "relay-1")
	s := room.start(t, room.files, "n1", "", "")
	me := room.as(natslab.Controller, s)
	log := runAgent(t, room.as("relay-1", s), "relay-1", RoleRelay, allowExternal)
	o := Options{Members: []Member{{Agent: "relay-1", Role: RoleRelay}}, NATS: &me}
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := f.Hosts(RoleRelay)[0]
	r := startListener(t, h)
	h.alive().stop() // as a controller that hangs
	for deadline := time.Now().Add(leaseTerm + patience); !log.has("no longer serving"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the agent waits for ever")
		}
	}
	if err := r.Stop(t.Context()); err == nil {
		t.Error("its relay goes on")
	}
	// What it was doing is lost, and it can be had again.
	h.alive().lose(ErrAgentGone)
	if err := f.Revive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SyncClock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestServersThatAreNotTrusted(t *testing.T) {
	t.Parallel()
	room := newNATSRoom(t, "relay-1")
	s := room.start(t, room.files, "n1", "", "")
	me := room.as(natslab.Controller, s)
	stranger := me
	stranger.NKey = t.TempDir() + "/other.nk"
	other, err := natslab.Make(t.TempDir(), exampleConfig, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	stranger.NKey = other.Seed(natslab.Controller)
	noCA := me
	noCA.CA = ""
	plain := room.start(t, room.files.WithoutTLS(), "n2", "", "")
	small := room.start(t, room.files, "n3", "", "max_payload: 1MB\n")
	open := me
	open.NKey = t.TempDir() + "/open.nk"
	seed, err := os.ReadFile(me.NKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open.NKey, seed, 0o644); err != nil {
		t.Fatal(err)
	}
	withPassword := me
	withPassword.URL = "tls://me:hunter2@127.0.0.1:4222"
	for name, c := range map[string]struct {
		e    External
		want string
	}{
		"a key the server does not know":   {stranger, "--nkey"},
		"a certificate nobody vouches for": {noCA, "certificate"},
		"no TLS":                           {room.as(natslab.Controller, plain), "TLS"},
		"small messages":                   {room.as(natslab.Controller, small), "max_payload"},
		"a key that everybody can read":    {open, "chmod"},
		"a password in the URL":            {withPassword, "--creds"},
	} {
		nc, err := c.e.connect()
		if err == nil {
			nc.Close()
		}
		if !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v; want one about %s", name, err, c.want)
		}
	}
}

// An agent whose name its key is not good for says so and ends.
func TestAgentWithAnothersKeyEnds(t *testing.T) {
	t.Parallel()
	room := newNATSRoom(t, "relay-1", "client-1")
	s := room.start(t, room.files, "n1", "", "")
	e := room.as("client-1", s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := RunAgent(ctx, AgentConfig{Name: "relay-1", NATS: &e, Meta: Meta{Role: RoleRelay}})
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "hdbench.agent.relay-1") {
		t.Errorf("got %v", err)
	}
}

// A cluster loses the node that everybody is connected to. Calls under way fail,
// the fleet goes on.
func TestClusterThatLosesANode(t *testing.T) {
	t.Parallel()
	room := newNATSRoom(t, "relay-1", "client-1")
	var client, route []string
	for range 3 {
		for _, to := range []*[]string{&client, &route} {
			addr, err := natslab.FreeAddr()
			if err != nil {
				t.Fatal(err)
			}
			*to = append(*to, addr)
		}
	}
	for i := range 3 {
		room.start(t, room.files, fmt.Sprintf("n%d", i+1), client[i], fmt.Sprintf(
			"cluster { name: hdbench, listen: %q, routes: [\"nats://%s\", \"nats://%s\", \"nats://%s\"] }\n", route[i], route[0], route[1], route[2]))
	}
	first := room.servers[0]
	// They know one node; of the others they hear from it.
	me := room.as(natslab.Controller, first)
	agentLog := runAgent(t, room.as("relay-1", first), "relay-1", RoleRelay, allowExternal)
	runAgent(t, room.as("client-1", room.servers[1]), "client-1", RoleClient, nil)
	log := &logged{}
	f, err := Start(t.Context(), Options{Members: findTwo(t, me), NATS: &me, Log: log.add})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	waitFor(t, "the cluster to be known", func() bool { return len(f.nc.DiscoveredServers()) >= 2 })

	h := f.Hosts(RoleRelay)[0]
	r := startListener(t, h)
	failed := make(chan error, 1)
	go func() {
		now := f.Now()
		_, err := r.Window(context.Background(), now, now+int64(10*time.Minute))
		failed <- err
	}()
	if _, err := h.SyncClock(t.Context()); err != nil { // the call before is there, too
		t.Fatal(err)
	}
	first.Kill()
	if err := <-failed; !errors.Is(err, ErrInterrupted) {
		t.Errorf("a call under way: %v", err)
	}
	waitFor(t, "the controller to be connected again", func() bool { return log.has("connected again, to") })
	waitFor(t, "the agent to be connected again", func() bool { return agentLog.has("connected again") })
	// What is called before it knows is told that its answer may be lost.
	waitFor(t, "the controller to know that the agent's connection broke", func() bool { return log.has("agent relay-1: its connection broke") })
	waitFor(t, "calls to work again", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := h.SyncClock(ctx)
		return err == nil
	})
	select {
	case <-h.Gone():
		t.Errorf("the agent is given up: %v", h.alive().why)
	default:
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("its relay did not live on: %v", err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}
