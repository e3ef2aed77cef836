package lab

import (
	"errors"
	"strings"
)

// maxStarts is how often a job's machine is started at most.
const maxStarts = 3

// errDied is in the error of a machine that ended without the guest's last word.
var errDied = errors.New("the machine ended before the command did")

// life is one machine of a job, as it ended.
type life struct {
	begun   bool   // the guest's hello came: from then on the command may have run
	err     error  // why it is over
	console string // the end of its console
}

// repeatable says whether the job may be given to another machine: this one died,
// or hung, before the command began, so nothing was tested. A command that may have
// begun is never repeated, and what would only come out the same is not either: a
// guest that says what it cannot do, an emulator that refuses its command line.
func (l life) repeatable() bool {
	if l.begun || !errors.Is(l.err, errDied) && !errors.Is(l.err, ErrTimeout) {
		return false
	}
	for line := range strings.Lines(l.console) {
		if strings.HasPrefix(line, "lab guest: ") {
			return false
		}
		said, isQEMU := strings.CutPrefix(line, "qemu-system-x86_64: ")
		if isQEMU && !strings.HasPrefix(said, "warning: ") {
			return false
		}
	}
	return true
}
