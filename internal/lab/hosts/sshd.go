package hosts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keys are the hosts' keys and the one that every user of the lab has.
type keys struct{ dir string }

// makeKeys makes them in a folder.
func makeKeys(ctx context.Context, dir string, specs []Spec) (*keys, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	k := &keys{dir}
	names := []string{"user"}
	for _, s := range specs {
		names = append(names, s.Name)
	}
	for _, n := range names {
		if err := run(ctx, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", n, "-f", filepath.Join(dir, n)); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// read is a key's text; public is what others are to see of it.
func (k *keys) read(name string, public bool) (string, error) {
	if public {
		name += ".pub"
	}
	b, err := os.ReadFile(filepath.Join(k.dir, name))
	return string(b), err
}

const sshdConfig = `ListenAddress %s
HostKey /etc/ssh/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserEnvironment yes
Subsystem sftp internal-sftp
LogLevel VERBOSE
`

const clientConfig = `Host %s
  HostName %s
  User root
`

// sshFiles are a host's files of OpenSSH: path to text.
func (h *Host) sshFiles() (map[string]string, error) {
	hostKey, err := h.lab.keys.read(h.Name, false)
	if err != nil {
		return nil, err
	}
	userKey, err := h.lab.keys.read("user", false)
	if err != nil {
		return nil, err
	}
	authorized, err := h.lab.keys.read("user", true)
	if err != nil {
		return nil, err
	}
	var config, known strings.Builder
	for _, other := range h.lab.hosts {
		public, err := h.lab.keys.read(other.Name, true)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&config, clientConfig, other.Name, other.Control)
		fmt.Fprintf(&known, "%s,%s %s", other.Name, other.Control, public)
	}
	files := map[string]string{
		"/etc/ssh/host_key":    hostKey,
		"/etc/ssh/sshd_config": fmt.Sprintf(sshdConfig, h.Control),
		"/etc/ssh/ssh_config":  "",
	}
	for _, user := range []string{"root", User} {
		ssh := Home(user) + "/.ssh/"
		files[ssh+"id_ed25519"] = userKey
		files[ssh+"authorized_keys"] = authorized
		files[ssh+"config"] = config.String()
		files[ssh+"known_hosts"] = known.String()
	}
	return files, nil
}

// startSSHD starts the host's sshd and waits until it answers.
func (h *Host) startSSHD(ctx context.Context) error {
	// sshd wants to be started by its whole name.
	path, err := exec.LookPath("sshd")
	if err != nil {
		return err
	}
	p, err := h.Start(Command{Args: []string{path, "-D", "-E", "/var/tmp/sshd.log", "-f", "/etc/ssh/sshd_config"}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		sockets, err := h.Sockets()
		if err != nil || slices.Contains(sockets, fmt.Sprintf("tcp listen %s:22", h.Control)) {
			return err
		}
		select {
		case <-p.done:
			log, _ := os.ReadFile(h.Path("/var/tmp/sshd.log")) // it is for the message only
			return fmt.Errorf("it ended: %s%s", log, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("it does not listen: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
