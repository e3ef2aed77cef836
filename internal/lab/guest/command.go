package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/wire"
)

// stackGrace is how long a command that has run out of time may take to say
// where it is: a Go program prints its goroutines on SIGQUIT.
const stackGrace = 3 * time.Second

// command runs the command and everything it starts, and returns when all of it
// has ended and all its output is on its way.
func command(c *wire.Config, w *wire.Writer) (wire.ExitMsg, error) {
	var exit wire.ExitMsg
	null, err := os.Open(os.DevNull)
	if err != nil {
		return exit, err
	}
	defer null.Close()
	var copies sync.WaitGroup
	out, err := pipeTo(&copies, w.Stream(wire.Stdout))
	if err != nil {
		return exit, err
	}
	errw, err := pipeTo(&copies, w.Stream(wire.Stderr))
	if err != nil {
		return exit, err
	}
	pid, err := syscall.ForkExec(c.Argv[0], c.Argv, &syscall.ProcAttr{
		Dir: c.Dir, Env: c.Env,
		Files: []uintptr{null.Fd(), out.Fd(), errw.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	out.Close()
	errw.Close()
	if err != nil {
		copies.Wait()
		return exit, fmt.Errorf("start %s in %s: %w", c.Argv[0], c.Dir, err)
	}

	var timedOut atomic.Bool
	if c.Timeout > 0 {
		t := time.AfterFunc(c.Timeout, func() {
			timedOut.Store(true)
			_ = unix.Kill(pid, unix.SIGQUIT) // ESRCH: it has just ended
			time.Sleep(stackGrace)
			_ = unix.Kill(-1, unix.SIGKILL)
		})
		defer t.Stop()
	}

	status, err := reapUntil(pid)
	if err != nil {
		return exit, err
	}
	exit.TimedOut = timedOut.Load()
	exit.Code = status.ExitStatus()
	if status.Signaled() {
		exit.Code, exit.Signal = 0, int(status.Signal())
	}
	// Whoever is left would hold the pipes open.
	exit.Left = endAll()
	copies.Wait()
	return exit, nil
}

// pipeTo is a pipe whose reading end is copied to w until every writer has gone.
func pipeTo(copies *sync.WaitGroup, w io.Writer) (*os.File, error) {
	r, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	copies.Go(func() {
		defer r.Close()
		// An error of the channel shows in the next frame that main sends.
		_, _ = io.CopyBuffer(w, r, make([]byte, wire.MaxPayload))
	})
	return pw, nil
}

// reapUntil waits for every child, and every orphan, until pid has ended.
func reapUntil(pid int) (unix.WaitStatus, error) {
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return status, fmt.Errorf("wait: %w", err)
		case got == pid:
			return status, nil
		}
	}
}

// endAll ends every other process and says how many were still running.
func endAll() int {
	n := 0
	// First those who have ended by themselves.
	for options := unix.WNOHANG; ; {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, options, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return n
		case pid == 0:
			options = 0
			_ = unix.Kill(-1, unix.SIGKILL) // everyone but init itself
		case options == 0:
			n++
			_ = unix.Kill(-1, unix.SIGKILL) // one may have started another meanwhile
		}
	}
}
