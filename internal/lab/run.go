package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/wire"
)

const (
	// bootTime is how long a machine may take until its guest says hello. An
	// emulated one takes some seconds on an idle host: only one that hangs needs
	// this long.
	bootTime = 3 * time.Minute
	// endTime is how long it may take from the end of the command's own time to
	// the last frame, with all its files.
	endTime = 60 * time.Second
	// offTime is how long it may take to power off when all is said.
	offTime = 10 * time.Second
)

// Run runs the job. The error says that the machine or the transfer failed, not
// the command: how that ended is in Exit. It returns when the machine has gone. A
// machine that died before the command began is started again, which j.Notes says.
func (j Job) Run(ctx context.Context) (Exit, error) {
	j, err := j.withDefaults()
	if err != nil {
		return Exit{}, fmt.Errorf("lab: %w", err)
	}
	for starts := 1; ; starts++ {
		exit, l, err := j.run(ctx)
		exit.Starts = starts
		if err == nil {
			return exit, nil
		}
		err = fmt.Errorf("lab %s: %w", j.Kernel.Machine, err)
		if !l.repeatable() {
			return exit, err
		}
		if starts == maxStarts {
			return exit, fmt.Errorf("%w\n(start %d of %d; none came as far as the command)", err, starts, maxStarts)
		}
		fmt.Fprintf(j.Notes, "%v\nlab %s: the command had not begun, so nothing was tested: starting the machine again (start %d of %d)\n",
			err, j.Kernel.Machine, starts+1, maxStarts)
	}
}

// run is one machine's life.
func (j *Job) run(ctx context.Context) (Exit, life, error) {
	runDir, err := os.MkdirTemp("", "hdbench-lab-")
	if err != nil {
		return Exit{}, life{}, err
	}
	defer os.RemoveAll(runDir)
	root, err := j.rootfs()
	if err != nil {
		return Exit{}, life{}, err
	}
	defer root.Close()
	channel, far, err := socketPair()
	if err != nil {
		return Exit{}, life{}, err
	}
	defer channel.Close()
	cmd, err := j.command(runDir)
	if err != nil {
		far.Close()
		return Exit{}, life{}, err
	}
	var console tail
	cmd.Stdout, cmd.Stderr = &console, &console
	cmd.ExtraFiles = []*os.File{root, far}
	start := time.Now()
	p, err := startProcess(cmd)
	far.Close()
	if err != nil {
		return Exit{}, life{}, err
	}
	defer p.kill()

	// The channel ends when the machine does, and whatever ends this run ends the
	// machine.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	within := func(d time.Duration, what string) *time.Timer {
		return time.AfterFunc(d, func() { cancel(fmt.Errorf("%w: %s after %v", ErrTimeout, what, d)) })
	}
	clock := within(bootTime, "not up")
	defer func() { clock.Stop() }()
	s := session{job: j, start: start, up: func() {
		clock.Stop()
		clock = within(j.Timeout+endTime, "no last word")
		os.RemoveAll(runDir) // of use at boot only; so it is gone even if we are killed
	}}
	exit, err := s.read(bufio.NewReaderSize(channel, wire.MaxPayload+64))
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err == nil {
		clock.Stop()
		// A guest that was tired of waiting is gone; what it had to say is here.
		if _, err = channel.Write([]byte{wire.Ack}); errors.Is(err, unix.EPIPE) {
			err = nil
		}
		p.wait(offTime)
	}
	l := life{begun: exit.begun, err: err}
	var refused *refusedError
	if err == nil || exit.ended || errors.As(err, &refused) || errors.Is(err, context.Canceled) {
		return exit.Exit, l, err
	}
	p.kill()
	if l.console = console.String(); l.console != "" {
		return exit.Exit, l, fmt.Errorf("%w; the end of its console:\n%s", err, indent(l.console))
	}
	return exit.Exit, l, fmt.Errorf("%w; its console is empty", err)
}

// rootfs is the guest's file system in a file without a name.
func (j *Job) rootfs() (*os.File, error) {
	fd, err := unix.MemfdCreate("hdbench-lab", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "guest's file system")
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(writeRootfs(w, j), w.Flush()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func socketPair() (near, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel"), nil
}
