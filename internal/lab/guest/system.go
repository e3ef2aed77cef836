package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/wire"
)

// mounts is the system a command finds.
var mounts = []struct {
	kind, dir string
	mode      os.FileMode
}{
	{"proc", "/proc", 0o555},
	{"sysfs", "/sys", 0o555},
	{"devtmpfs", "/dev", 0o755},
	{"devpts", "/dev/pts", 0o755},
	{"tmpfs", "/dev/shm", 0o1777},
	{"tmpfs", "/tmp", 0o1777},
	{"tmpfs", "/run", 0o755},
}

func mountSystem() error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.dir, m.mode); err != nil {
			return err
		}
		// Some kernels have mounted some of them already.
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.dir, err)
		}
	}
	return errors.Join(os.Chmod("/tmp", 0o777|os.ModeSticky), os.Chmod("/dev/shm", 0o777|os.ModeSticky))
}

// openChannel opens the device to the host. It may come a little later than init
// does; how much later depends on how busy the host is, which gives the machine up
// when it is not up in time.
func openChannel(dev string) (*os.File, error) {
	var f *os.File
	var err error
	for range 12000 {
		if f, err = os.OpenFile(dev, os.O_RDWR|unix.O_NOCTTY, 0); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("channel to the host: %w", err)
	}
	// A terminal line would change bytes; a virtio port is none.
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return f, nil
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("make %s raw: %w", dev, err)
	}
	return f, nil
}

// prepare makes what the command needs beside the mounts.
func prepare(c *wire.Config) error {
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	for _, m := range c.Modules {
		if err := loadModule(m); err != nil {
			return err
		}
	}
	// What a login gives on a server.
	const files = 1 << 20
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if err := os.MkdirAll(wire.OutDir, 0o755); err != nil {
		return err
	}
	if c.Out == wire.OutHostfs {
		// The kernel's command line confines hostfs to the one folder.
		if err := unix.Mount("none", wire.OutDir, "hostfs", 0, ""); err != nil {
			return fmt.Errorf("mount the host's folder on %s: %w", wire.OutDir, err)
		}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("kernel module: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load kernel module %s: %w (the kernel's own words are on the console)", filepath.Base(path), err)
	}
	return nil
}
