package probe

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/procfs"

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
	for tid, th := range u.Threads {
		if th.Name != "sh" || th.CPU <= 0 && !th.NoRunDelay || th.RunDelay < 0 {
			t.Errorf("thread %d: %+v", tid, th)
		}
	}
	if _, err := TreeUsage(maxPID - 1); err == nil {
		t.Error("a process that does not exist has a usage")
	}
	if _, err := TreeThreads(maxPID - 1); err == nil {
		t.Error("a process that does not exist has threads")
	}
}

// What a kernel without CONFIG_SCHED_INFO lacks, or fills with zeros, comes from stat.
func TestTimesOfAThread(t *testing.T) {
	const stat = "7 (a b) S 1 7 7 0 -1 4194560 120 0 1 0 25 12 0 0 20 0 3 0 200 1 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  ThreadUsage
		fails bool
	}{
		"schedstat":             {map[string]string{"schedstat": "370123456 5000000 42\n", "stat": stat}, ThreadUsage{CPU: 370123456, RunDelay: 5e6}, false},
		"no schedstat":          {map[string]string{"stat": stat}, ThreadUsage{CPU: 370e6, NoRunDelay: true}, false},
		"schedstat that is 0":   {map[string]string{"schedstat": "0 0 0\n", "stat": stat}, ThreadUsage{CPU: 370e6, NoRunDelay: true}, false},
		"nonsense":              {map[string]string{"schedstat": "x\n", "stat": stat}, ThreadUsage{CPU: 370e6, NoRunDelay: true}, false},
		"a thread that is gone": {nil, ThreadUsage{}, true},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "7"), 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, "7", file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		fs, err := procfs.NewFS(dir)
		if err != nil {
			t.Fatal(err)
		}
		p, err := fs.Proc(7)
		if err != nil {
			t.Fatal(err)
		}
		var got ThreadUsage
		if err := got.addTimes(p); (err != nil) != c.fails || err == nil && got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
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
