package hosts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// space is a set of namespaces and the first process in them, whose end is theirs.
type space struct {
	cmd  *exec.Cmd
	init int           // its first process, as this machine numbers it
	done chan struct{} // closed when it has ended
}

// startSpace runs a shell script as the first process of new namespaces. The
// script says "ready" when it has made them what they are to be; then the process
// only waits, and reaps.
func startSpace(ctx context.Context, argv []string, script string, args ...string) (*space, error) {
	argv = append(argv, "bash", "-c", "set -eu\n"+script+"\necho ready\nexec >/dev/null 2>&1\nwhile :; do sleep infinity & wait; done", "host")
	cmd := exec.Command(argv[0], append(argv[1:], args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd.Stdout = w
	s := &space{cmd: cmd, done: make(chan struct{})}
	err = startWithUs(cmd, func() { close(s.done) })
	w.Close()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil || line != "ready\n" {
		s.end()
		return nil, fmt.Errorf("%s: it said: %s", cmd.Args[0], strings.TrimSpace(line+said.String()))
	}
	if s.init, err = firstBelow(cmd.Process.Pid); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// firstBelow is the process that a waiting unshare or nsenter waits for.
func firstBelow(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	child, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	if child == "" {
		return 0, fmt.Errorf("process %d has no child", pid)
	}
	return strconv.Atoi(child)
}

// end ends the space: its first process takes all others with it.
func (s *space) end() {
	select {
	case <-s.done: // its number may be another's by now
		return
	default:
	}
	// unshare ends its child by --kill-child, and waits for it.
	_ = unix.Kill(s.cmd.Process.Pid, unix.SIGKILL) // ESRCH: it has just ended
	<-s.done
	if s.init != 0 {
		awaitEnd(s.init)
	}
}

// awaitEnd waits until a process of no child's of ours has ended.
func awaitEnd(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// startWithUs starts a process that dies with this one. The kernel tells a child
// that its parent has died when the *thread* that started it ends, so the thread
// waits for as long as the child lives.
func startWithUs(cmd *exec.Cmd, ended func()) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
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

// run runs a program to its end, with text as its input.
func run(ctx context.Context, text string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if text != "" {
		cmd.Stdin = strings.NewReader(text)
	}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}
