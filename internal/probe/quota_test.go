package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cgroupHost is a recorded host with process 7 (and 8, its child): files of cgroups,
// /proc/7/cgroup and mountinfo.
type cgroupHost struct {
	cgroup, mounts string
	namespace      string // of cgroups; empty: the host's first
	files          map[string]string
}

func (h cgroupHost) source(t *testing.T) Source {
	t.Helper()
	s := Source{Root: t.TempDir()}
	put := func(name, text string) {
		t.Helper()
		path := s.path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range h.files {
		put(name, text)
	}
	put("proc/self/mountinfo", h.mounts)
	put("proc/7/stat", "")
	if h.cgroup != "" {
		put("proc/7/cgroup", h.cgroup)
	}
	ns := h.namespace
	if ns == "" {
		ns = "cgroup:[4026531835]"
	}
	if err := os.MkdirAll(s.path("proc/self/ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(ns, s.path("proc/self/ns/cgroup")); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	mountV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	// As systemd mounts v1, and Docker shows it to a container.
	mountsV1 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" +
		"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n" +
		"34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountInContainerV1 = "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,relatime - cgroup cgroup rw,cpu,cpuacct\n"

	statV2 = "usage_usec 5042000\nuser_usec 4100000\nsystem_usec 942000\nnice_usec 0\ncore_sched.force_idle_usec 0\n" +
		"nr_periods 120\nnr_throttled 97\nthrottled_usec 8123456\nnr_bursts 0\nburst_usec 0\n"
	statV1 = "nr_periods 12\nnr_throttled 9\nthrottled_time 812345678\nnr_bursts 0\nburst_time 0\n"
)

func TestQuotasOfRecordedHosts(t *testing.T) {
	for name, c := range map[string]struct {
		host    cgroupHost
		want    []Throttled
		unknown string // part of it
	}{
		"v2, a quota two levels up": {
			host: cgroupHost{cgroup: "0::/machine.slice/a.service/leaf\n", mounts: mountV2, files: map[string]string{
				"sys/fs/cgroup/cpu.stat":                                 "usage_usec 1\n",
				"sys/fs/cgroup/machine.slice/cpu.max":                    "50000 100000\n",
				"sys/fs/cgroup/machine.slice/cpu.stat":                   statV2,
				"sys/fs/cgroup/machine.slice/a.service/cpu.max":          "max 100000\n",
				"sys/fs/cgroup/machine.slice/a.service/leaf/cgroup.type": "domain\n",
			}},
			want: []Throttled{{8123456 * time.Microsecond, 97}},
		},
		"v2, two quotas, the nearest first": {
			host: cgroupHost{cgroup: "0::/a/b\n", mounts: mountV2, files: map[string]string{
				"sys/fs/cgroup/a/b/cpu.max": "200000 100000\n", "sys/fs/cgroup/a/b/cpu.stat": "nr_throttled 0\nthrottled_usec 0\n",
				"sys/fs/cgroup/a/cpu.max": "1000 100000\n", "sys/fs/cgroup/a/cpu.stat": statV2,
			}},
			want: []Throttled{{}, {8123456 * time.Microsecond, 97}},
		},
		"v2, none": {host: cgroupHost{cgroup: "0::/user.slice\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
		}}},
		"v2, in a container with a quota": {
			host: cgroupHost{cgroup: "0::/\n", mounts: mountV2, namespace: "cgroup:[4026532448]", files: map[string]string{
				"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/cpu.stat": statV2,
			}},
			want: []Throttled{{8123456 * time.Microsecond, 97}},
		},
		"v2, in a container without one of its own": {
			host: cgroupHost{cgroup: "0::/\n", mounts: mountV2, namespace: "cgroup:[4026532448]", files: map[string]string{
				"sys/fs/cgroup/cpu.max": "max 100000\n",
			}},
			unknown: "hidden",
		},
		"v2, not mounted":           {host: cgroupHost{cgroup: "0::/\n", mounts: "1 0 0:1 / / rw - ext4 /dev/vda rw\n"}, unknown: "not mounted"},
		"v2, outside the namespace": {host: cgroupHost{cgroup: "0::/../other\n", mounts: mountV2, files: map[string]string{"sys/fs/cgroup/x": ""}}, unknown: "/../other"},
		"v1, beside v2": {
			host: cgroupHost{cgroup: "4:memory:/\n3:cpuset:/\n2:cpu,cpuacct:/a\n1:name=systemd:/\n0::/a\n", mounts: mountsV1, files: map[string]string{
				"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":   "-1\n",
				"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "20000\n", "sys/fs/cgroup/cpu,cpuacct/a/cpu.stat": statV1,
			}},
			want: []Throttled{{812345678, 9}},
		},
		"v1, none": {host: cgroupHost{cgroup: "2:cpu,cpuacct:/\n0::/\n", mounts: mountsV1, files: map[string]string{
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.stat": statV1,
		}}},
		"v1, in a container with a quota": {
			host: cgroupHost{cgroup: "2:cpu,cpuacct:/docker/abc\n", mounts: mountInContainerV1, files: map[string]string{
				"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "5000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.stat": statV1,
			}},
			want: []Throttled{{812345678, 9}},
		},
		"v1, in a container without one of its own": {
			host: cgroupHost{cgroup: "2:cpu,cpuacct:/docker/abc\n", mounts: mountInContainerV1, files: map[string]string{
				"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
			}},
			unknown: "hidden",
		},
		"no CPU controller":      {host: cgroupHost{cgroup: "3:cpuset:/\n", mounts: mountsV1}},
		"kernel without cgroups": {host: cgroupHost{mounts: mountsV1}},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := c.host.source(t).quotas([]int{7, 8}) // 8 is gone meanwhile
			if err != nil {
				t.Fatal(err)
			}
			got, err := q.Read()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%+v, want %+v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%+v, want %+v", got[i], c.want[i])
				}
			}
			if why := q.Unknown(); (why == "") != (c.unknown == "") || !strings.Contains(why, c.unknown) {
				t.Errorf("unknown because %q, want %q", why, c.unknown)
			}
		})
	}
}

func TestQuotasThatCannotBeRead(t *testing.T) {
	for name, h := range map[string]cgroupHost{
		"the cgroup is gone": {cgroup: "0::/gone\n", mounts: mountV2},
		"nonsense in v2":     {cgroup: "0::/\n", mounts: mountV2, files: map[string]string{"sys/fs/cgroup/cpu.max": "\n"}},
		"nonsense in v1":     {cgroup: "2:cpu,cpuacct:/\n", mounts: mountsV1, files: map[string]string{"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-2\n"}},
		"no cgroup at all":   {cgroup: "x\n", mounts: mountV2},
	} {
		if q, err := h.source(t).quotas([]int{7}); err == nil {
			t.Errorf("%s: %+v", name, q)
		}
	}
	if _, err := (cgroupHost{mounts: mountV2}).source(t).quotas([]int{9}); err == nil {
		t.Error("a process that does not exist has quotas")
	}
	s := cgroupHost{cgroup: "0::/\n", mounts: mountV2, files: map[string]string{
		"sys/fs/cgroup/cpu.max": "1000 100000\n", "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
	}}.source(t)
	q, err := s.quotas([]int{7})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := q.Read(); err == nil {
		t.Errorf("a quota whose group counts nothing: %+v", all)
	}
}

func TestQuotasOfThisProcess(t *testing.T) {
	q, err := TreeQuotas(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	all, err := q.Read()
	if err != nil || len(all) > 0 && q.Unknown() != "" {
		t.Errorf("%+v, %v, unknown because %q", all, err, q.Unknown())
	}
}

func FuzzCPUStat(f *testing.F) {
	for _, s := range []string{statV1, statV2, "", "nr_throttled -1\nthrottled_usec 1\n", "nr_throttled 1\nthrottled_usec 9223372036854775807\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseCPUStat(s); err == nil && got.Time < 0 {
			t.Errorf("%q: %+v", s, got)
		}
	})
}
