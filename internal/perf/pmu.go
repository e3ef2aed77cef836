package perf

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// PMU is one performance monitoring unit of CPU cores, as the kernel shows it.
type PMU struct {
	Name string
	Type uint32 // of struct perf_event_attr
	CPUs string // the CPUs that have it, as a list; empty: all
}

// PMUs are a machine's. There are several where cores are of several kinds.
type PMUs struct {
	Core []PMU
	Why  string // why there is none; empty if there is one
}

// Hybrid is whether cores are of several kinds, each with a PMU of its own.
func (p PMUs) Hybrid() bool { return len(p.Core) > 1 }

// where the kernel shows its event sources; under /sys.
const eventSources = "bus/event_source/devices"

// FindPMUs looks for the PMUs of CPU cores in sysfs: "cpu" (x86), a device for
// each kind of core with a list "cpus" ("cpu_core" and "cpu_atom" of hybrid x86,
// "armv8_pmuv3_0"). Uncore units have a "cpumask" and count no threads.
func FindPMUs(sys fs.FS) PMUs {
	entries, err := fs.ReadDir(sys, eventSources)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return PMUs{Why: "/sys/" + eventSources + " is not there: no perf events in this kernel, or a container without /sys"}
		}
		return PMUs{Why: fmt.Sprintf("/sys/%s: %v", eventSources, err)}
	}
	read := func(device, file string) string {
		b, _ := fs.ReadFile(sys, eventSources+"/"+device+"/"+file)
		return strings.TrimSpace(string(b))
	}
	var p PMUs
	var names []string
	for _, e := range entries {
		name := e.Name()
		names = append(names, name)
		cpus := read(name, "cpus")
		if name != "cpu" && cpus == "" {
			continue
		}
		if t, err := strconv.ParseUint(read(name, "type"), 10, 32); err == nil {
			p.Core = append(p.Core, PMU{name, uint32(t), cpus})
		}
	}
	if len(p.Core) == 0 {
		p.Why = "the kernel shows none of this CPU's (only " + strings.Join(names, ", ") +
			"), as in a virtual machine that is not given one"
	}
	return p
}

// On is a hardware event as the events to count it by: on a hybrid machine one for
// each kind of core, with the PMU's type in the upper half of config
// (PERF_PMU_TYPE_SHIFT of include/uapi/linux/perf_event.h), since a plain one
// counts on one kind only.
func (p PMUs) On(e Event) []Event {
	if !e.Hardware() || !p.Hybrid() {
		return []Event{e}
	}
	var events []Event
	for _, u := range p.Core {
		events = append(events, Event{e.Name, e.Type, uint64(u.Type)<<32 | e.Config})
	}
	return events
}
