package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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
	// alone: the process does nothing but this, and is the subreaper of what it has
	// started: a child that it did not start is an orphan of one that it did.
	alone bool

	mu  sync.Mutex   // held while a child is being started
	own map[int]bool // the children, until they have been waited for; guarded by mu
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), own: map[int]bool{}}
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
		s.mu.Lock()
		defer s.mu.Unlock()
		defer func() {
			if cmd.Process != nil {
				s.own[cmd.Process.Pid] = true
			}
		}()
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

// started are the children that have not been waited for.
func (s *spawner) started() map[int]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.own)
}

// apart runs what starts a child and waits for it by itself.
func (s *spawner) apart(run func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run()
}

// child is a process of an agent's or the controller's.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *tail
	said   *tail          // the end of stdout, of a child whose output nobody reads; else nil
	closed sync.WaitGroup // until nobody can write to stderr, or to said, any more
	begun  time.Time
	ended  chan struct{} // closed when the process has been waited for
	err    error         // of the wait; read after ended
}

// maxLine bounds a line of a child's output: the record of a long trial.
const maxLine = maxMessage

// startChild starts a process with its pipes.
func startChild(s *spawner, set cpu.Set, death syscall.Signal, env []string, argv ...string) (*child, error) {
	c := &child{cmd: exec.Command(argv[0], argv[1:]...), stderr: &tail{max: 8 << 10}, begun: time.Now(), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Pipes of our own: exec's StdoutPipe is closed by Wait, perhaps before the last
	// line has been read; and with a Stderr that is no file Wait waits for everybody
	// who has inherited it.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	rErr, wErr, err := os.Pipe()
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	c.cmd.Stdout, c.cmd.Stderr = w, wErr
	c.stdout = bufio.NewReaderSize(r, 64<<10)
	err = s.start(c.cmd, set, death)
	w.Close()
	wErr.Close()
	if err != nil {
		r.Close()
		rErr.Close()
		c.stdin.Close()
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	c.closed.Go(func() {
		defer rErr.Close()
		_, _ = io.Copy(c.stderr, rErr)
	})
	go func() {
		c.err = c.cmd.Wait()
		s.mu.Lock()
		delete(s.own, c.pid())
		s.mu.Unlock()
		close(c.ended)
	}()
	return c, nil
}

// listen keeps the end of the child's output, which nobody reads line by line.
func (c *child) listen() {
	c.said = &tail{max: 8 << 10}
	c.closed.Go(func() { _, _ = io.Copy(c.said, c.stdout) })
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
	// What it wrote last may still be under way; but who has inherited its output may
	// keep it open for ever.
	over := make(chan struct{})
	go func() {
		c.closed.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(outputPatience):
	}
	return errors.New(how + c.words())
}

// outputPatience is how long to wait for the rest of what a child that has ended
// wrote.
const outputPatience = time.Second

// words are what the child has written last, to go behind what happened to it;
// empty if it was nothing.
func (c *child) words() string {
	text, said := "", c.stderr.String()
	if c.said != nil {
		said = c.stderr.lines()
	}
	if said != "" {
		text = ": " + said
	}
	if c.said == nil {
		return text
	}
	if s := c.said.lines(); s != "" {
		text += "; on stdout: " + s
	}
	return text
}

// stop ends the child: politely, and after grace with force. Its process group
// goes with it.
func (c *child) stop(grace time.Duration) { c.stopTree(grace, nil) }

// stopTree is stop for a child whose other processes are told to end, too. It
// reports whether the child ended in time.
func (c *child) stopTree(grace time.Duration, k *kin) (inTime bool) {
	c.stdin.Close()
	if grace > 0 {
		c.signal(unix.SIGTERM)
		if k != nil {
			k.signal(unix.SIGTERM)
		}
		select {
		case <-c.ended:
			inTime = true
		case <-time.After(grace):
		}
	}
	c.signal(unix.SIGKILL) // whoever is left of the group
	<-c.ended
	return inTime
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

// lines are the last lines, in one.
func (t *tail) lines() string {
	const most, longest = 5, 800
	all := strings.FieldsFunc(t.String(), func(r rune) bool { return r == '\n' || r == '\r' })
	text := strings.Join(all[max(0, len(all)-most):], " | ")
	if n := len(text) - longest; n > 0 {
		text = "…" + strings.ToValidUTF8(text[n:], "")
	}
	return text
}
