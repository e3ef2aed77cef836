package probe

import (
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/cpu"
)

func TestMigrationsOfKernels(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    uint64
		unknown bool
	}{
		"6.x":   {"a.out (7, #threads: 1)\nse.sum_exec_runtime   :   1.5\nse.nr_migrations      :         42\nnr_switches : 9\n", 42, false},
		"plain": {"nr_migrations : 7\n", 7, false},
		"other": {"nr_switches : 9\nse.nr_migrations_cold : 3\n", 0, true},
		"empty": {"", 0, true},
		"huge":  {"se.nr_migrations : 99999999999999999999\n", 0, true},
	} {
		n, unknown := parseMigrations([]byte(c.text))
		if unknown != c.unknown || !unknown && n != c.want {
			t.Errorf("%s: %d, unknown %v", name, n, unknown)
		}
	}
}

func TestUsageIsOfTheWholeTree(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sh -c 'echo ready; read x'; true")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	out.Read(make([]byte, 5)) // the inner shell is there
	tree, err := Tree(cmd.Process.Pid)
	if err != nil || len(tree) != 2 || tree[0] != cmd.Process.Pid {
		t.Fatalf("tree %v, %v; want two shells, the outer first", tree, err)
	}
	tids, err := TreeThreads(cmd.Process.Pid)
	if err != nil || !slices.Equal(tids, tree) {
		t.Errorf("threads %v, %v; want %v", tids, err, tree)
	}
	u, err := TreeUsage(cmd.Process.Pid)
	if err != nil || len(u.Processes) != 2 || len(u.Threads) != 2 || u.Processes[tree[1]].Faults == 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if _, err := TreeUsage(maxPID - 1); err == nil {
		t.Error("a process that does not exist has a usage")
	}
	if _, err := TreeThreads(maxPID - 1); err == nil {
		t.Error("a process that does not exist has threads")
	}
}

func TestSoftIRQs(t *testing.T) {
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	s, err := SoftIRQsOf(set)
	if err != nil || s.Total <= 0 || s.Time < 0 || s.Time > s.Total || len(s.Net) != set.Size() {
		t.Errorf("%+v, %v", s, err)
	}
	if share := s.ShareSince(s); !math.IsNaN(share) {
		t.Errorf("a share of no time is %v", share)
	}
	if share := s.ShareSince(SoftIRQ{}); share < 0 || share > 1 {
		t.Errorf("share since boot %v", share)
	}
	if _, err := SoftIRQsOf(cpu.Of(1 << 20)); err == nil || !strings.Contains(err.Error(), "no CPU 1048576") {
		t.Errorf("a CPU that is not there: %v", err)
	}
}
