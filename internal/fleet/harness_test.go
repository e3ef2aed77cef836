package fleet

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

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
	case "load": // a load, or a part of one
		playLoad(os.Args[1:])
		os.Exit(0)
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
	f, hosts := startTestAgents(t, "a1")
	return f, hosts[0]
}

// startTestAgents is startTestFleet with several agents.
func startTestAgents(t *testing.T, names ...string) (*Fleet, []*Host) {
	t.Helper()
	f, err := Start(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	token := f.srv.token
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(names))
	for _, name := range names {
		go func() {
			done <- RunAgent(ctx, AgentConfig{URL: f.srv.url(), Token: token, Name: name, Version: "test", Binary: os.Args[0]})
		}()
	}
	t.Cleanup(func() {
		cancel()
		for range names {
			if err := <-done; err != nil {
				t.Error("agent:", err)
			}
		}
		f.Close()
	})
	var hosts []*Host
	bctx, bcancel := context.WithTimeout(context.Background(), patience)
	defer bcancel()
	for _, name := range names {
		h := &Host{fleet: f, member: Member{Agent: name}, gone: make(chan struct{})}
		if err := h.greet(bctx); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
	}
	return f, hosts
}
