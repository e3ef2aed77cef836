package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// group is a cgroup whose processes may use a share of a CPU.
type group struct {
	dir  string
	v2   bool
	home string // the group this program is in
}

// newGroup makes a group without a quota, of cgroup v1 or v2.
func newGroup() (*group, error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(mounts, func(m *procfs.MountInfo) bool {
		_, cpu := m.SuperOptions["cpu"]
		return m.FSType == "cgroup" && cpu
	})
	g := &group{}
	if i < 0 {
		g.v2 = true
		if i = slices.IndexFunc(mounts, func(m *procfs.MountInfo) bool { return m.FSType == "cgroup2" }); i < 0 {
			return nil, errors.New("a CPU quota: no cgroups are mounted")
		}
		on := filepath.Join(mounts[i].MountPoint, "cgroup.subtree_control")
		if b, err := os.ReadFile(on); err != nil || !slices.Contains(strings.Fields(string(b)), "cpu") {
			if err := os.WriteFile(on, []byte("+cpu"), 0); err != nil {
				return nil, fmt.Errorf("the CPU controller cannot be switched on (it needs root, and in a container a cgroup of its own without processes): %w", err)
			}
		}
	}
	root := mounts[i].MountPoint
	if g.home, err = homeGroup(root, g.v2); err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp(root, "hdbench-limits-"); err != nil {
		return nil, fmt.Errorf("a CPU quota: %w", err)
	}
	// Others may be busy: up to its quota the group comes first.
	file, weight := "cpu.shares", "262144"
	if g.v2 {
		file, weight = "cpu.weight", "10000"
	}
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(weight), 0); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

// homeGroup is the folder of the group that this program is in.
func homeGroup(root string, v2 bool) (string, error) {
	self, err := procfs.Self()
	if err != nil {
		return "", err
	}
	groups, err := self.Cgroups()
	if err != nil {
		return "", err
	}
	for _, c := range groups {
		if v2 && c.HierarchyID == 0 || !v2 && slices.Contains(c.Controllers, "cpu") {
			dir := filepath.Join(root, c.Path)
			if _, err := os.Stat(dir); err != nil {
				return root, nil // a path of the host's, in a container
			}
			return dir, nil
		}
	}
	return root, nil
}

// limit sets how much of a CPU the group may use; 0 is no limit. A period is 100 ms,
// as container runtimes have it.
func (g *group) limit(share float64) error {
	file, text := "cpu.cfs_quota_us", fmt.Sprintf("%.0f", share*100_000)
	if share == 0 {
		text = "-1"
	}
	if g.v2 {
		file, text = "cpu.max", fmt.Sprintf("%.0f 100000", share*100_000)
		if share == 0 {
			text = "max 100000"
		}
	}
	return os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0)
}

// into is the shell's way into the group, and home the way back.
func (g *group) into() string { return "echo $$ >" + g.dir + "/cgroup.procs" }
func (g *group) back() string { return "echo $$ >" + g.home + "/cgroup.procs" }

// remove waits until the group's processes have ended and takes it away.
func (g *group) remove() {
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Rmdir(g.dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return
		}
		if time.Now().After(until) {
			fmt.Fprintf(os.Stderr, "limits-selftest: rmdir %s: %v\n", g.dir, err)
			return
		}
	}
}
