package perf

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

var noPMU = machine{paranoid: 2, paranoidKnown: true, kernelToo: true, pmus: PMUs{Why: "a virtual machine"}}

func paranoid(level int) machine {
	return machine{paranoid: level, paranoidKnown: true, kernelToo: true, pmus: PMUs{Core: []PMU{{Name: "cpu"}}}}
}

// What keeps an event from being counted has a class and says what to do.
func TestRefusalsHaveAClassAndAReason(t *testing.T) {
	userOnly, wholeCPU, unknown := paranoid(4), paranoid(2), paranoid(0)
	userOnly.kernelToo = false
	wholeCPU.wholeCPU = true
	unknown.paranoidKnown = false
	for name, c := range map[string]struct {
		event Event
		errno unix.Errno
		m     machine
		class error
		says  string
	}{
		"no PMU":              {Cycles, unix.ENOENT, noPMU, ErrNoPMU, "a virtual machine"},
		"no PMU, cache event": {LLCLoads, unix.EOPNOTSUPP, noPMU, ErrNoPMU, "a virtual machine"},
		"no such event":       {LLCLoads, unix.ENOENT, paranoid(2), ErrNotSupported, "LLC-loads"},
		"software event":      {ContextSwitches, unix.ENOENT, noPMU, ErrNotSupported, "context-switches"},
		"paranoid 2":          {Cycles, unix.EACCES, paranoid(2), ErrNotPermitted, "sysctl kernel.perf_event_paranoid=1"},
		"paranoid 4":          {Cycles, unix.EACCES, userOnly, ErrNotPermitted, "is 4: run as root or with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=2"},
		"whole CPU":           {Cycles, unix.EACCES, wholeCPU, ErrNotPermitted, "sysctl kernel.perf_event_paranoid=0"},
		"other user's":        {Cycles, unix.EACCES, paranoid(1), ErrNotPermitted, "another user's"},
		"level not shown":     {Cycles, unix.EACCES, unknown, ErrNotPermitted, "does not show"},
		"seccomp":             {Cycles, unix.EPERM, paranoid(1), ErrNotPermitted, "seccomp"},
		"EPERM by paranoia":   {Cycles, unix.EPERM, paranoid(3), ErrNotPermitted, "is 3"},
		"no perf events":      {Cycles, unix.ENOSYS, paranoid(1), ErrNotSupported, "CONFIG_PERF_EVENTS"},
		"gone":                {Cycles, unix.ESRCH, paranoid(1), ErrNoProcess, "ended"},
		"descriptors":         {Cycles, unix.EMFILE, paranoid(1), ErrTooMany, "ulimit -n"},
		"busy":                {Cycles, unix.EBUSY, paranoid(1), ErrNotSupported, "EBUSY"},
		"no PMU, EINVAL":      {Cycles, unix.EINVAL, noPMU, ErrNoPMU, "a virtual machine"},
		"EINVAL":              {Cycles, unix.EINVAL, paranoid(1), ErrNotSupported, "EINVAL"},
		"something else":      {Cycles, unix.EFAULT, paranoid(1), ErrNotSupported, "bad address"},
	} {
		why, class := classify(c.event, c.errno, c.m)
		err := error(&OpenError{Event: c.event, PID: 42, CPU: AnyCPU, Class: class, Errno: c.errno, Why: why})
		if !errors.Is(err, c.class) || !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %v that says %q", name, err, c.class, c.says)
		}
		if !strings.Contains(err.Error(), "count "+c.event.Name+" of thread 42: ") {
			t.Errorf("%s: %q does not say what was counted of whom", name, err)
		}
	}
}

func sysfs(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, data := range files {
		fs["bus/event_source/devices/"+name] = &fstest.MapFile{Data: []byte(data + "\n")}
	}
	return fs
}

func TestPMUsOfMachines(t *testing.T) {
	desktop := sysfs(map[string]string{"cpu/type": "4", "software/type": "1", "uncore_imc/type": "9", "uncore_imc/cpumask": "0"})
	hybrid := sysfs(map[string]string{
		"cpu_core/type": "4", "cpu_core/cpus": "0-11", "cpu_atom/type": "10", "cpu_atom/cpus": "12-19", "software/type": "1"})
	vm := sysfs(map[string]string{"software/type": "1", "msr/type": "7", "tracepoint/type": "2"})

	if p := FindPMUs(desktop); len(p.Core) != 1 || p.Core[0] != (PMU{"cpu", 4, ""}) || p.Hybrid() || p.Why != "" {
		t.Errorf("a desktop: %+v", p)
	}
	if p := FindPMUs(hybrid); len(p.Core) != 2 || !p.Hybrid() {
		t.Errorf("a hybrid: %+v", p)
	} else if on := p.On(Cycles); len(on) != 2 || on[0].Config != 10<<32 || on[1].Config != 4<<32 {
		t.Errorf("cycles of a hybrid are counted by %+v", on)
	} else if on := p.On(PageFaults); len(on) != 1 || on[0] != PageFaults {
		t.Errorf("page faults of a hybrid are counted by %+v", on)
	}
	if p := FindPMUs(vm); len(p.Core) != 0 || !strings.Contains(p.Why, "only msr, software, tracepoint") {
		t.Errorf("a virtual machine: %+v", p)
	}
	if p := FindPMUs(fstest.MapFS{}); len(p.Core) != 0 || !strings.Contains(p.Why, "without /sys") {
		t.Errorf("a container without /sys: %+v", p)
	}
}

// The numbers that the kernel's ABI has for "LL, read, miss".
func TestCacheEventsAreTheKernels(t *testing.T) {
	if L1DLoadMisses.Config != 0x10000 {
		t.Errorf("L1 misses %#x", L1DLoadMisses.Config)
	}
	if LLCLoads.Config != 0x2 || LLCLoadMisses.Config != 0x10002 {
		t.Errorf("LLC loads %#x, misses %#x", LLCLoads.Config, LLCLoadMisses.Config)
	}
}

func TestPageFaultsOfThisThreadAreCounted(t *testing.T) {
	c, err := OpenCounter(PageFaults, Everywhere, os.Getpid(), true)
	if errors.Is(err, ErrNotPermitted) { // not root: what everybody may have must do
		c, err = OpenCounter(PageFaults, UserOnly, os.Getpid(), true)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.Read()
	if err != nil || before.Running > before.Enabled {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(); err == nil {
		t.Error("a closed counter is read")
	}
}

func TestThreadThatIsGoneIsAnError(t *testing.T) {
	if _, err := OpenCounter(PageFaults, Everywhere, 1<<22-1, false); !errors.Is(err, ErrNoProcess) {
		t.Errorf("%v", err)
	}
}
