package results

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// SetupTables are what the hosts of a sweep are, from their fingerprints, hosts
// that are alike once; none for folders older than those.
func SetupTables(hosts []HostEntry) []*Table {
	var tables []*Table
	for _, h := range hosts {
		if h.Host.Fingerprint == nil {
			continue
		}
		t := &Table{
			Title:   h.Host.Name,
			Columns: []Column{{Head: "Part", Left: true}, {Head: "What it is", Left: true, Prose: true}},
			Rows:    setupRows(h.Host), Keys: 1,
		}
		same := func(o *Table) bool { return slices.EqualFunc(o.Rows, t.Rows, slices.Equal[[]string]) }
		i := slices.IndexFunc(tables, same)
		switch {
		case i < 0:
			t.Notes = missingNotes(h.Host.Fingerprint)
			tables = append(tables, t)
		case !slices.Contains(strings.Split(tables[i].Title, ", "), h.Host.Name):
			tables[i].Title += ", " + h.Host.Name
		}
	}
	return tables
}

// missingNotes say what could not be read, reasons that several fields share once.
func missingNotes(f *measure.Fingerprint) []string {
	of := map[string][]string{}
	sysctls := 0 // most of them are of little interest
	for _, field := range slices.Sorted(maps.Keys(f.Missing)) {
		why := f.Missing[field]
		if strings.HasPrefix(field, "kernel.sysctls.") {
			sysctls++
			continue
		}
		of[why] = append(of[why], field)
	}
	var notes []string
	for _, why := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Compare(of[a][0], of[b][0]) }) {
		notes = append(notes, "n/a: "+strings.Join(of[why], ", ")+": "+why+".")
	}
	if sysctls > 0 {
		notes = append(notes, fmt.Sprintf("n/a: %s; the reasons are in %s.", plural(sysctls, "kernel setting"), FileEnvironment))
	}
	return notes
}

func setupRows(h measure.Host) [][]string {
	f := h.Fingerprint
	rows := [][]string{
		{"CPU", describeCPU(h)},
		{"Caches", textOr(f, "cpu.caches", describeCaches(f.CPU.Caches))},
		{"Frequency", describeFrequency(f)},
		{"Mitigations", textOr(f, "cpu.vulnerabilities", describeMitigations(f.CPU.Vulnerabilities))},
		{"Memory", textOr(f, "memory.total_bytes", describeMemory(f))},
		{"Kernel", describeKernel(h)},
		{"Hypervisor", textOr(f, "hypervisor", describeHypervisor(f.Hypervisor))},
		{"Sockets", describeSockets(f)},
		{"Kernel TLS", f.KTLS.Mode + ": " + cmp.Or(h.NoKTLS, f.KTLS.Evidence)},
		{"Limits", describeLimits(f)},
		{"hdbench", describeBinary(f.Binary)},
	}
	for i := range f.NICs {
		rows = append(rows, []string{f.NICs[i].Name, describeNIC(&f.NICs[i])})
	}
	if why, gone := f.Missing["nics"]; gone {
		rows = append(rows, []string{"Network", "n/a: " + why})
	}
	return rows
}

// textOr is a text, or why there is none.
func textOr(f *measure.Fingerprint, field, text string) string {
	for of := field; ; {
		if why, gone := f.Missing[of]; gone {
			return "n/a: " + why
		}
		i := strings.LastIndexByte(of, '.')
		if i < 0 {
			break
		}
		of = of[:i]
	}
	return cmp.Or(text, "none")
}

// words joins what there is.
func words(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func describeCPU(h measure.Host) string {
	c := &h.Fingerprint.CPU
	text := words(h.CPUModel, fmt.Sprintf("family %s model %s stepping %s", orUnknown(c.Family), orUnknown(c.Model), orUnknown(c.Stepping)), "microcode "+orUnknown(c.Microcode))
	if c.Cores > 0 {
		text = words(text, plural(c.Packages, "package"), plural(c.Cores, "core"), plural(c.Threads, "thread"))
	} else if c.Threads > 0 {
		text = words(text, plural(c.Threads, "thread"))
	}
	if c.SMT != "" {
		text = words(text, "SMT "+strings.Replace(c.SMT, "notsupported", "not supported", 1))
	}
	if n := len(c.Nodes); n > 0 {
		text = words(text, plural(n, "NUMA node"))
		if n > 1 {
			for _, node := range c.Nodes {
				text += fmt.Sprintf("; node %d: CPUs %s, %.0f GiB", node.ID, node.CPUs, float64(node.MemBytes)/(1<<30))
			}
		}
	}
	return text
}

func orUnknown(s string) string { return cmp.Or(s, "n/a") }

func describeCaches(cs []measure.Cache) string {
	var parts []string
	for _, c := range cs {
		text := fmt.Sprintf("%s %v", c.Name, units.Bytes(c.Bytes))
		if n := len(c.SharedBy); n > 1 {
			text = fmt.Sprintf("%s %d × %v", c.Name, n, units.Bytes(c.Bytes))
		} else if n == 1 {
			text += " of CPUs " + c.SharedBy[0]
		}
		parts = append(parts, text)
	}
	return words(parts...)
}

func describeFrequency(f *measure.Fingerprint) string {
	var parts []string
	for _, q := range f.CPU.Frequencies {
		text := q.Governor + " (" + q.Driver + ")"
		if q.EPP != "" {
			text += ", preference " + q.EPP
		}
		if q.MaxKHz > 0 {
			text += fmt.Sprintf(", %.1f to %.1f GHz", float64(q.MinKHz)/1e6, float64(q.MaxKHz)/1e6)
		}
		if len(f.CPU.Frequencies) > 1 {
			text = "CPUs " + q.CPUs + ": " + text
		}
		parts = append(parts, text)
	}
	text := textOr(f, "cpu.frequencies", strings.Join(parts, "; "))
	if t := measure.OnOff(f.CPU.Turbo); t != "" {
		text += ", turbo " + t
	}
	return text
}

func describeMitigations(of map[string]string) string {
	var mitigated, vulnerable []string
	unaffected := 0
	for _, name := range slices.Sorted(maps.Keys(of)) {
		switch text := of[name]; {
		case text == "Not affected":
			unaffected++
		case strings.HasPrefix(text, "Vulnerable"):
			vulnerable = append(vulnerable, name)
		default:
			mitigated = append(mitigated, name)
		}
	}
	var parts []string
	if len(mitigated) > 0 {
		parts = append(parts, "mitigated: "+words(mitigated...))
	}
	if len(vulnerable) > 0 {
		parts = append(parts, "vulnerable: "+words(vulnerable...))
	}
	if unaffected > 0 {
		parts = append(parts, fmt.Sprintf("not affected: %d", unaffected))
	}
	return strings.Join(parts, "; ")
}

func describeMemory(f *measure.Fingerprint) string {
	text := fmt.Sprintf("%.1f GiB", float64(f.Memory.TotalBytes)/(1<<30))
	swap := "no swap"
	if f.Memory.SwapBytes > 0 {
		swap = fmt.Sprintf("swap %.1f GiB", float64(f.Memory.SwapBytes)/(1<<30))
	}
	if f.Memory.HugePages != "" {
		swap += ", transparent huge pages " + f.Memory.HugePages
	}
	return words(text, swap)
}

func describeKernel(h measure.Host) string {
	f := h.Fingerprint
	given, _ := measure.KernelParameters(f.Kernel.Cmdline) // the whole line, in a record of an older version
	clock := ""
	if f.Kernel.ClockSource != "" {
		clock = "clock source " + f.Kernel.ClockSource
	}
	return words("Linux "+h.Kernel+" "+h.Arch, f.Kernel.Version, given, clock)
}

func describeHypervisor(v *measure.Hypervisor) string {
	if v == nil {
		return "none shows itself"
	}
	return v.Name + ": " + v.How
}

func describeSockets(f *measure.Fingerprint) string {
	var parts []string
	for _, name := range []string{
		"net.ipv4.tcp_congestion_control", "net.core.rmem_max", "net.core.wmem_max", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
		"net.core.somaxconn", "net.core.netdev_max_backlog", "net.core.default_qdisc",
	} {
		parts = append(parts, name[strings.LastIndexByte(name, '.')+1:]+" "+orUnknown(f.Kernel.Sysctls[name]))
	}
	return words(parts...)
}

func describeLimits(f *measure.Fingerprint) string {
	quota := "no quota of CPU time"
	if why, gone := f.Missing["limits.cpu_quota"]; gone {
		quota = "quota of CPU time n/a: " + why
	} else if f.Limits.CPUs > 0 {
		quota = fmt.Sprintf("%.2g CPUs of time", f.Limits.CPUs)
	}
	return words(textOr(f, "limits.files", fmt.Sprintf("%d open files", f.Limits.FilesHard)), quota)
}

func describeBinary(b measure.Binary) string {
	parts := []string{b.Go}
	for _, k := range slices.Sorted(maps.Keys(b.Settings)) {
		if !strings.HasPrefix(k, "vcs.") { // which is what the version says
			parts = append(parts, k+"="+b.Settings[k])
		}
	}
	return strings.Join(parts, " ")
}

// offloads shown, by their usual names.
var offloads = []struct{ feature, name string }{
	{"tx-tcp-segmentation", "TSO"}, {"tx-generic-segmentation", "GSO"}, {"rx-gro", "GRO"}, {"rx-lro", "LRO"},
	{"tls-hw-tx-offload", "TLS transmit"}, {"tls-hw-rx-offload", "TLS receive"},
}

func describeNIC(n *measure.NIC) string {
	speed := "speed n/a"
	if n.Mbps > 0 {
		speed = fmt.Sprintf("%d Mbit/s", n.Mbps)
	}
	driver := strings.TrimSpace(n.Driver + " " + n.Version)
	if !n.Physical {
		driver = words(driver, "no device")
	}
	firmware, rings, channels := "", "", fmt.Sprintf("queues rx %d tx %d", n.RxQueues, n.TxQueues)
	if n.Firmware != "" {
		firmware = "firmware " + n.Firmware
	}
	if n.Rings != nil {
		rings = fmt.Sprintf("rings rx %d/%d tx %d/%d", n.Rings["rx"], n.Rings["rx_max"], n.Rings["tx"], n.Rings["tx_max"])
	}
	coalesce := ""
	if c := n.Coalesce; c != nil {
		coalesce = fmt.Sprintf("coalescing rx %d µs tx %d µs", c["rx_usecs"], c["tx_usecs"])
		if c["adaptive_rx"]+c["adaptive_tx"] > 0 {
			coalesce += ", adaptive"
		}
	}
	var on, off []string
	for _, o := range offloads {
		switch state, known := n.Offloads[o.feature]; {
		case !known:
		case state:
			on = append(on, o.name)
		default:
			off = append(off, o.name)
		}
	}
	irqs := ""
	if len(n.IRQs) > 0 {
		on := cpu.Of()
		for _, q := range n.IRQs {
			if set, err := cpu.Parse(q.CPUs); err == nil {
				on = on.Union(set)
			}
		}
		irqs = plural(len(n.IRQs), "IRQ") + " on CPUs " + orUnknown(on.String())
	}
	state := func(name string, of []string) string {
		if len(of) == 0 {
			return ""
		}
		return name + ": " + strings.Join(of, " ")
	}
	return words(cmp.Or(n.Model, n.PCIID), driver, firmware, speed, fmt.Sprintf("MTU %d", n.MTU), channels, rings, coalesce, irqs, state("on", on), state("off", off))
}
