package measure

// Profile is where a process, its threads and descendants were found running: a
// sampled call stack after another, put into categories.
//
// Shares are of Weight, which is what the event counts: nanoseconds of cpu-clock,
// cycles of cycles. Of cpu-clock every sample weighs the same.
type Profile struct {
	Binary      string  `json:"binary"`       // file name of the process's program
	Event       string  `json:"event"`        // cpu-clock or cycles
	FrequencyHz int     `json:"frequency_hz"` // asked for, per CPU in use
	Seconds     float64 `json:"seconds"`      // how long was sampled, wall time
	Processes   int     `json:"processes"`    // found running
	Threads     int     `json:"threads"`      // found running

	Samples   uint64 `json:"samples"`
	Weight    uint64 `json:"weight"`
	Lost      uint64 `json:"lost_samples"`                // the ring was full: nobody knows where they were
	Throttled uint64 `json:"throttled,omitempty"`         // times the kernel held sampling back
	LeafOnly  uint64 `json:"leaf_only_samples,omitempty"` // kept without their callers: too many different stacks
	// Unresolved are samples whose function has no name, by the space it is in.
	UnresolvedKernel uint64 `json:"unresolved_kernel_samples"`
	UnresolvedUser   uint64 `json:"unresolved_user_samples"`

	Rules      string          `json:"rules"`      // the rules file, or built in
	Categories []CategoryShare `json:"categories"` // heaviest first; what no rule knows is named unknown

	Functions      []FunctionShare `json:"functions"`       // the heaviest
	OtherFunctions int             `json:"other_functions"` // how many more there are
	OtherWeight    uint64          `json:"other_weight"`    // and their weight

	SamplerCPU float64  `json:"sampler_cpu_seconds"` // of reading the samples; what taking them costs is the process's own
	Notes      []string `json:"notes,omitempty"`     // what a reader must know: names that could not be read, and why
	File       string   `json:"file,omitempty"`      // the pprof profile, in the results folder
	Folded     string   `json:"folded,omitempty"`    // the folded stacks
}

// CategoryUnknown is what no rule has put anywhere.
const CategoryUnknown = "unknown"

// CategoryShare is what one category weighs.
type CategoryShare struct {
	Name    string `json:"name"`
	Kernel  bool   `json:"kernel"`
	Samples uint64 `json:"samples"`
	Weight  uint64 `json:"weight"`
}

// FunctionShare is what one function weighs by itself, without what it calls.
type FunctionShare struct {
	Name     string `json:"name"`
	Module   string `json:"module"` // binary or library; kernel, or [module]
	Category string `json:"category"`
	Kernel   bool   `json:"kernel"`
	Samples  uint64 `json:"samples"`
	Weight   uint64 `json:"weight"`
}

// Share is a weight as a share of one of all that was sampled.
func (p *Profile) Share(weight uint64) float64 {
	if p.Weight == 0 {
		return 0
	}
	return float64(weight) / float64(p.Weight)
}

// Named is the share of what a rule has put into a category.
func (p *Profile) Named() float64 {
	var named uint64
	for _, c := range p.Categories {
		if c.Name != CategoryUnknown {
			named += c.Weight
		}
	}
	return p.Share(named)
}

// Of is the share of the categories that are in the kernel, or are not.
func (p *Profile) Of(kernel bool) float64 {
	var w uint64
	for _, c := range p.Categories {
		if c.Kernel == kernel {
			w += c.Weight
		}
	}
	return p.Share(w)
}
