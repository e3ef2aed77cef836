package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// shipTimeout bounds the copying of a binary: some tens of MB over a slow line.
const shipTimeout = 10 * time.Minute

// bootSSH starts an agent on another host: puts our binary there, unless it is
// there already, and runs it in a session of ssh's whose input and output are the
// agent's connection. No port is opened anywhere.
func (h *Host) bootSSH(ctx context.Context) error {
	f := h.fleet
	l, err := f.to(ctx, h.member.SSH)
	if err != nil {
		return err
	}
	binary, err := l.look(ctx, f)
	if err != nil {
		return err
	}
	b, err := l.ship(ctx, f, binary, shippedHdbench)
	if err != nil {
		return err
	}
	c, err := startChild(f.spawn, cpu.Of(), unix.SIGTERM, nil, l.command(scriptAgent(b.SHA256, shippedHdbench, h.member.Agent))...)
	if err != nil {
		return fmt.Errorf("ssh: %w", err)
	}
	return h.attach(ctx, c, func() error { return l.fail("run the agent", c.failure()) })
}

// shippedHdbench is what our binary is called on other hosts.
const shippedHdbench = "hdbench"

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// shippedName is what another binary is called there: as here, so that a record
// shows it, unless a shell could see more in its name.
func shippedName(path string) string {
	if name := filepath.Base(path); plainName.MatchString(name) {
		return name
	}
	return "relay"
}

// machines are Go's names of what uname calls a machine.
var machines = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x"}

// look finds out what the host is and which of our binaries it can run.
func (l *link) look(ctx context.Context, f *Fleet) (binary string, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	is, err := l.run(ctx, f.spawn, "look at the host", scriptLook(), nil)
	switch {
	case err != nil:
		return "", err
	case is["os"] == "":
		return "", l.fail("look at the host", errors.New("its login shell does not run /bin/sh"))
	case is["os"] != "Linux":
		return "", fmt.Errorf("%s runs %s: hdbench measures on Linux only", l.dest, is["os"])
	case is["tools"] != "yes":
		return "", fmt.Errorf("%s lacks sha256sum or find, with which the copied hdbench is checked and old ones are removed", l.dest)
	}
	return binaryFor(f.o, l.dest, is["machine"])
}

// binaryFor is the hdbench for a machine: our own, or one of the same version that
// was built for that machine and lies beside it.
func binaryFor(o Options, dest, machine string) (string, error) {
	arch := machines[machine]
	if arch == runtime.GOARCH {
		return o.Binary, nil
	}
	if arch == "" {
		return "", fmt.Errorf("%s is a %s, for which there is no hdbench", dest, machine)
	}
	other := filepath.Join(filepath.Dir(o.Binary), "hdbench-linux-"+arch)
	if _, err := os.Stat(other); err == nil {
		return other, nil
	}
	return "", fmt.Errorf("%s is a %s and this hdbench is for %s; build one for it from the same source: GOARCH=%s go build -ldflags '-X main.buildVersion=%s' -o %s ./cmd/hdbench",
		dest, machine, runtime.GOARCH, arch, o.Version, other)
}

// ship makes sure that the host has a file of ours, and says where.
func (l *link) ship(ctx context.Context, f *Fleet, path, name string) (Binary, error) {
	l.shipping.Lock()
	defer l.shipping.Unlock()
	ctx, cancel := context.WithTimeout(ctx, shipTimeout)
	defer cancel()
	hash, err := HashFile(path)
	if err != nil {
		return Binary{}, err
	}
	doing := "copy " + filepath.Base(path)
	there, err := l.run(ctx, f.spawn, doing, scriptHas(hash, name), nil)
	if err != nil {
		return Binary{}, err
	}
	is, err := l.run(ctx, f.spawn, doing, scriptLook(), nil)
	if err != nil {
		return Binary{}, err
	}
	b := Binary{Path: is["cache"] + "/" + hash + "/" + name, SHA256: hash}
	if sum, ok := there["sum"]; ok {
		if !strings.HasPrefix(sum, hash) {
			return Binary{}, fmt.Errorf("%s: %s is damaged or somebody has changed it: its SHA-256 is %.64s; look why, and remove it", l.dest, b.Path, sum)
		}
		return b, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return Binary{}, err
	}
	defer file.Close()
	stored, err := l.run(ctx, f.spawn, doing, scriptStore(hash, name), file)
	if err != nil {
		return Binary{}, err
	}
	if stored["stored"] != "yes" {
		return Binary{}, l.fail(doing, fmt.Errorf("what arrived has the SHA-256 %.64s, not %s (is the disk of %s full?)", stored["sum"], hash, b.Path))
	}
	f.o.Log(fmt.Sprintf("copied %s to %s on %s", filepath.Base(path), b.Path, l.dest))
	return b, nil
}

// Offer makes a binary of the controller's host available on this one. An agent
// that the user has started must offer the same file itself.
func (h *Host) Offer(ctx context.Context, path string) (Binary, error) {
	f := h.fleet
	if f.o.NATS == nil && h.member.Remote() {
		l, err := f.to(ctx, h.member.SSH)
		if err != nil {
			return Binary{}, fmt.Errorf("agent %s: %w", h.member.Agent, err)
		}
		b, err := l.ship(ctx, f, path, shippedName(path))
		if err != nil {
			err = fmt.Errorf("agent %s: %w", h.member.Agent, err)
		}
		return b, err
	}
	hash, err := HashFile(path)
	if err != nil {
		return Binary{}, err
	}
	if f.o.NATS == nil {
		return Binary{path, hash}, nil
	}
	for _, b := range h.Binaries() {
		if b.SHA256 == hash {
			return b, nil
		}
	}
	return Binary{}, fmt.Errorf("agent %s does not offer a binary with the SHA-256 %s (%s): put it there and start the agent with --binary PATH", h.member.Agent, hash, path)
}

// Binaries are the relays that an agent of the user's offers by itself.
func (h *Host) Binaries() []Binary { return h.reply().Binaries }
