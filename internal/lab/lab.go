// Package lab runs commands on kernels that this machine does not have: kernel
// TLS where the host's kernel has none, in a user-mode Linux (uml: a process, one
// CPU, generic crypto) or in a virtual machine (qemu: several CPUs, the kernel of
// Debian's cloud image).
//
// In goes a static binary with its arguments, environment and files; out come
// its two outputs, byte for byte and as they are written, the files it left in
// wire.OutDir, and how it ended. The guest's only user space is the command and
// hdbench/internal/lab/guest, which starts it; its network is its own loopback.
// The kernels come from scripts/lab-kernels.sh.
//
// It is a tool for tests and for make sweep-lab. Nothing of hdbench imports it.
package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hdbench/internal/lab/wire"
	"hdbench/internal/probe"
)

// Machine is a kind of machine.
type Machine string

// The machines.
const (
	UML  Machine = "uml"
	QEMU Machine = "qemu"
)

// ParseMachine reads a machine's name.
func ParseMachine(s string) (Machine, error) {
	m := Machine(s)
	if !slices.Contains([]Machine{UML, QEMU}, m) {
		return "", fmt.Errorf("machine %q: there are %s and %s", s, UML, QEMU)
	}
	return m, nil
}

// Environment variables that every command in the lab finds.
const (
	// EnvLab says in a sentence what the machine is and what its numbers are not;
	// hdbench puts it into its records.
	EnvLab = probe.EnvLab
	// EnvMachine is the Machine.
	EnvMachine = "HDBENCH_LAB_MACHINE"
)

// ErrNoMachine is in the error of a machine that this host has no kernel or no
// program for.
var ErrNoMachine = errors.New("this machine of the lab is not here")

// ErrTimeout is in the error of a command that ran out of time.
var ErrTimeout = errors.New("out of time")

// Job is a command and the machine to run it on.
type Job struct {
	Kernel *Kernel
	Guest  string // the guest's init, from BuildGuest

	Argv  []string // Argv[0] is a path in the guest: see File
	Env   []string // beside PATH, HOME, TMPDIR and the Env* of this package
	Dir   string   // working directory, in the guest; default /
	Files []File
	Out   string // folder on this host for what the command leaves in wire.OutDir; "" for none

	MemMiB  int           // default 1024
	CPUs    int           // qemu only; default 2
	Timeout time.Duration // of the command; default 10 min

	Stdout, Stderr io.Writer // of the command; nil discards
	Notes          io.Writer // the lab's own: that a machine was started again, and why; nil is the process's stderr
}

// File is a file or a whole folder of this host that the guest has too.
type File struct{ Host, Guest string }

// ParseFile reads HOST:GUEST.
func ParseFile(s string) (File, error) {
	host, guest, ok := strings.Cut(s, ":")
	if !ok || host == "" || !filepath.IsAbs(guest) {
		return File{}, fmt.Errorf("file %q: want HOST:GUEST, GUEST absolute", s)
	}
	return File{host, filepath.Clean(guest)}, nil
}

// Exit is how a command ended.
type Exit struct {
	Code   int // meaningless if a signal killed it
	Signal int
	Left   int // processes it left running; they were ended
	Kernel string
	CPUs   int
	Boot   time.Duration // from the start of the machine to the start of the command
	Starts int           // machines started: more than one if one died before the command began
}

// Status is the exit code in a shell's manner: 128 and the signal, if killed.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + e.Signal
	}
	return e.Code
}

// withDefaults checks the job and fills in what was left out.
func (j Job) withDefaults() (Job, error) {
	if j.MemMiB == 0 {
		j.MemMiB = 1024
	}
	if j.CPUs == 0 {
		j.CPUs = 2
	}
	if j.Kernel.Machine == UML {
		j.CPUs = 1
	}
	if j.Timeout == 0 {
		j.Timeout = 10 * time.Minute
	}
	if j.Dir == "" {
		j.Dir = "/"
	}
	if j.Stdout == nil {
		j.Stdout = io.Discard
	}
	if j.Stderr == nil {
		j.Stderr = io.Discard
	}
	if j.Notes == nil {
		j.Notes = os.Stderr
	}
	if len(j.Argv) == 0 {
		return j, errors.New("no command")
	}
	if j.Out != "" {
		abs, err := filepath.Abs(j.Out)
		if err != nil {
			return j, err
		}
		// It goes on a kernel's command line, where these separate.
		if strings.ContainsAny(abs, ", \t\n") {
			return j, fmt.Errorf("folder %q: commas and spaces cannot be passed to the machine", abs)
		}
		if err := os.MkdirAll(abs, 0o755); err != nil {
			return j, err
		}
		j.Out = abs
	}
	return j, nil
}

// config is what the guest is told.
func (j *Job) config(modules []string) wire.Config {
	c := wire.Config{
		Hostname: "lab-" + string(j.Kernel.Machine),
		Modules:  modules,
		Argv:     j.Argv,
		Dir:      j.Dir,
		Timeout:  j.Timeout,
		Channel:  "/dev/ttyS0",
	}
	c.Env = append([]string{
		"PATH=/bin", "HOME=/root", "TMPDIR=/tmp",
		EnvLab + "=" + j.describe(),
		EnvMachine + "=" + string(j.Kernel.Machine),
	}, j.Env...)
	if j.Out != "" {
		c.Out = wire.OutHostfs
	}
	if j.Kernel.Machine == QEMU {
		c.Channel = "/dev/vport0p1"
		if j.Out != "" {
			c.Out = wire.OutTar
		}
	}
	return c
}

// describe is the sentence of EnvLab.
func (j *Job) describe() string {
	if j.Kernel.Machine == UML {
		return fmt.Sprintf("user-mode Linux %s, a process of its host: one CPU for relay and client, system calls of some 20µs, CPU time counted in ticks of 10ms, crypto in generic C", j.Kernel.Release)
	}
	return fmt.Sprintf("virtual machine with Linux %s on %d CPUs, every instruction emulated: right for correctness, while its rates mean nothing", j.Kernel.Release, j.CPUs)
}
