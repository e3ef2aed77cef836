//go:build labhost

package twohosts

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"hdbench/internal/lab/hosts"
)

// What goes wrong with ssh is said with the host's name and what to try.
func TestWhatSSHCannotDo(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"})
	laptop, relay := l.Host("laptop"), l.Host("relay")
	install(t, laptop)
	before := states(t, l)
	config, err := os.ReadFile(laptop.Path("/root/.ssh/config"))
	if err != nil {
		t.Fatal(err)
	}
	cache := relay.Path("/root/.cache")
	for _, c := range []struct {
		name, host, data string
		arrange          func()
		want             []string
	}{
		{name: "no such host", host: "nowhere", want: []string{"ssh to nowhere: connect", "Could not resolve hostname", "try by hand: ssh -o BatchMode=yes"}},
		{name: "nobody answers", host: "10.77.0.99", want: []string{"ssh to 10.77.0.99: connect", "No route to host"}},
		{name: "no way in", host: "nobody@relay", want: []string{"ssh to nobody@relay: connect", "Permission denied"}},
		{name: "another host's key", host: "relay", arrange: func() {
			spoil(t, laptop, "/root/.ssh/known_hosts", "relay,"+relay.Control.String(), "elsewhere")
		}, want: []string{"Host key verification failed"}},
		{name: "a shell that says no", host: "relay", arrange: func() {
			shell(t, relay, "root", "/usr/sbin/nologin")
		}, want: []string{"ssh to relay: look at the host", "This account is currently not available"}},
		{name: "another machine", host: "bench@relay", arrange: func() {
			write(t, relay, "/home/bench/.bashrc", "PATH=/home/bench:$PATH\n")
			write(t, relay, "/home/bench/uname", "#!/bin/sh\nif [ \"$1\" = -m ]; then echo aarch64; else exec /bin/uname \"$@\"; fi\n")
			if err := os.Chmod(relay.Path("/home/bench/uname"), 0o755); err != nil {
				t.Fatal(err)
			}
			shell(t, relay, hosts.User, "/bin/bash")
		}, want: []string{"relay is a aarch64", "GOARCH=arm64 go build", "hdbench-linux-arm64"}},
		{name: "no data address", host: "relay", want: []string{"--data-addr", "10.88.0.11 on eth1", "10.77.0.11 on eth0"}},
		{name: "another host's data address", host: "relay", data: "10.88.0.10", want: []string{"10.88.0.10", "agent relay does not have it"}},
		{name: "a copy that somebody has changed", host: "relay", data: "10.88.0.11", arrange: func() {
			if out, err := exec.Command("sh", "-c", "for f in "+cache+"/hdbench/bin/*/hdbench; do echo x >>$f; done").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}, want: []string{"damaged or somebody has changed it"}},
	} {
		if err := os.WriteFile(laptop.Path("/root/.ssh/config"), config, 0o600); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, f := range []struct {
			h    *hosts.Host
			path string
		}{{laptop, "/root/.ssh/known_hosts"}, {relay, "/etc/passwd"}} {
			b, err := os.ReadFile(f.h.Path(f.path))
			if err != nil {
				t.Fatal(err)
			}
			files[f.h.Path(f.path)] = b
		}
		if c.arrange != nil {
			c.arrange()
		}
		args := []string{"s.yaml", "--out", "out", "--relay-host", c.host}
		if c.data != "" {
			args = append(args, "--data-addr", c.data)
		}
		out, err := trySweep(t, laptop, "root", args...)
		if err == nil {
			t.Errorf("%s: the sweep runs: %s", c.name, out)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v\nlacks %q", c.name, err, w)
			}
		}
		for path, b := range files {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range []string{"/home/bench/.bashrc", "/home/bench/uname"} {
		if err := os.Remove(relay.Path(f)); err != nil {
			t.Fatal(err)
		}
	}
	nothingLeft(t, l, before)
}

// Whatever a user's shell is, and whatever it prints when they log in, sweeps run.
func TestLoginShells(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"})
	laptop, relay := l.Host("laptop"), l.Host("relay")
	install(t, laptop)
	if err := os.MkdirAll(relay.Path("/home/bench/.config/fish"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"/home/bench/.bashrc":                  "echo hello from bash; echo and more >&2\n",
		"/home/bench/.cshrc":                   "echo hello from csh\n",
		"/home/bench/.config/fish/config.fish": "echo hello from fish\n",
	} {
		write(t, relay, path, text)
	}
	for _, sh := range []string{"/bin/bash", "/bin/dash", "/usr/bin/tcsh", "/usr/bin/fish"} {
		shell(t, relay, hosts.User, sh)
		// The agent itself says that its host does not have this address.
		out, err := trySweep(t, laptop, "root", "s.yaml", "--out", "out", "--relay-host", "bench@relay", "--data-addr", "10.9.9.9")
		if err == nil || !strings.Contains(err.Error(), "agent relay does not have it, it has 10.77.0.11 on eth0, 10.88.0.11 on eth1") {
			t.Errorf("%s: %v\n%s", sh, err, out)
		}
	}
}

// shell gives a user of a host another login shell.
func shell(t *testing.T, h *hosts.Host, user, sh string) {
	t.Helper()
	b, err := os.ReadFile(h.Path("/etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(` + user + `:.*:)[^:\n]*$`)
	if !line.Match(b) {
		t.Fatalf("%s has no user %s", h.Name, user)
	}
	write(t, h, "/etc/passwd", line.ReplaceAllString(string(b), "${1}"+sh))
}

func spoil(t *testing.T, h *hosts.Host, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(h.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	write(t, h, path, strings.ReplaceAll(string(b), old, new))
}
