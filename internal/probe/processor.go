package probe

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs/sysfs"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

func (s Source) processor(p *measure.CPUPrint, m *missing) {
	if proc, err := s.proc(); err != nil {
		m.add("cpu.model", err)
	} else if infos, err := proc.CPUInfo(); err != nil || len(infos) == 0 {
		m.add("cpu.model", cmp.Or(err, errors.New("/proc/cpuinfo lists no CPU")))
	} else {
		c := infos[0]
		p.Vendor, p.Family, p.Model, p.Stepping, p.Microcode = c.VendorID, c.CPUFamily, c.Model, c.Stepping, c.Microcode
		p.Threads = len(infos)
		if p.Microcode == "" {
			m.add("cpu.microcode", errors.New("/proc/cpuinfo does not tell"))
		}
	}
	if sys, err := s.sys(); err != nil {
		m.add("cpu.topology", err)
	} else {
		m.add("cpu.topology", s.topology(sys, p))
	}
	var err error
	p.SMT, err = s.text("sys/devices/system/cpu/smt/control")
	m.add("cpu.smt", err)
	p.Nodes, err = s.nodes()
	m.add("cpu.numa_nodes", err)
	p.Caches, err = s.caches()
	m.add("cpu.caches", err)
	p.Vulnerabilities, err = s.texts("sys/devices/system/cpu/vulnerabilities")
	m.add("cpu.vulnerabilities", err)
}

// topology counts packages and cores, and lists the cores of several threads.
func (s Source) topology(sys sysfs.FS, p *measure.CPUPrint) error {
	if _, err := os.Stat(s.path("sys/devices/system/cpu")); err != nil {
		return err // CPUs would be none
	}
	cpus, err := sys.CPUs()
	if err != nil {
		return err
	}
	packages, cores := map[string]bool{}, map[string]bool{}
	for _, c := range cpus {
		if _, err := s.text("sys/devices/system/cpu", "cpu"+c.Number(), "topology/core_id"); err != nil {
			if len(cores) > 0 { // offline: it has none
				continue
			}
			return err
		}
		t, err := c.Topology()
		if err != nil {
			return err
		}
		packages[t.PhysicalPackageID] = true
		if !cores[t.ThreadSiblingsList] && strings.ContainsAny(t.ThreadSiblingsList, ",-") {
			p.ThreadSiblings = append(p.ThreadSiblings, t.ThreadSiblingsList)
		}
		cores[t.ThreadSiblingsList] = true
	}
	p.Packages, p.Cores = len(packages), len(cores)
	slices.SortFunc(p.ThreadSiblings, byFirstCPU)
	return nil
}

// byFirstCPU orders CPU lists by their first number.
func byFirstCPU(a, b string) int {
	first := func(s string) int {
		n, _ := strconv.Atoi(s[:len(s)-len(strings.TrimLeft(s, "0123456789"))])
		return n
	}
	return cmp.Or(cmp.Compare(first(a), first(b)), strings.Compare(a, b))
}

// numbered are the numbers of a folder's entries of the form PREFIXn, ascending.
func (s Source) numbered(prefix string, parts ...string) ([]int, error) {
	entries, err := os.ReadDir(s.path(parts...))
	if err != nil {
		return nil, err
	}
	var ns []int
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				ns = append(ns, n)
			}
		}
	}
	slices.Sort(ns)
	return ns, nil
}

// texts are a folder's files with what is in them.
func (s Source) texts(parts ...string) (map[string]string, error) {
	entries, err := os.ReadDir(s.path(parts...))
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, e := range entries {
		if texts[e.Name()], err = s.text(append(parts, e.Name())...); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (s Source) nodes() ([]measure.NUMANode, error) {
	const dir = "sys/devices/system/node"
	ids, err := s.numbered("node", dir)
	if err != nil {
		return nil, err
	}
	var nodes []measure.NUMANode
	for _, id := range ids {
		n := measure.NUMANode{ID: id}
		name := "node" + strconv.Itoa(id)
		if n.CPUs, err = s.text(dir, name, "cpulist"); err != nil {
			return nil, err
		}
		info, err := s.text(dir, name, "meminfo") // "Node 0 MemTotal: 8139012 kB"
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(info) {
			if w := strings.Fields(line); len(w) >= 4 && w[2] == "MemTotal:" {
				kb, err := strconv.ParseUint(w[3], 10, 64)
				if err != nil {
					return nil, fmt.Errorf("meminfo of node %d: %w", id, err)
				}
				n.MemBytes = kb << 10
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// caches are the data, instruction and unified caches, each kind once with the
// CPUs that share each of its instances.
func (s Source) caches() ([]measure.Cache, error) {
	const dir = "sys/devices/system/cpu"
	cpus, err := s.numbered("cpu", dir)
	if err != nil {
		return nil, err
	}
	var caches []measure.Cache
	for _, c := range cpus {
		folder := dir + "/cpu" + strconv.Itoa(c) + "/cache"
		indexes, err := s.numbered("index", folder)
		if err != nil {
			if len(caches) > 0 { // offline
				continue
			}
			return nil, err
		}
		for _, i := range indexes {
			of := map[string]string{}
			for _, name := range []string{"level", "type", "size", "shared_cpu_list"} {
				if of[name], err = s.text(folder, "index"+strconv.Itoa(i), name); err != nil {
					return nil, err
				}
			}
			kib, err := strconv.ParseUint(strings.TrimSuffix(of["size"], "K"), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("size of a cache of CPU %d: %w", c, err)
			}
			name := "L" + of["level"] + map[string]string{"Data": "d", "Instruction": "i"}[of["type"]]
			at := slices.IndexFunc(caches, func(k measure.Cache) bool { return k.Name == name && k.Bytes == kib<<10 })
			if at < 0 {
				at = len(caches)
				caches = append(caches, measure.Cache{Name: name, Bytes: kib << 10})
			}
			if !slices.Contains(caches[at].SharedBy, of["shared_cpu_list"]) {
				caches[at].SharedBy = append(caches[at].SharedBy, of["shared_cpu_list"])
			}
		}
	}
	if len(caches) == 0 {
		return nil, errors.New("/" + dir + "/cpu0/cache is empty")
	}
	slices.SortStableFunc(caches, func(a, b measure.Cache) int { return strings.Compare(a.Name, b.Name) })
	return caches, nil
}

// frequencies groups the CPUs by how they are clocked.
func (s Source) frequencies(p *measure.CPUPrint, m *missing) {
	var err error
	p.Frequencies, err = s.frequencyGroups()
	m.add("cpu.frequencies", err)
	// Two drivers, two switches of opposite sense: kernel, admin-guide/pm.
	if off, err := s.number("sys/devices/system/cpu/intel_pstate/no_turbo"); err == nil {
		on := off == 0
		p.Turbo = &on
	} else if boost, err := s.number("sys/devices/system/cpu/cpufreq/boost"); err == nil {
		on := boost == 1
		p.Turbo = &on
	} else if _, err := os.Stat(s.path("sys/devices/system/cpu")); err != nil {
		m.add("cpu.turbo", err)
	} else {
		m.add("cpu.turbo", errors.New("neither intel_pstate/no_turbo nor cpufreq/boost is there: the kernel does not set the frequency"))
	}
}

func (s Source) frequencyGroups() ([]measure.Frequency, error) {
	const dir = "sys/devices/system/cpu"
	cpus, err := s.numbered("cpu", dir)
	if err != nil {
		return nil, err
	}
	var groups []measure.Frequency
	var of []cpu.Set
	for _, c := range cpus {
		folder := dir + "/cpu" + strconv.Itoa(c) + "/cpufreq"
		var f measure.Frequency
		if f.Governor, err = s.text(folder, "scaling_governor"); err != nil {
			if len(groups) > 0 { // offline
				continue
			}
			return nil, err
		}
		if f.Driver, err = s.text(folder, "scaling_driver"); err != nil {
			return nil, err
		}
		f.EPP, _ = s.text(folder, "energy_performance_preference") // of some drivers only
		for name, p := range map[string]*uint64{"scaling_min_freq": &f.MinKHz, "scaling_max_freq": &f.MaxKHz, "cpuinfo_max_freq": &f.TopKHz} {
			if n, err := s.number(folder, name); err == nil && n > 0 {
				*p = uint64(n)
			}
		}
		at := slices.Index(groups, f)
		if at < 0 {
			at = len(groups)
			groups, of = append(groups, f), append(of, cpu.Of())
		}
		of[at] = of[at].Union(cpu.Of(c))
	}
	for i := range groups {
		groups[i].CPUs = of[i].String()
	}
	return groups, nil
}
