// Package natslab makes real nats-servers for tests: processes of their own, with
// TLS and nkeys, configured by the file that docs/TWO-HOSTS.md shows to users.
//
// In go the agents' names; out come a folder with the server's configuration and
// everybody's keys, and servers that can be killed. Nothing of hdbench imports it
// but tests.
package natslab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nkeys"

	"hdbench/internal/cert"
)

// Controller is the user who may give orders.
const Controller = "controller"

// Build builds the nats-server of the version in go.mod.
func Build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "nats-server")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build nats-server: %w: %s", err, out)
	}
	return binary, nil
}

// Files are what a server and its users need, in one folder.
type Files struct {
	Dir    string
	config string // without a place to listen
}

// Make makes keys for the controller and the agents, a certificate for the
// address, and the configuration after the example at path.
func Make(dir, example, addr string, agents ...string) (*Files, error) {
	b, err := os.ReadFile(example)
	if err != nil {
		return nil, err
	}
	f := &Files{Dir: dir}
	pair, err := cert.SelfSigned(addr)
	if err != nil {
		return nil, err
	}
	if err := pair.Write(f.CA(), filepath.Join(dir, "server-key.pem")); err != nil {
		return nil, err
	}
	public := map[string]string{}
	for _, user := range append([]string{Controller}, agents...) {
		key, err := nkeys.CreateUser()
		if err != nil {
			return nil, err
		}
		seed, err := key.Seed()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(f.Seed(user), seed, 0o600); err != nil {
			return nil, err
		}
		if public[user], err = key.PublicKey(); err != nil {
			return nil, err
		}
	}
	f.config, err = fill(string(b), dir, public, agents)
	return f, err
}

// fill puts real keys into the example: its agent's entry is repeated for each.
func fill(text, dir string, public map[string]string, agents []string) (string, error) {
	begin, end := strings.Index(text, "    {\n      nkey: UDRELAY"), strings.Index(text, "    {\n      nkey: UDCLIENT")
	listen := strings.Index(text, "listen:")
	tail := strings.LastIndex(text, "  ]\n}")
	if begin < 0 || end < begin || listen < 0 || tail < end {
		return "", errors.New("the example of a nats-server's configuration is not what natslab knows")
	}
	entry := text[begin:end]
	var entries strings.Builder
	for _, a := range agents {
		entries.WriteString(strings.NewReplacer("UDRELAY", public[a], "agent.relay-1.", "agent."+a+".").Replace(entry))
	}
	text = text[:begin] + entries.String() + text[tail:]
	text = strings.NewReplacer("UDCONTROLLER", public[Controller], "/etc/nats/", dir+"/").Replace(text)
	_, after, _ := strings.Cut(text[listen:], "\n")
	return text[:listen] + after, nil
}

// CA is the certificate that the server's is checked against.
func (f *Files) CA() string { return filepath.Join(f.Dir, "server.pem") }

// Seed is the file with a user's key.
func (f *Files) Seed(user string) string { return filepath.Join(f.Dir, user+".nk") }

// WithoutTLS is the same configuration for a server without TLS.
func (f *Files) WithoutTLS() *Files {
	begin := strings.Index(f.config, "tls {")
	end := strings.Index(f.config, "authorization {")
	return &Files{Dir: f.Dir, config: f.config[:begin] + f.config[end:]}
}

// Config is a server's configuration that listens at addr; more is appended.
func (f *Files) Config(addr, more string) string {
	return fmt.Sprintf("listen: %q\n%s\n%s", addr, f.config, more)
}

// Server is a nats-server that runs.
type Server struct {
	Addr string // host and port
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a server on loopback and waits until it accepts connections.
func (f *Files) Start(ctx context.Context, binary, name, addr, more string) (*Server, error) {
	file := filepath.Join(f.Dir, name+".conf")
	if err := os.WriteFile(file, []byte(f.Config(addr, more)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(f.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &Server{Addr: addr, cmd: exec.Command(binary, "-c", file, "--name", name), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		close(s.done)
	}()
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return s, nil
		}
		select {
		case <-s.done:
			said, _ := os.ReadFile(log.Name()) // it is for the message only
			return nil, fmt.Errorf("nats-server %s ended: %s", name, said)
		case <-ctx.Done():
			s.Kill()
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Kill ends the server without a goodbye.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
}

// URL is where the server is.
func (s *Server) URL() string { return "tls://" + s.Addr }

// FreeAddr is a loopback address that nobody listens on just now.
func FreeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
