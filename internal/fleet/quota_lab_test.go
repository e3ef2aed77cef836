//go:build labhost

package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// quotaCgroup makes a cgroup of which a second a CPU may be used for 50 ms, and one
// below it; it is the folder of that.
func quotaCgroup(t *testing.T) string {
	t.Helper()
	mounts, err := procfs.GetMounts()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m *procfs.MountInfo) bool {
		_, cpu := m.SuperOptions["cpu"]
		return m.FSType == "cgroup" && cpu
	})
	settings := map[string]string{"cpu.cfs_quota_us": "5000"} // of v1; a period is 100 ms
	if i < 0 {
		if i = slices.IndexFunc(mounts, func(m *procfs.MountInfo) bool { return m.FSType == "cgroup2" }); i < 0 {
			t.Fatal("no cgroups are mounted")
		}
		settings = map[string]string{"cpu.max": "5000 100000"}
		on := filepath.Join(mounts[i].MountPoint, "cgroup.subtree_control")
		if b, err := os.ReadFile(on); err != nil || !slices.Contains(strings.Fields(string(b)), "cpu") {
			if err := os.WriteFile(on, []byte("+cpu"), 0); err != nil {
				t.Fatalf("the CPU controller cannot be switched on (needs root, and in a container a cgroup of its own without processes): %v", err)
			}
		}
	}
	dir, err := os.MkdirTemp(mounts[i].MountPoint, "hdbench-test-")
	if err != nil {
		t.Fatal(err)
	}
	leaf := filepath.Join(dir, "leaf")
	t.Cleanup(func() {
		for _, d := range []string{leaf, dir} {
			// A process that has ended stays in its cgroup for a moment.
			for start := time.Now(); ; time.Sleep(time.Millisecond) {
				err := unix.Rmdir(d)
				if err == nil || errors.Is(err, unix.ENOENT) {
					break
				}
				if time.Since(start) > patience {
					t.Errorf("rmdir %s: %v", d, err)
					break
				}
			}
		}
	})
	if err := os.Mkdir(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range settings {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	return leaf
}

func TestQuotaOfARelayIsInItsWindow(t *testing.T) {
	_, h := startTestFleet(t)
	leaf := quotaCgroup(t)
	for name, c := range map[string]struct {
		command string
		wanted  func(Window) bool
	}{
		"under a quota": {
			"sh -c 'echo $$ >" + leaf + "/cgroup.procs && exec " + os.Args[0] + " {addr}'",
			func(w Window) bool { return w.Throttle.NA == "" && w.Throttle.Seconds > 0 && w.Throttle.Periods > 0 },
		},
		// Where it is known that there is none, nothing was taken; never is there a number else.
		"without one": {
			os.Args[0] + " {addr}",
			func(w Window) bool { return w.Throttle.Seconds == 0 && w.Throttle.Periods == 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := startPlayed(t, h, "spinner", c.command)
			w := awaitWindow(t, h, r, c.wanted)
			t.Logf("%+v, %v CPU-s in %v s", *w.Throttle, w.CPUSeconds, w.Seconds)
			if err := r.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
