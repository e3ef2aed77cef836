package hosts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// userID is User's.
const userID = 1000

// install puts a host's files on its disk: a copy of this machine's /etc, its own
// users, names and keys.
func (h *Host) install(ctx context.Context) error {
	disk := h.lab.sw.disk(h.Name, "")
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{{"", 0o755}, {"/root", 0o700}, {"/home", 0o755}, {"/home/" + User, 0o750}, {"/tmp", 0o777 | os.ModeSticky}, {"/var", 0o755}, {"/var/tmp", 0o777 | os.ModeSticky}} {
		if err := os.Mkdir(disk+d.path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(disk+d.path, d.mode); err != nil { // whatever the umask
			return err
		}
	}
	if err := run(ctx, "", "cp", "-a", "/etc", disk+"/etc"); err != nil {
		return err
	}
	if err := os.RemoveAll(disk + "/etc/ssh"); err != nil {
		return err
	}
	files, err := h.sshFiles()
	if err != nil {
		return err
	}
	names := "127.0.0.1 localhost\n"
	for _, other := range h.lab.hosts {
		names += fmt.Sprintf("%s %s\n", other.Control, other.Name)
	}
	id := sha256.Sum256([]byte(h.Name))
	files["/etc/hosts"] = names
	files["/etc/hostname"] = h.Name + "\n"
	files["/etc/machine-id"] = hex.EncodeToString(id[:16]) + "\n"
	// A password of * is none, and locks nobody out: sshd without PAM looks.
	for file, lines := range map[string][]string{
		"/etc/passwd": {"root:x:0:0:root:/root:/bin/bash", fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/bash", User, userID, userID), "sshd:x:103:65534::/run/sshd:/usr/sbin/nologin"},
		"/etc/group":  {"root:x:0:", "nogroup:x:65534:", fmt.Sprintf("%s:x:%d:", User, userID)},
		"/etc/shadow": {"root:*:20000:0:99999:7:::", User + ":*:20000:0:99999:7:::", "sshd:!:20000::::::"},
	} {
		files[file] = strings.Join(lines, "\n") + "\n"
	}
	for path, text := range files {
		if err := h.write(path, []byte(text)); err != nil {
			return err
		}
	}
	return run(ctx, "", "chown", "-R", fmt.Sprintf("%d:%d", userID, userID), disk+Home(User))
}

// write writes a file of the host's disk; what is secret only for its owner.
func (h *Host) write(path string, b []byte) error {
	name := h.Path(path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.Contains(path, "/.ssh/") || strings.HasSuffix(path, "_key") || strings.HasSuffix(path, "shadow") {
		mode = 0o600
	}
	if err := os.WriteFile(name, b, mode); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

// Put copies a file of this machine to the host's disk, to be read and executed by
// everybody there.
func (h *Host) Put(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A process that is forked while the file is open for writing has it open too,
	// for a moment, and a file that is written to cannot be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(h.Path(to), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
