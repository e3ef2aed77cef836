package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// An agent that is told to end does not wait for a relay that says nothing, and
// does not leave it behind.
func TestASilentRelayIsGivenUpWithItsContext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	t.Setenv("FLEET_TEST_PLAYS", "silent")
	t.Setenv("FLEET_TEST_PID", file)
	a := &agent{cfg: AgentConfig{Binary: os.Args[0]}, spawn: newSpawner()}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		_, err := a.startHD(ctx, RelaySpec{Kind: KindHD, Transport: "tcp", Host: "127.0.0.1", Workers: 1}, cpu.Of())
		done <- err
	}()
	pid := 0
	for deadline := time.Now().Add(patience); pid == 0; time.Sleep(time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil {
			pid, _ = strconv.Atoi(string(b))
		}
		if time.Now().After(deadline) {
			t.Fatal("the relay has not started")
		}
	}
	over := errors.New("the lease is over")
	cancel(over)
	select {
	case err := <-done:
		if !errors.Is(err, over) {
			t.Errorf("%v; want why it was given up", err)
		}
	case <-time.After(patience):
		_ = unix.Kill(pid, unix.SIGKILL)
		t.Fatal("still waiting for the relay's first line")
	}
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the relay is still there, or not reaped: %v", err)
	}
}
