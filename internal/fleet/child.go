package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// spawner starts processes that die with this one. The kernel's parent-death
// signal goes out when the *thread* that started a child ends, so all children
// are started from one thread that stays; and a child inherits its CPU set from
// that thread, so the set is in effect from the first instruction.
type spawner struct {
	jobs chan func()
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // for as long as the process lives
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// start starts cmd on the CPUs in set; an empty set is no restriction. death is
// the signal the child gets when this process dies.
func (s *spawner) start(cmd *exec.Cmd, set cpu.Set, death syscall.Signal) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
	done := make(chan error, 1)
	s.jobs <- func() {
		if set.IsEmpty() {
			done <- cmd.Start()
			return
		}
		all, err := cpu.Available()
		if err == nil {
			err = cpu.Pin(set)
		}
		if err == nil {
			err = errors.Join(cmd.Start(), cpu.Pin(all))
		}
		done <- err
	}
	return <-done
}

// child is a process of an agent's or the controller's.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *tail
	ended  chan struct{} // closed when the process has been waited for
	err    error         // of the wait; read after ended
}

// maxLine bounds a line of a child's output: the record of a long trial.
const maxLine = maxMessage

// startChild starts a process with its pipes.
func startChild(s *spawner, set cpu.Set, death syscall.Signal, env []string, argv ...string) (*child, error) {
	c := &child{cmd: exec.Command(argv[0], argv[1:]...), stderr: &tail{max: 8 << 10}, ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stderr = c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// A pipe of our own: exec's StdoutPipe is closed by Wait, perhaps before the
	// last line has been read.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout = w
	c.stdout = bufio.NewReaderSize(r, 64<<10)
	err = s.start(c.cmd, set, death)
	w.Close()
	if err != nil {
		r.Close()
		c.stdin.Close()
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// pid is the process's id.
func (c *child) pid() int { return c.cmd.Process.Pid }

// line reads the next line of the child's output. If the child ends instead, the
// error says how and what it had to say.
func (c *child) line() ([]byte, error) {
	var line []byte
	for {
		part, err := c.stdout.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return bytes.TrimSpace(line), nil
		}
		if errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine {
			continue
		}
		<-c.ended
		return nil, c.failure()
	}
}

// failure says how the child ended.
func (c *child) failure() error {
	how := "it exited"
	if c.err != nil {
		how = c.err.Error()
	}
	if said := c.stderr.String(); said != "" {
		return fmt.Errorf("%s: %s", how, said)
	}
	return errors.New(how)
}

// stop ends the child: politely, and after grace with force. Its process group
// goes with it.
func (c *child) stop(grace time.Duration) {
	c.stdin.Close()
	if grace > 0 {
		c.signal(unix.SIGTERM)
		select {
		case <-c.ended:
		case <-time.After(grace):
		}
	}
	c.signal(unix.SIGKILL) // whoever is left of the group
	<-c.ended
}

// hangUp ends a child that ends with its standard input; after grace by stop.
func (c *child) hangUp(grace time.Duration) {
	c.stdin.Close()
	select {
	case <-c.ended:
	case <-time.After(grace):
	}
	c.stop(grace)
}

func (c *child) signal(sig syscall.Signal) {
	// ESRCH: nobody is left.
	_ = unix.Kill(-c.pid(), sig)
}

// tail keeps the end of what is written to it.
type tail struct {
	max int

	mu  sync.Mutex
	buf []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - t.max; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
