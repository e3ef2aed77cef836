package fleet

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/lab/badrelay"
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
	case "shouter", "deaf", "spinner":
		playStrange(os.Getenv("FLEET_TEST_PLAYS"), os.Args[len(os.Args)-1])
		os.Exit(1)
	case "silent": // a relay that says nothing: writes its pid to a file, and stays
		name := os.Getenv("FLEET_TEST_PID")
		if os.WriteFile(name+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) != nil || os.Rename(name+".new", name) != nil {
			os.Exit(1)
		}
		time.Sleep(10 * time.Minute)
	case "badrelay":
		badrelay.Main()
		os.Exit(0)
	case "holder": // of a host's lock
		if _, err := lockHost(os.Getenv("FLEET_TEST_LOCK"), lockQuestion{Sweep: "one", Agent: "relay"}, nil); err != nil {
			os.Exit(1)
		}
		io.WriteString(os.Stdout, "x")
		time.Sleep(10 * time.Minute)
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

// playStrange is a relay that keeps its connections, and never reads: one writes all
// the time, one uses a CPU.
func playStrange(part, addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		io.WriteString(os.Stderr, err.Error())
		return
	}
	if part == "spinner" {
		go func() {
			for spun := uint64(0); ; spun++ {
				runtime.KeepAlive(spun)
			}
		}()
	}
	kept := map[net.Conn]bool{} // so that none is closed
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		kept[c] = true
		if part == "shouter" {
			go func() {
				b := make([]byte, 1<<20)
				for {
					if _, err := c.Write(b); err != nil {
						return
					}
				}
			}()
		}
	}
}

// testAgents is a controller without agents, and what agents of its are started
// with.
func testAgents(t *testing.T, names ...string) (*Fleet, []AgentConfig) {
	t.Helper()
	f, err := embedded(Options{}, names)
	if err != nil {
		t.Fatal(err)
	}
	var cfgs []AgentConfig
	for _, name := range names {
		conn, err := f.srv.pipe()
		if err != nil {
			t.Fatal(err)
		}
		cfgs = append(cfgs, AgentConfig{Conn: conn, Credential: f.srv.passwords[name], Name: name, Version: "test", Binary: os.Args[0]})
	}
	return f, cfgs
}

func testAgent(t *testing.T) (*Fleet, AgentConfig) {
	t.Helper()
	f, cfgs := testAgents(t, "a1")
	return f, cfgs[0]
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
	f, cfgs := testAgents(t, names...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(cfgs))
	for _, cfg := range cfgs {
		go func() { done <- RunAgent(ctx, cfg) }()
	}
	t.Cleanup(func() {
		cancel()
		for range cfgs {
			if err := <-done; err != nil {
				t.Error("agent:", err)
			}
		}
		f.Close()
	})
	bctx, bcancel := context.WithTimeout(context.Background(), patience)
	defer bcancel()
	for _, name := range names {
		h := &Host{fleet: f, member: Member{Agent: name}, life: newLife(func() {})}
		f.hosts = append(f.hosts, h)
		if err := h.greet(bctx); err != nil {
			t.Fatal(err)
		}
	}
	return f, f.hosts
}
