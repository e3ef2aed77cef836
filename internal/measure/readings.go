package measure

// Readings are what a host is doing now, beside what it is: the part of an
// examination that another second would show otherwise.
type Readings struct {
	// CPUs are shares of time on each CPU during a short sample, by CPU number.
	CPUs      map[int]CPUShare `json:"cpus,omitempty"`
	SampleNS  int64            `json:"sample_ns"`
	Load1     float64          `json:"load_1min"` // processes that wanted a CPU, averaged over a minute
	SinceBoot CPUShare         `json:"since_boot"`

	SwapUsedBytes uint64 `json:"swap_used_bytes"`

	Clock    ClockReading `json:"clock"`
	Throttle uint64       `json:"throttled"` // times a core or package was throttled for heat, since boot
	Battery  bool         `json:"on_battery"`

	PMU        string `json:"pmu_na,omitempty"` // why the hardware counts no cycles for this process; empty: it does
	Privileged bool   `json:"may_perf"`         // perf_event_paranoid does not bind this process

	Route Route `json:"route"` // to the data address

	Missing map[string]string `json:"missing,omitempty"` // field: why it could not be read
}

// CPUShare are shares of time, 0 to 1.
type CPUShare struct {
	Busy    float64 `json:"busy"`    // all but idle, waiting for a disk, and steal
	SoftIRQ float64 `json:"softirq"` // of which serving softirqs
	Steal   float64 `json:"steal"`   // the guest wanted it and the hypervisor gave it to another
}

// ClockReading is the state of the wall clock (adjtimex(2)).
type ClockReading struct {
	Synchronised bool  `json:"synchronised"`
	MaxErrorNS   int64 `json:"max_error_ns"`
	OffsetNS     int64 `json:"offset_ns"`
}

// Route is how packets to an address leave.
type Route struct {
	To      string `json:"to"`
	Device  string `json:"device,omitempty"`
	Source  string `json:"source,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	Local   bool   `json:"local,omitempty"` // the address is this host's own
}

// Steal is what the hypervisor took from the CPUs of a role during a trial's
// window.
type Steal struct {
	Role    string  `json:"role"`  // relay, client
	Agent   string  `json:"agent"` // whose host
	CPUs    string  `json:"cpus"`
	Seconds float64 `json:"steal_seconds"` // all of these CPUs together
	Window  float64 `json:"window_seconds"`
	NA      string  `json:"na,omitempty"` // why it is not known
}

// Distance is how far a CPU of the relay was from one of the client, where both are of
// one host: how long a cache line takes there and back. A hypervisor may move the CPUs
// of a guest to other caches, and what goes between relay and client then takes twice
// the time.
type Distance struct {
	CPUs     [2]int `json:"cpus"`
	BeforeNS int64  `json:"before_ns"` // the load began
	AfterNS  int64  `json:"after_ns"`  // it had ended
	// UsualNS is the median of the looks until then.
	UsualNS int64   `json:"usual_ns"`
	Waited  float64 `json:"waited_seconds,omitempty"` // for the CPUs to come near again
	NA      string  `json:"na,omitempty"`
}

// Farther is by how much a distance must be above the usual one to be another: those of
// one place differ by a fifth, those of two by a factor of three and more.
const Farther = 2

// Apart reports whether the CPUs were farther from each other than they mostly are.
func (d *Distance) Apart() bool {
	return d.NA == "" && d.UsualNS > 0 && max(d.BeforeNS, d.AfterNS) > Farther*d.UsualNS
}

// Share is the part of the CPUs' time that was taken, 0 to 1; ok is false if it is
// not known.
func (s *Steal) Share(cpus int) (share float64, ok bool) {
	if s.NA != "" || s.Window <= 0 || cpus <= 0 {
		return 0, false
	}
	return s.Seconds / (s.Window * float64(cpus)), true
}
