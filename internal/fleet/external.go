package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mattn/go-shellwords"

	"hdbench/internal/cert"
	"hdbench/internal/cpu"
)

// Placeholders lists what an external relay's command may contain, and what
// stands for it when the relay is started.
func Placeholders() []struct{ Name, Meaning string } {
	return []struct{ Name, Meaning string }{
		{"{addr}", "address and port to listen on"},
		{"{host}", "address to listen on"},
		{"{port}", "port to listen on"},
		{"{workers}", "number of workers"},
		{"{cpus}", "CPU list it may use, such as 0-3"},
		{"{cert}", "file with a certificate for the address, PEM"},
		{"{key}", "file with the certificate's key, PEM"},
	}
}

// CheckCommand finds what is wrong with an external relay's command.
func CheckCommand(command string) error {
	words, err := shellwords.Parse(command)
	if err != nil {
		return fmt.Errorf("command %q: %w", command, err)
	}
	if len(words) == 0 {
		return errors.New("the command is empty")
	}
	if !strings.Contains(command, "{addr}") && !strings.Contains(command, "{port}") {
		return fmt.Errorf("command %q: it has neither {addr} nor {port}, so the relay cannot be told where to listen", command)
	}
	rest := command
	for _, p := range Placeholders() {
		rest = strings.ReplaceAll(rest, p.Name, "")
	}
	if i := strings.IndexByte(rest, '{'); i >= 0 {
		word, _, _ := strings.Cut(rest[i:], " ")
		return fmt.Errorf("command %q: unknown placeholder at %q (known: %s)", command, word, placeholderNames())
	}
	return nil
}

func placeholderNames() string {
	var names []string
	for _, p := range Placeholders() {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

// startExternal starts any other DERP server. The command is split into words as
// a shell would, but no shell runs it: the relay is the agent's own child.
func (a *agent) startExternal(ctx context.Context, s RelaySpec, set cpu.Set) (*liveRelay, error) {
	if err := CheckCommand(s.Command); err != nil {
		return nil, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	words, err := shellwords.Parse(s.Command)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	dir, err := os.MkdirTemp(a.dir, "external-*")
	if err != nil {
		return nil, err
	}
	clean := func() { os.RemoveAll(dir) }
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if strings.Contains(s.Command, "{cert}") || strings.Contains(s.Command, "{key}") {
		own, err := cert.SelfSigned(s.Host)
		if err == nil {
			err = own.Write(certFile, keyFile)
		}
		if err != nil {
			clean()
			return nil, err
		}
	}
	live, err := a.startOnPort(ctx, s, set, func(port string) (argv, env []string, err error) {
		r := strings.NewReplacer("{addr}", net.JoinHostPort(s.Host, port), "{host}", s.Host, "{port}", port,
			"{workers}", strconv.Itoa(s.Workers), "{cpus}", set.String(), "{cert}", certFile, "{key}", keyFile)
		for _, w := range words {
			argv = append(argv, r.Replace(w))
		}
		return argv, nil, nil
	})
	if err != nil {
		clean()
		return nil, err
	}
	live.info.Version, live.cleanUp = "external", clean
	return live, nil
}

// checkRelay finds what would keep a relay from being started.
func (a *agent) checkRelay(_ context.Context, s RelaySpec) (struct{}, error) {
	if s.Kind == KindExternal {
		if err := a.allow(s); err != nil {
			return struct{}{}, err
		}
		if err := CheckCommand(s.Command); err != nil {
			return struct{}{}, fmt.Errorf("%w: %v", errBadRequest, err)
		}
		words, err := shellwords.Parse(s.Command)
		if err != nil {
			return struct{}{}, fmt.Errorf("%w: %v", errBadRequest, err)
		}
		if _, err := exec.LookPath(words[0]); err != nil {
			return struct{}{}, err
		}
	}
	if _, err := freePort(s.Host); err != nil {
		return struct{}{}, fmt.Errorf("no relay can listen at %s: %w", s.Host, err)
	}
	return struct{}{}, nil
}
