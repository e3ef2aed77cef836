package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jaypipes/pcidb"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

const dirNet = "sys/class/net"

// nics are the interfaces that traffic of a relay could take: up, and either a
// device's or with an address of its own. Loopback is none.
func (s Source) nics(m *missing) []measure.NIC {
	entries, err := os.ReadDir(s.path(dirNet))
	if err != nil {
		m.add("nics", err)
		return nil
	}
	names, err := s.irqNames()
	m.add("irqs", err)
	var nics []measure.NIC
	for _, e := range entries {
		n := measure.NIC{Name: e.Name()}
		if n.Name == "lo" {
			continue
		}
		n.State, _ = s.text(dirNet, n.Name, "operstate")
		if n.State == "down" || n.State == "notpresent" || n.State == "lowerlayerdown" {
			continue
		}
		_, err := os.Stat(s.path(dirNet, n.Name, "device"))
		n.Physical = err == nil
		n.Addresses, err = s.Addresses(n.Name)
		m.add("nics."+n.Name+".addresses", err)
		if !n.Physical && len(n.Addresses) == 0 {
			continue
		}
		s.nic(&n, names, m)
		nics = append(nics, n)
	}
	return nics
}

func (s Source) nic(n *measure.NIC, irqNames map[int]string, m *missing) {
	miss := func(field string, err error) { m.add("nics."+n.Name+"."+field, err) }
	var err error
	if n.MTU, err = s.number(dirNet, n.Name, "mtu"); err != nil {
		miss("mtu", err)
	}
	switch n.Mbps, err = s.number(dirNet, n.Name, "speed"); {
	case err != nil:
		miss("speed_mbps", err)
	case n.Mbps <= 0: // -1: the driver does not say
		n.Mbps = 0
		miss("speed_mbps", errors.New("its driver does not say"))
	}
	s.queues(n, miss)
	s.Ethtool(n, miss)
	if n.Physical {
		s.device(n, irqNames, miss)
	}
}

// device looks at what an interface's device is.
func (s Source) device(n *measure.NIC, irqNames map[int]string, miss func(string, error)) {
	dev, err := filepath.EvalSymlinks(s.path(dirNet, n.Name, "device"))
	if err != nil {
		miss("device", err)
		return
	}
	if n.Driver == "" {
		driver, err := os.Readlink(filepath.Join(dev, "driver"))
		miss("driver", err)
		if err == nil {
			n.Driver = filepath.Base(driver)
		}
	}
	// A virtio device hangs below its PCI function.
	pci := dev
	if _, err := os.Stat(filepath.Join(pci, "class")); err != nil {
		pci = filepath.Dir(dev)
	}
	if _, err := os.Stat(filepath.Join(pci, "class")); err != nil {
		miss("bus", errors.New("it is no PCI device"))
		return
	}
	n.Bus = filepath.Base(pci)
	below := strings.TrimPrefix(pci, filepath.Clean(s.path()))
	vendor, errV := s.text(below, "vendor")
	device, errD := s.text(below, "device")
	if err := errors.Join(errV, errD); err != nil {
		miss("pci_id", err)
	} else {
		n.PCIID = strings.TrimPrefix(vendor, "0x") + ":" + strings.TrimPrefix(device, "0x")
		n.Model, err = s.pciName(strings.TrimPrefix(vendor, "0x"), strings.TrimPrefix(device, "0x"))
		miss("model", err)
	}
	if node, err := s.number(below, "numa_node"); err == nil && node >= 0 { // -1: there is one only
		i := int(node)
		n.Node = &i
	}
	numbers, err := s.numbered("", below, "msi_irqs")
	miss("irqs", err)
	for _, irq := range numbers {
		at := measure.IRQ{Number: irq, Name: irqNames[irq]}
		// What serves it, or where older kernels do not tell: what may.
		if at.CPUs, err = s.text("proc/irq", strconv.Itoa(irq), "effective_affinity_list"); err != nil || at.CPUs == "" {
			at.CPUs, err = s.text("proc/irq", strconv.Itoa(irq), "smp_affinity_list")
		}
		miss("irqs."+strconv.Itoa(irq), err)
		n.IRQs = append(n.IRQs, at)
	}
}

// pciDatabases are where distributions keep the PCI ID database.
var pciDatabases = []string{"usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "usr/share/pci.ids"}

// pciName is what the PCI ID database calls a device.
func (s Source) pciName(vendor, device string) (string, error) {
	for _, name := range pciDatabases {
		if _, err := os.Stat(s.path(name)); err != nil {
			continue
		}
		db, err := pcidb.New(pcidb.WithPath(s.path(name)))
		if err != nil {
			return "", err
		}
		p, ok := db.Products[vendor+device]
		if !ok {
			return "", fmt.Errorf("/%s does not know %s:%s", name, vendor, device)
		}
		return db.Vendors[vendor].Name + " " + p.Name, nil
	}
	return "", errors.New("no pci.ids is there: install pciutils or hwdata")
}

// queues counts an interface's queues and unites the CPUs that steering names.
func (s Source) queues(n *measure.NIC, miss func(string, error)) {
	for _, side := range []struct {
		prefix, mask, field string
		count               *int
		cpus                *string
	}{{"rx-", "rps_cpus", "rps_cpus", &n.RxQueues, &n.RPS}, {"tx-", "xps_cpus", "xps_cpus", &n.TxQueues, &n.XPS}} {
		ids, err := s.numbered(side.prefix, dirNet, n.Name, "queues")
		if err != nil {
			miss("queues", err)
			return
		}
		*side.count = len(ids)
		all := cpu.Of()
		for _, id := range ids {
			text, err := s.text(dirNet, n.Name, "queues", side.prefix+strconv.Itoa(id), side.mask)
			if err == nil {
				var set cpu.Set
				set, err = parseMask(text)
				all = all.Union(set)
			}
			if err != nil { // a device with one queue has no XPS
				miss(side.field, err)
			}
		}
		*side.cpus = all.String()
	}
}

// parseMask reads a CPU mask as the kernel writes it: hexadecimal words of 32 bits,
// the highest first, with commas between.
func parseMask(s string) (cpu.Set, error) {
	var cpus []int
	words := strings.Split(s, ",")
	slices.Reverse(words)
	for i, w := range words {
		bits, err := strconv.ParseUint(w, 16, 32)
		if err != nil {
			return cpu.Of(), fmt.Errorf("CPU mask %q: %w", s, err)
		}
		for b := range 32 {
			if bits>>b&1 == 1 {
				cpus = append(cpus, 32*i+b)
			}
		}
	}
	return cpu.Of(cpus...), nil
}

// irqNames are the devices of /proc/interrupts by number. The last word of a line
// names the queue; what comes before is the chip.
func (s Source) irqNames() (map[int]string, error) {
	text, err := s.text("proc/interrupts")
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for line := range strings.Lines(text) {
		number, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.Atoi(number); ok && err == nil {
			if w := strings.Fields(rest); len(w) > 0 {
				names[n] = w[len(w)-1]
			}
		}
	}
	return names, nil
}

// interfaceAddresses are an interface's, without those of the link alone.
func interfaceAddresses(name string) ([]string, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	all, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	var as []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
			as = append(as, ip.String())
		}
	}
	return as, nil
}
