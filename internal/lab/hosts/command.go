package hosts

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Command is a command to be run in a host.
type Command struct {
	User  string // root or User; empty: root
	Dir   string // empty: the user's home
	Env   []string
	Args  []string
	Stdin io.Reader
}

// Process is a command that runs in a host.
type Process struct {
	cmd    *exec.Cmd // nsenter
	done   chan struct{}
	stdout lockedBuffer
	output lockedBuffer // stdout and stderr
}

// Start starts a command in the host, with nothing of this process's environment.
// It ends with this process, and with the host.
func (h *Host) Start(c Command) (*Process, error) {
	s := h.up()
	if s == nil {
		return nil, fmt.Errorf("host %s is off", h.Name)
	}
	user, id := cmp.Or(c.User, "root"), "0"
	if user == User {
		id = strconv.Itoa(userID)
	}
	argv := []string{
		"--target", strconv.Itoa(s.init), "--all",
		"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--pdeathsig", "KILL",
		"env", "-i", "-C", cmp.Or(c.Dir, Home(user)),
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + Home(user), "USER=" + user, "LANG=C.UTF-8",
	}
	cmd := exec.Command("nsenter", append(append(argv, c.Env...), c.Args...)...)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdin = c.Stdin
	cmd.Stdout = io.MultiWriter(&p.stdout, &p.output)
	cmd.Stderr = &p.output
	if err := startWithUs(cmd, func() { close(p.done) }); err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return p, nil
}

// Run runs a command in the host to its end and returns what it wrote to its
// standard output. The error has all that it said.
func (h *Host) Run(ctx context.Context, c Command) (string, error) {
	p, err := h.Start(c)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return p.stdout.String(), fmt.Errorf("host %s: %s: %w; it said: %s", h.Name, strings.Join(c.Args, " "), ctx.Err(), p.Output())
	}
	if code := p.ExitCode(); code != 0 {
		return p.stdout.String(), fmt.Errorf("host %s: %s: exit code %d: %s", h.Name, strings.Join(c.Args, " "), code, p.Output())
	}
	return p.stdout.String(), nil
}

// Signal sends a signal to the command itself.
func (p *Process) Signal(sig unix.Signal) error {
	pid, err := firstBelow(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	return unix.Kill(pid, sig)
}

// Kill ends the command by force, and waits for it.
func (p *Process) Kill() {
	select {
	case <-p.done: // its number may be another's by now
		return
	default:
	}
	_ = p.Signal(unix.SIGKILL) // no child: it has just ended
	<-p.done
}

// Ended is closed when the command has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// ExitCode is the command's, 128 and the signal's number if one ended it. It
// waits for the end.
func (p *Process) ExitCode() int {
	<-p.done
	ws, ok := p.cmd.ProcessState.Sys().(interface {
		Signaled() bool
		Signal() unix.Signal
	})
	if ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Output is all that the command has written so far.
func (p *Process) Output() string { return strings.TrimSpace(p.output.String()) }

// Stdout is what it has written to its standard output.
func (p *Process) Stdout() string { return p.stdout.String() }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
