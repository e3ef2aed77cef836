// Package byhand runs hdbench's own binaries as a user would by hand: a relay, a
// load that drives it, a sweep and its report. The programs that hold a sweep's
// answer against what was driven by hand are built on it.
//
// In go the binaries and CPU lists; out come loads and reports. It knows nothing of
// how a sweep works, and nothing that it starts outlives it.
package byhand

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// patience bounds every wait for a process to do what takes it no time.
const patience = 20 * time.Second

// Relay is a relay to be started: hd, or derper where Derper is its binary.
type Relay struct {
	Hdbench   string
	Derper    string // empty: hd
	Transport string
	Workers   int // of derper: GOMAXPROCS
	CPUs      string
}

// Live is a relay that runs.
type Live struct {
	Addr string
	cmd  *exec.Cmd
	dir  string
	done chan struct{}
	said bytes.Buffer // guarded by done
}

// Start starts the relay on a free port of loopback and waits until it listens.
func (r Relay) Start(ctx context.Context) (*Live, error) {
	dir, err := os.MkdirTemp("", "hdbench-by-hand-*")
	if err != nil {
		return nil, err
	}
	l := &Live{dir: dir, done: make(chan struct{})}
	addr, err := freeAddr()
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	l.Addr = addr
	argv := []string{r.Hdbench, "relay", "--listen", addr, "--transport", r.Transport, "--workers", strconv.Itoa(r.Workers), "--cpus", r.CPUs}
	env := os.Environ()
	if r.Derper != "" {
		argv = []string{r.Derper, "-c", filepath.Join(dir, "derper.key"), "-a", addr, "-stun=false", "-http-port=-1"}
		if r.Transport == "tls" {
			argv = append(argv, "-certmode", "manual", "-certdir", dir, "-hostname", "127.0.0.1")
		}
		env = append(env, "GOMAXPROCS="+strconv.Itoa(r.Workers))
	}
	l.cmd = exec.Command("taskset", append([]string{"--cpu-list", r.CPUs}, argv...)...)
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = env, &l.said, &l.said
	if err := startWithUs(l.cmd, func() { close(l.done) }); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := l.await(ctx); err != nil {
		l.Stop()
		return nil, fmt.Errorf("start %s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(l.said.String()))
	}
	return l, nil
}

// await waits until the relay takes connections.
func (l *Live) await(ctx context.Context) error {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		select {
		case <-l.done:
			return errors.New("it has ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if c, err := net.DialTimeout("tcp", l.Addr, time.Second); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("it does not listen after %v", patience)
}

// PID is the relay's process.
func (l *Live) PID() int { return l.cmd.Process.Pid }

// Stop ends the relay and waits for its end.
func (l *Live) Stop() {
	select {
	case <-l.done:
	default:
		_ = unix.Kill(l.cmd.Process.Pid, unix.SIGKILL) // ESRCH: it has just ended
		<-l.done
	}
	os.RemoveAll(l.dir)
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// Load is a load to be run against a relay.
type Load struct {
	Hdbench   string
	Transport string
	CPUs      string
	Rate      units.Rate
	Measure   time.Duration
	Flags     []string // further ones: the shape of the load
	// During is called with the load's process while it runs; nil: not.
	During func(ctx context.Context, pid int)
}

// Run drives the relay at an address once.
func (l Load) Run(ctx context.Context, addr string) (*measure.Load, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Measure+3*patience)
	defer cancel()
	argv := append([]string{
		l.Hdbench, "load", "--relay", addr, "--transport", l.Transport, "--rate", l.Rate.String(), "--cpus", l.CPUs,
		"--warmup", "300ms", "--measure", l.Measure.String(), "--format", "json",
	}, l.Flags...)
	cmd := exec.Command("taskset", append([]string{"--cpu-list", l.CPUs}, argv...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	done := make(chan struct{})
	if err := startWithUs(cmd, func() { close(done) }); err != nil {
		return nil, err
	}
	if l.During != nil {
		during, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { l.During(during, cmd.Process.Pid); close(ended) }()
		defer func() { stop(); <-ended }()
	}
	select {
	case <-done:
	case <-ctx.Done():
		_ = unix.Kill(cmd.Process.Pid, unix.SIGKILL)
		<-done
		return nil, fmt.Errorf("%s: %w", strings.Join(argv, " "), ctx.Err())
	}
	m := new(measure.Load)
	if err := json.Unmarshal(out.Bytes(), m); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(said.String()))
	}
	return m, nil
}

// startWithUs starts a process that dies with this one. The kernel sends the signal
// when the *thread* that started it ends, so the thread waits for as long as the
// child lives.
func startWithUs(cmd *exec.Cmd, ended func()) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in the ProcessState
			ended()
		}
	}()
	return <-started
}

// Run runs a command to its end and returns what it wrote to its standard output;
// the error has the rest of what it said. Each line of its standard error goes to
// progress, if there is one.
func Run(ctx context.Context, progress func(line string), argv ...string) ([]byte, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout = &out
	r, w := io.Pipe()
	cmd.Stderr = w
	var last []string
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(r)
		for s.Scan() {
			if last = append(last, s.Text()); len(last) > 10 {
				last = last[1:]
			}
			if progress != nil {
				progress(s.Text())
			}
		}
		_, _ = io.Copy(io.Discard, r) // a line too long
	}()
	done := make(chan struct{})
	if err := startWithUs(cmd, func() { close(done) }); err != nil {
		w.Close()
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		_ = unix.Kill(cmd.Process.Pid, unix.SIGTERM) // a sweep ends what it has started
		select {
		case <-done:
		case <-time.After(patience):
			_ = unix.Kill(cmd.Process.Pid, unix.SIGKILL)
			<-done
		}
	}
	w.Close()
	<-read
	if err := ctx.Err(); err != nil {
		return out.Bytes(), err
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return out.Bytes(), &ExitError{argv, code, strings.Join(last, "\n")}
	}
	return out.Bytes(), nil
}

// ExitError is a command that did not end with 0.
type ExitError struct {
	Args []string
	Code int
	Said string
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("%s: exit code %d: %s", strings.Join(e.Args, " "), e.Code, e.Said)
}
