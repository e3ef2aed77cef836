package measure

// Host is what a host is, as far as numbers measured on it depend on it.
type Host struct {
	_ [0]func() // not comparable: a fingerprint is a pointer, so == would say that no two hosts are the same; see Same

	Name       string `json:"name"`
	OS         string `json:"os"`
	Kernel     string `json:"kernel"`
	Arch       string `json:"arch"`
	CPUModel   string `json:"cpu_model"`
	CPUs       string `json:"cpus"` // those this process may use
	MemBytes   uint64 `json:"mem_bytes"`
	Congestion string `json:"tcp_congestion_control"` // default of new sockets
	Virtual    bool   `json:"virtualised"`            // the CPU reports a hypervisor
	Go         string `json:"go"`
	Lab        string `json:"lab,omitempty"`         // a kernel of the lab: what it is, and what its numbers are not
	NoCPUTime  string `json:"no_cpu_time,omitempty"` // why the CPU time of its processes cannot be told; empty: it can
	NoKTLS     string `json:"no_ktls,omitempty"`     // why its kernel cannot carry TLS records; empty: it can

	Fingerprint *Fingerprint `json:"fingerprint,omitempty"` // nil in records older than it
}
