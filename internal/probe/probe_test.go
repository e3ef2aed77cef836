package probe

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"hdbench/internal/cpu"
)

func burn(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func TestCPUTimeGrowsWithWork(t *testing.T) {
	before, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	burn(20 * time.Millisecond)
	after, err := CPUTime(os.Getpid())
	if err != nil || after <= before {
		t.Fatalf("%v before, %v after work, %v", before, after, err)
	}
	if _, err := CPUTime(1 << 30); err == nil {
		t.Error("a process that does not exist has a CPU time")
	}
}

func TestTreeCPUTimeCountsDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x'; true`)
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
	out.Read(make([]byte, 4)) // the inner shell has counted
	own, err := CPUTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := TreeCPUTime(cmd.Process.Pid)
	if err != nil || tree < own+10*time.Millisecond {
		t.Errorf("tree %v, the outer shell alone %v, %v", tree, own, err)
	}
	in.Close()
	cmd.Wait()
}

func TestThisHost(t *testing.T) {
	h, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	if h.Name == "" || h.Kernel == "" || h.CPUs == "" || h.CPUModel == "" || h.MemBytes == 0 || h.Congestion == "" {
		t.Errorf("%+v", h)
	}
}

func TestHostOfTheLabSaysSo(t *testing.T) {
	for _, want := range []string{"", "user-mode Linux 6.1: one CPU"} {
		t.Setenv(EnvLab, want)
		if h, err := ThisHost(); err != nil || h.Lab != want {
			t.Errorf("lab %q, error %v; want %q", h.Lab, err, want)
		}
	}
}

func TestSiblingsCoverTheSetOnce(t *testing.T) {
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	union, n := cpu.Of(), 0
	for _, core := range Siblings(set) {
		union, n = union.Union(core), n+core.Size()
	}
	if !union.Equals(set) || n != set.Size() {
		t.Errorf("cores of %v cover %v with %d CPUs", set, union, n)
	}
}
