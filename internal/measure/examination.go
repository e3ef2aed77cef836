package measure

import "time"

// Fitness is what a check thinks of a host.
type Fitness string

// The verdicts. A host that fails one measures something else than asked for.
const (
	Fit     Fitness = "ok"
	Warn    Fitness = "warn" // numbers may vary, or be of less than the host can do
	Fail    Fitness = "fail"
	Unknown Fitness = "n/a"
)

// Verdict is one check of a host.
type Verdict struct {
	Check   string  `json:"check"`
	Verdict Fitness `json:"verdict"`
	Value   string  `json:"value"`          // what was found; of n/a: why nothing was
	Why     string  `json:"why"`            // it matters
	Mend    string  `json:"mend,omitempty"` // a command, or what to do; empty where all is well
}

// HostExamination is what was found of one host.
type HostExamination struct {
	Name       string    `json:"name"`
	Agents     []string  `json:"agents"`
	Roles      []string  `json:"roles"` // relay, client: one of each agent
	RelayCPUs  string    `json:"relay_cpus,omitempty"`
	ClientCPUs string    `json:"client_cpus,omitempty"`
	Readings   *Readings `json:"readings,omitempty"`
	Verdicts   []Verdict `json:"verdicts"`
}

// Examination is a look at all hosts of a sweep before it is run.
type Examination struct {
	Taken    time.Time         `json:"taken"`
	Hdbench  string            `json:"hdbench"` // version
	Scenario string            `json:"scenario,omitempty"`
	Hosts    []HostExamination `json:"hosts"`
}

// Count is how many verdicts of a kind there are on all hosts.
func (e *Examination) Count(f Fitness) int {
	n := 0
	for _, h := range e.Hosts {
		for _, v := range h.Verdicts {
			if v.Verdict == f {
				n++
			}
		}
	}
	return n
}
