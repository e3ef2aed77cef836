package measure

// Fingerprint is all of a host that its numbers may depend on, as far as it could
// be read. What could not is in Missing, by the path of its field, with the
// reason: an empty field that is not in Missing is empty.
//
// What of it makes a host another one is for Differences to say; the rest is only
// recorded.
type Fingerprint struct {
	CPU        CPUPrint    `json:"cpu"`
	Memory     MemoryPrint `json:"memory"`
	Kernel     KernelPrint `json:"kernel"`
	Hypervisor *Hypervisor `json:"hypervisor,omitempty"` // nil: none is known of
	NICs       []NIC       `json:"nics,omitempty"`       // those that are up, by name; not loopback
	KTLS       KTLSPrint   `json:"ktls"`
	Limits     Limits      `json:"limits"`
	Binary     Binary      `json:"binary"`

	Missing map[string]string `json:"missing,omitempty"` // field: why it could not be read
}

// CPUPrint is the processor.
type CPUPrint struct {
	Vendor    string `json:"vendor,omitempty"`
	Family    string `json:"family,omitempty"`
	Model     string `json:"model,omitempty"`
	Stepping  string `json:"stepping,omitempty"`
	Microcode string `json:"microcode,omitempty"`

	Packages int    `json:"packages,omitempty"`
	Cores    int    `json:"cores,omitempty"`   // physical, of all packages
	Threads  int    `json:"threads,omitempty"` // online
	SMT      string `json:"smt,omitempty"`     // /sys/devices/system/cpu/smt/control: on, off, notsupported, …

	// ThreadSiblings are the CPU lists of the cores that have more than one thread.
	ThreadSiblings []string `json:"thread_siblings,omitempty"`

	Nodes  []NUMANode `json:"numa_nodes,omitempty"`
	Caches []Cache    `json:"caches,omitempty"`

	Frequencies []Frequency `json:"frequencies,omitempty"` // a group each distinct setting
	Turbo       *bool       `json:"turbo,omitempty"`       // nil: not known

	Vulnerabilities map[string]string `json:"vulnerabilities,omitempty"` // as the kernel words it
}

// NUMANode is a node with memory or CPUs of its own.
type NUMANode struct {
	ID       int    `json:"id"`
	CPUs     string `json:"cpus"`
	MemBytes uint64 `json:"mem_bytes,omitempty"`
}

// Cache is one kind of cache.
type Cache struct {
	Name     string   `json:"name"` // L1d, L1i, L2, L3
	Bytes    uint64   `json:"bytes"`
	SharedBy []string `json:"shared_by"` // the CPU list of each instance
}

// Frequency is how the CPUs of a list are clocked.
type Frequency struct {
	CPUs     string `json:"cpus"`
	Driver   string `json:"driver"`
	Governor string `json:"governor"`
	EPP      string `json:"energy_performance_preference,omitempty"`
	MinKHz   uint64 `json:"min_khz,omitempty"` // as limited by the governor's settings
	MaxKHz   uint64 `json:"max_khz,omitempty"`
	TopKHz   uint64 `json:"top_khz,omitempty"` // what the hardware can do
}

// MemoryPrint is the memory.
type MemoryPrint struct {
	TotalBytes uint64 `json:"total_bytes,omitempty"`
	SwapBytes  uint64 `json:"swap_bytes,omitempty"`
	HugePages  string `json:"transparent_huge_pages,omitempty"`
}

// KernelPrint is the kernel and how it is set.
type KernelPrint struct {
	Version string `json:"version,omitempty"` // of its build, beside the release
	Cmdline string `json:"cmdline,omitempty"` // what KernelParameters keeps of it
	// CmdlineLeftOut is how many words of it are not recorded.
	CmdlineLeftOut int               `json:"cmdline_left_out,omitempty"`
	Sysctls        map[string]string `json:"sysctls,omitempty"`
	ClockSource    string            `json:"clock_source,omitempty"`
	ClockSources   []string          `json:"clock_sources,omitempty"` // that it could use
}

// Hypervisor is what the host runs on, if it is a machine's guest.
type Hypervisor struct {
	Name string `json:"name"`
	How  string `json:"how"` // it is known
}

// NIC is a network interface.
type NIC struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses,omitempty"`
	Physical  bool     `json:"physical"` // it has a device; else a bridge, bond, VLAN, tunnel, …
	State     string   `json:"state,omitempty"`
	Mbps      int64    `json:"speed_mbps,omitempty"`
	MTU       int64    `json:"mtu,omitempty"`
	Node      *int     `json:"numa_node,omitempty"`

	Driver   string `json:"driver,omitempty"`
	Version  string `json:"driver_version,omitempty"`
	Firmware string `json:"firmware,omitempty"`
	Bus      string `json:"bus,omitempty"`    // such as 0000:03:00.0
	PCIID    string `json:"pci_id,omitempty"` // vendor:device
	Model    string `json:"model,omitempty"`  // by the PCI ID database

	RxQueues int    `json:"rx_queues,omitempty"`
	TxQueues int    `json:"tx_queues,omitempty"`
	RPS      string `json:"rps_cpus,omitempty"` // of all receive queues together; empty: off
	XPS      string `json:"xps_cpus,omitempty"` // of all send queues together
	IRQs     []IRQ  `json:"irqs,omitempty"`

	NICSettings
}

// NICSettings are what ethtool shows. A nil map is one that could not be read.
type NICSettings struct {
	Rings    map[string]uint32 `json:"rings,omitempty"` // entries: rx, tx, rx_max, tx_max
	Coalesce map[string]uint32 `json:"coalesce,omitempty"`
	Channels map[string]uint32 `json:"channels,omitempty"`
	Offloads map[string]bool   `json:"offloads,omitempty"` // every feature the kernel knows of it
}

// IRQ is an interrupt and where it is served.
type IRQ struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
	CPUs   string `json:"cpus,omitempty"` // that serve it now
}

// The modes of kernel TLS.
const (
	KTLSNone     = "none"
	KTLSSoftware = "software"
	KTLSDevice   = "device"
)

// KTLSPrint is who seals records for sockets of this kernel. Software where no
// device says it can.
type KTLSPrint struct {
	Mode     string `json:"mode"`
	Evidence string `json:"evidence"`
}

// Limits are those of the process that looked, and of what it starts.
type Limits struct {
	FilesSoft uint64 `json:"files_soft,omitempty"`
	FilesHard uint64 `json:"files_hard,omitempty"`
	// CPUs is how many of them the control group lets it use; 0: no quota.
	CPUs float64 `json:"cpu_quota,omitempty"`
}

// Binary is the hdbench on the host.
type Binary struct {
	Go       string            `json:"go,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // of its build: GOAMD64, -race, vcs.revision, …
}
