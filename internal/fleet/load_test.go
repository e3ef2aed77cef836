package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
)

// playLoad is what a part of a load says and hears, without a load. The seed says
// what goes wrong: 13, the second part fails while the others never get ready.
func playLoad(args []string) {
	flag := func(name string) string {
		if i := slices.Index(args, name); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	part := flag("--part")
	pid := strconv.Itoa(os.Getpid())
	os.WriteFile(filepath.Join(os.Getenv("FLEET_TEST_DIR"), pid), nil, 0o644)
	if flag("--seed") == "13" {
		if part == "2/2" {
			fmt.Fprintln(os.Stderr, "the second part will not")
			os.Exit(1)
		}
		time.Sleep(10 * time.Minute)
	}
	fmt.Println(`{"ready":true}`)
	in := bufio.NewReader(os.Stdin)
	start, _ := in.ReadString('\n')
	ns, _ := strconv.ParseInt(strings.TrimSpace(start), 10, 64)
	l := measure.Load{StartMonoNS: ns, PayloadBytes: 1, Flows: 1}
	if part != "" {
		n, _ := strconv.Atoi(part[:1])
		json.NewEncoder(os.Stdout).Encode(LoadWindows{[]measure.FlowWindow{{Flow: uint32(n), First: 1, End: 10}}})
		line, _ := in.ReadString('\n')
		var all LoadWindows
		json.Unmarshal([]byte(line), &all)
		for _, w := range all.Windows {
			l.DeliveredPackets += uint64(w.Flow)
		}
		run, _ := strconv.ParseUint(flag("--run"), 10, 64)
		l.Corrupt = run % 1000 // which is odd
	}
	if slices.Contains(args, "--one-clock") {
		l.Foreign = 1
	}
	if slices.Contains(args, "calibrate") {
		l.TotalSent, _ = strconv.ParseUint(flag("--pairs"), 10, 64)
	}
	json.NewEncoder(os.Stdout).Encode(l)
	in.ReadString('\n')
}

func playedLoads(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("FLEET_TEST_PLAYS", "load")
	t.Setenv("FLEET_TEST_DIR", dir)
	return dir
}

// nobodyPlays waits until every process that has played is gone.
func nobodyPlays(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != want {
		t.Errorf("%d loads were started, want %d (%v)", len(files), want, err)
	}
	for _, f := range files {
		pid, _ := strconv.Atoi(f.Name())
		for deadline := time.Now().Add(patience); unix.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("load %d is still there", pid)
			}
		}
	}
}

func TestPartsHearOfEachOthersWindows(t *testing.T) {
	dir := playedLoads(t)
	f, hosts := startTestAgents(t, "a1", "a2", "a3")
	for i, h := range hosts {
		h.offset = Offset{Ahead: time.Duration(i) * time.Hour}
	}
	l, err := PrepareLoad(t.Context(), LoadSpec{Relay: "127.0.0.1:1", Seed: 1}, Client{Host: hosts[0]}, Client{Host: hosts[1]}, Client{Host: hosts[2], CPUs: "0"})
	if err != nil {
		t.Fatal(err)
	}
	start := f.Now()
	m, err := l.Run(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	// Each part has heard of flows 1, 2 and 3; all had one run and, on one host, one clock.
	if m.DeliveredPackets != 3*(1+2+3) || m.Flows != 3 || m.Foreign != 3 || m.StartMonoNS != start {
		t.Errorf("%+v", m)
	}
	if m.Corrupt == 0 || m.Corrupt%3 != 0 {
		t.Errorf("the parts' runs add up to %d: they are not the same", m.Corrupt)
	}
	if len(m.Hosts) != 3 || m.Hosts[2].Agent != "a3" || m.Hosts[2].CPUs != "0" || m.Hosts[2].Host == "" || m.Hosts[1].SendFlows != 1 {
		t.Errorf("%+v", m.Hosts)
	}
	nobodyPlays(t, dir, 3)
}

func TestHostsWithoutRelayHaveLoadsOfTheirOwn(t *testing.T) {
	dir := playedLoads(t)
	_, hosts := startTestAgents(t, "a1", "a2")
	l, err := PrepareLoad(t.Context(), LoadSpec{Direct: true, Pairs: 9}, Client{Host: hosts[0], Pairs: 4}, Client{Host: hosts[1], Pairs: 3})
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Run(t.Context(), 0)
	if err != nil || m.TotalSent != 7 || m.Corrupt != 0 || len(m.Hosts) != 2 {
		t.Errorf("%+v, %v; want 7 pairs in two whole loads", m, err)
	}
	nobodyPlays(t, dir, 2)
}

// When one part cannot be prepared the others do not wait for it, and go.
func TestOnePartFailsAllEnd(t *testing.T) {
	dir := playedLoads(t)
	_, hosts := startTestAgents(t, "a1", "a2")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := PrepareLoad(ctx, LoadSpec{Relay: "127.0.0.1:1", Seed: 13}, Client{Host: hosts[0]}, Client{Host: hosts[1]})
	if err == nil || !strings.Contains(err.Error(), "agent a2: load: ") || !strings.Contains(err.Error(), "the second part will not") {
		t.Errorf("prepared: %v", err)
	}
	files, _ := os.ReadDir(dir) // the first may have been cancelled before it had begun
	nobodyPlays(t, dir, len(files))
	if _, err := PrepareLoad(ctx, LoadSpec{}); err == nil {
		t.Error("a load without a host")
	}
}

// A load that is cancelled before the agent has it does not stay.
func TestLoadCancelledBeforeItIsThere(t *testing.T) {
	dir := playedLoads(t)
	_, h := startTestFleet(t)
	if err := h.call(t.Context(), verbLoadCancel, loadRef{"early"}, nil); err != nil {
		t.Fatal(err)
	}
	err := h.call(t.Context(), verbLoadPrepare, LoadSpec{Relay: "127.0.0.1:1", ID: "early"}, nil)
	if err == nil || !strings.Contains(err.Error(), errCancelled.Error()) {
		t.Errorf("prepared: %v", err)
	}
	files, _ := os.ReadDir(dir)
	nobodyPlays(t, dir, len(files))
	for name, id := range map[string]string{"no name": "", "too long a name": strings.Repeat("x", maxLoadID+1)} {
		var remote *RemoteError
		if err := h.call(t.Context(), verbLoadPrepare, LoadSpec{Relay: "127.0.0.1:1", ID: id}, nil); !errors.As(err, &remote) || remote.Code != codeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApartIsTheTwoWorstBounds(t *testing.T) {
	for _, c := range []struct{ bounds, want []time.Duration }{
		{nil, []time.Duration{0}}, {[]time.Duration{5}, []time.Duration{5}}, {[]time.Duration{3, 9, 1, 4}, []time.Duration{13}},
	} {
		var offsets []Offset
		for _, b := range c.bounds {
			offsets = append(offsets, Offset{Bound: b})
		}
		if got := Apart(offsets); got != c.want[0] {
			t.Errorf("%v: %v, want %v", c.bounds, got, c.want[0])
		}
	}
}
