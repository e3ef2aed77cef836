package lab

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// consoleTail is how much of the console an error shows.
const consoleTail = 4 << 10

// process is a machine's process with all it starts.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has been waited for
}

// startProcess starts a process that dies with this one. The kernel tells a
// child that its parent has died when the *thread* that started it ends, so the
// thread waits for as long as the child lives.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended says nothing that the channel has not said
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the machine: %w", err)
	}
	return p, nil
}

// kill ends the process and its group, and waits for it.
func (p *process) kill() {
	select {
	case <-p.done: // its number may be another's by now
		return
	default:
	}
	_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL) // ESRCH: it has just ended
	<-p.done
}

// wait waits for the process to end, up to d.
func (p *process) wait(d time.Duration) {
	select {
	case <-p.done:
	case <-time.After(d):
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - consoleTail; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(string(t.buf), "\r", ""), "?"))
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
