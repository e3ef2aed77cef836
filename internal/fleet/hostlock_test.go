package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

func lockName() string { return "test-" + rand.Text() }

// mustLock takes a lock; what takes it away fails the test.
func mustLock(t *testing.T, name, sweep, agent string) *hostLock {
	t.Helper()
	l, err := lockHost(name, lockQuestion{Sweep: sweep, Agent: agent, Who: "me, scenario quick", Since: time.Now()}, func(err error) { t.Error("lost:", err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.release)
	return l
}

func refused(t *testing.T, name, sweep, agent string) error {
	t.Helper()
	l, err := lockHost(name, lockQuestion{Sweep: sweep, Agent: agent}, nil)
	if !errors.Is(err, ErrBusy) {
		l.release()
		t.Fatalf("sweep %s, agent %s: %v, want ErrBusy", sweep, agent, err)
	}
	return err
}

func TestASecondSweepIsToldWhoHasTheHost(t *testing.T) {
	name := lockName()
	l := mustLock(t, name, "one", "relay")
	err := refused(t, name, "two", "relay")
	for _, want := range []string{"me, scenario quick", "since 20", `agent "relay"`, "process ", "of user "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	l.release()
	mustLock(t, name, "two", "relay")
}

func TestAgentsOfOneSweepShareAHost(t *testing.T) {
	name := lockName()
	first := mustLock(t, name, "one", "relay")
	guest := mustLock(t, name, "one", "client")
	// One that comes again is another: the first of that name has not ended yet.
	for _, agent := range []string{"relay", "client"} {
		if err := refused(t, name, "one", agent); !strings.Contains(err.Error(), "still ending") {
			t.Errorf("agent %s: %v", agent, err)
		}
	}
	// The guest goes on when the first has gone.
	first.release()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		guest.mu.Lock()
		isFirst := guest.ln != nil
		guest.mu.Unlock()
		if isFirst {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the guest has not taken over")
		}
	}
	refused(t, name, "two", "relay")
	mustLock(t, name, "one", "relay")
}

func TestAKilledHolderLeavesNoLock(t *testing.T) {
	name := lockName()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLEET_TEST_PLAYS=holder", "FLEET_TEST_LOCK="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	refused(t, name, "two", "relay")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	mustLock(t, name, "two", "relay")
}

func TestALockThatSaysNothingIsHeldAllTheSame(t *testing.T) {
	name := lockName()
	ln, err := net.Listen("unix", "@hdbench-lock-"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := refused(t, name, "two", "relay"); !strings.Contains(err.Error(), "does not say") || !strings.Contains(err.Error(), "of user") {
		t.Error(err)
	}
}

func TestAnAgentLocksItsHostForAController(t *testing.T) {
	name := lockName()
	f, cfg := testAgent(t)
	defer f.Close()
	cfg.Lock = name
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunAgent(ctx, cfg) }()
	h := &Host{fleet: f, member: Member{Agent: "a1"}, life: newLife(func() {})}
	f.hosts = append(f.hosts, h)
	if err := h.greet(ctx); err != nil {
		t.Fatal(err)
	}
	refused(t, name, "two", "relay")

	g, other := testAgent(t)
	defer g.Close()
	other.Lock = name
	go func() { done <- RunAgent(ctx, other) }()
	second := &Host{fleet: g, member: Member{Agent: "a1"}, life: newLife(func() {})}
	if err := second.greet(ctx); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("the second controller: %v", err)
	}
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	mustLock(t, name, "two", "relay")
}
