package perf

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The classes of what keeps an event from being counted.
var (
	// ErrNoPMU: the kernel has no performance monitoring unit of this CPU's.
	ErrNoPMU = errors.New("no PMU")
	// ErrNotPermitted: the kernel has it and does not give it to this user.
	ErrNotPermitted = errors.New("not permitted")
	// ErrNotSupported: there is a PMU, or the kernel's own counters, and this event
	// is not among what they count.
	ErrNotSupported = errors.New("not supported")
	// ErrNoProcess: the thread is gone.
	ErrNoProcess = errors.New("no such thread")
	// ErrTooMany: the limit on open files is reached.
	ErrTooMany = errors.New("too many open files")
)

// OpenError is an event that could not be opened. errors.Is knows its class and
// the error number.
type OpenError struct {
	Event Event
	PID   int // -1: all
	CPU   int // AnyCPU: any
	Class error
	Errno error
	Why   string // what the machine says about it, and what to do
}

func (e *OpenError) Error() string {
	of := fmt.Sprintf("thread %d", e.PID)
	if e.PID < 0 {
		of = fmt.Sprintf("CPU %d", e.CPU)
	}
	return fmt.Sprintf("count %s of %s: %s", e.Event.Name, of, e.Reason())
}

// Reason is the error without whom it befell: what an n/a says.
func (e *OpenError) Reason() string { return e.Class.Error() + ": " + e.Why }

func (e *OpenError) Unwrap() []error { return []error{e.Class, e.Errno} }

// sysctlParanoid is where the kernel says how much it gives away.
const sysctlParanoid = "/proc/sys/kernel/perf_event_paranoid"

// Paranoid is the kernel's perf_event_paranoid; ok is false where it does not say,
// which is a kernel without perf events, or a container without /proc/sys.
//
// -1 allows everything; 0 and 1 forbid events of whole CPUs to who has not
// CAP_PERFMON; 2, the kernel's default, forbids what happens in the kernel, too; 3 and more
// are Debian's and Ubuntu's, and forbid everything.
func Paranoid() (level int, ok bool) {
	b, err := os.ReadFile(sysctlParanoid)
	if err != nil {
		return 0, false
	}
	level, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return level, err == nil
}

func newOpenError(e Event, attr unix.PerfEventAttr, pid, cpu int, errno error) *OpenError {
	level, known := Paranoid()
	why, class := classify(e, errno, machine{
		paranoid: level, paranoidKnown: known,
		kernelToo: attr.Bits&unix.PerfBitExcludeKernel == 0, wholeCPU: pid < 0,
		pmus: FindPMUs(os.DirFS("/sys")),
	})
	return &OpenError{e, pid, cpu, class, errno, why}
}

// machine is what the kernel says about itself beside the error number.
type machine struct {
	paranoid      int
	paranoidKnown bool
	kernelToo     bool // the event was to count in the kernel
	wholeCPU      bool // of every thread of a CPU
	pmus          PMUs
}

// classify says what an error number of perf_event_open means; the numbers are
// those of its manual page, where they are called inconsistent.
func classify(e Event, errno error, m machine) (why string, class error) {
	switch errno {
	case unix.EACCES:
		return m.paranoia(), ErrNotPermitted
	case unix.EPERM:
		if m.paranoidKnown && m.paranoid > m.allowed() {
			return m.paranoia(), ErrNotPermitted
		}
		return "perf_event_open is forbidden to this process (EPERM), as by a container's seccomp profile: " +
			"give the container CAP_PERFMON, or a profile that allows perf_event_open", ErrNotPermitted
	case unix.ENOSYS:
		return "the kernel has no perf events (CONFIG_PERF_EVENTS)", ErrNotSupported
	case unix.ENOENT, unix.ENODEV, unix.ENXIO, unix.EOPNOTSUPP:
		if e.Hardware() && len(m.pmus.Core) == 0 {
			return m.pmus.Why, ErrNoPMU
		}
		return fmt.Sprintf("this CPU's PMU or this kernel does not count %s", e.Name), ErrNotSupported
	case unix.EINVAL:
		if e.Hardware() && len(m.pmus.Core) == 0 {
			return m.pmus.Why, ErrNoPMU
		}
		return fmt.Sprintf("the kernel refuses %s as it was asked for (EINVAL)", e.Name), ErrNotSupported
	case unix.ESRCH:
		return "it has ended", ErrNoProcess
	case unix.EMFILE, unix.ENFILE:
		return "a counter takes a descriptor for every event and thread: raise the limit (ulimit -n)", ErrTooMany
	case unix.EBUSY:
		return "another user of the PMU has it for itself (EBUSY): is a perf or a VTune running?", ErrNotSupported
	}
	return errno.Error(), ErrNotSupported
}

// allowed is the highest perf_event_paranoid at which anybody may have the event.
func (m machine) allowed() int {
	switch {
	case m.wholeCPU:
		return 0
	case m.kernelToo:
		return 1
	}
	return 2
}

func (m machine) paranoia() string {
	const otherwise = "run as root or with CAP_PERFMON"
	switch {
	case !m.paranoidKnown:
		return "the kernel refuses it, and does not show kernel.perf_event_paranoid: " + otherwise
	case m.paranoid > m.allowed():
		return fmt.Sprintf("kernel.perf_event_paranoid is %d: %s, or sysctl kernel.perf_event_paranoid=%d", m.paranoid, otherwise, m.allowed())
	}
	return fmt.Sprintf("kernel.perf_event_paranoid is %d and would allow it; the process is another user's: %s", m.paranoid, otherwise)
}
