package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// Quotas are the CPU quotas that a process and its descendants run under: of their
// cgroups, and of all above these that can be seen.
type Quotas struct {
	groups []string // folders of the cgroups that have a quota
	hidden string   // why there may be more; empty: these are all
}

// Throttled is what a cgroup's quota took so far. The kernel adds up over CPUs: two
// that stand still for a second are two seconds.
type Throttled struct {
	Time    time.Duration
	Periods uint64 // of the quota's, in which it ran out
}

// TreeQuotas finds the quotas of a process and its living descendants.
func TreeQuotas(pid int) (Quotas, error) {
	tree, err := Tree(pid)
	if err != nil {
		return Quotas{}, err
	}
	return Here().quotas(tree)
}

// quotas are those of processes, of which the first must be there.
func (s Source) quotas(pids []int) (Quotas, error) {
	var q Quotas
	proc, err := s.proc()
	if err != nil {
		return q, err
	}
	mounts, err := proc.GetMounts()
	if err != nil {
		return q, fmt.Errorf("list mounts: %w", err)
	}
	for i, pid := range pids {
		p, err := proc.Proc(pid)
		if err != nil {
			if i == 0 {
				return q, fmt.Errorf("cgroup of process %d: %w", pid, err)
			}
			continue // gone meanwhile
		}
		of, err := p.Cgroups()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without cgroups has no quota; or it is gone meanwhile
		} else if err != nil {
			return q, fmt.Errorf("cgroup of process %d: %w", pid, err)
		}
		if err := s.addQuotas(&q, of, mounts); err != nil {
			return q, fmt.Errorf("cgroup of process %d: %w", pid, err)
		}
	}
	return q, nil
}

// addQuotas adds the quotas of one process: of its cgroup and of those above.
func (s Source) addQuotas(q *Quotas, of []procfs.Cgroup, mounts []*procfs.MountInfo) error {
	c, v1 := cpuHierarchy(of)
	if c == nil {
		return nil // nothing could hold a quota
	}
	m := cpuMount(mounts, v1)
	if m == nil {
		q.hidden = "the cgroups of the CPU controller are not mounted"
		return nil
	}
	// One outside of this process's cgroup namespace begins with /.. (cgroup_namespaces(7)).
	below, err := filepath.Rel(m.Root, c.Path)
	if err != nil || strings.HasPrefix(below, "..") || strings.HasPrefix(c.Path, "/..") || strings.HasPrefix(m.Root, "/..") {
		q.hidden = fmt.Sprintf("cgroup %s is not under %s", c.Path, m.MountPoint)
		return nil
	}
	if m.Root != "/" || !s.initialCgroups() {
		q.hidden = "the cgroups above this container's are hidden from it"
	}
	top := s.path(m.MountPoint)
	dir := filepath.Join(top, below)
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	for {
		has, err := hasQuota(dir, v1)
		if err != nil {
			return err
		}
		if has && !slices.Contains(q.groups, dir) {
			q.groups = append(q.groups, dir)
		}
		if dir == top {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// cpuHierarchy is the one that the CPU controller is in: one of cgroup v1 if there
// is such, else that of v2; nil if neither is there.
func cpuHierarchy(of []procfs.Cgroup) (c *procfs.Cgroup, v1 bool) {
	for i := range of {
		if slices.Contains(of[i].Controllers, "cpu") {
			return &of[i], true
		}
		if of[i].HierarchyID == 0 {
			c = &of[i]
		}
	}
	return c, false
}

func cpuMount(mounts []*procfs.MountInfo, v1 bool) *procfs.MountInfo {
	for _, m := range mounts {
		_, cpu := m.SuperOptions["cpu"]
		if v1 && m.FSType == "cgroup" && cpu || !v1 && m.FSType == "cgroup2" {
			return m
		}
	}
	return nil
}

// initialCgroups reports whether this process sees all cgroups of the host: it is
// in the first cgroup namespace, PROC_CGROUP_INIT_INO of include/linux/proc_ns.h.
func (s Source) initialCgroups() bool {
	ns, err := os.Readlink(s.path("proc/self/ns/cgroup"))
	return errors.Is(err, fs.ErrNotExist) || ns == fmt.Sprintf("cgroup:[%d]", 0xEFFFFFFB)
}

// hasQuota reports whether a cgroup has one. It has not where the file is missing:
// the root of v2, a group without the controller, a kernel without
// CONFIG_CFS_BANDWIDTH.
func hasQuota(dir string, v1 bool) (bool, error) {
	file, none := "cpu.max", "max"
	if v1 {
		file, none = "cpu.cfs_quota_us", "-1"
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	quota, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	if quota == none {
		return false, nil
	}
	if _, err := strconv.ParseUint(quota, 10, 64); err != nil {
		return false, fmt.Errorf("%s of cgroup %s: %w", file, dir, err)
	}
	return true, nil
}

// Read reads what each quota took so far, always in the same order.
func (q Quotas) Read() ([]Throttled, error) {
	var all []Throttled
	for _, dir := range q.groups {
		b, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
		if err != nil {
			return nil, err
		}
		t, err := parseCPUStat(string(b))
		if err != nil {
			return nil, fmt.Errorf("cpu.stat of cgroup %s: %w", dir, err)
		}
		all = append(all, t)
	}
	return all, nil
}

// Unknown is why nothing can be said of throttling: no quota is seen, and there may
// be one that is not. Empty: what Read says is it.
func (q Quotas) Unknown() string {
	if len(q.groups) > 0 {
		return ""
	}
	return q.hidden
}

// parseCPUStat reads cpu.stat of cgroup v1 (throttled_time, ns) or v2
// (throttled_usec).
func parseCPUStat(text string) (Throttled, error) {
	var t Throttled
	found := map[string]bool{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		unit := map[string]time.Duration{"nr_throttled": 1, "throttled_time": time.Nanosecond, "throttled_usec": time.Microsecond}[name]
		if unit == 0 {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
		if n < 0 || n > int64(1<<63-1)/int64(unit) {
			return t, fmt.Errorf("%s is %d", name, n)
		}
		if name == "nr_throttled" {
			t.Periods = uint64(n)
			found["periods"] = true
		} else {
			t.Time = time.Duration(n) * unit
			found["time"] = true
		}
	}
	if !found["periods"] || !found["time"] {
		return t, errors.New("it does not say what was throttled")
	}
	return t, nil
}
