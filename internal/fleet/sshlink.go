package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// SSH says how the system's ssh is run. All else is its own configuration's:
// proxies, keys, agents, known hosts.
type SSH struct {
	Config string // file for ssh -F; empty: the user's own and the system's
}

// destination is what we hand to ssh. It is narrower than what ssh takes: a
// ProxyCommand of the user's may paste it into a shell.
var destination = regexp.MustCompile(`^(ssh://)?([A-Za-z0-9_][A-Za-z0-9_.+-]*@)?([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]|[0-9A-Fa-f:]+(%[A-Za-z0-9_.-]+)?)(:[0-9]{1,5})?/?$`)

var hasPort = regexp.MustCompile(`^[^:]*:[0-9]*$|\]:[0-9]*$`)

// CheckDestination finds what is wrong with an ssh destination.
func CheckDestination(s string) error {
	// host:22 without ssh:// is to ssh a host of that name.
	if len(s) > maxText || !destination.MatchString(s) || !strings.HasPrefix(s, "ssh://") && hasPort.MatchString(s) {
		return fmt.Errorf("ssh destination %q: want a host of ssh_config, user@host, or ssh://user@host:port", s)
	}
	return nil
}

// ShownDestination is a destination without its user, for records.
func ShownDestination(s string) string {
	rest, uri := strings.CutPrefix(s, "ssh://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if uri {
		return "ssh://" + rest
	}
	return rest
}

// links are the connections to other hosts, one for each destination however many
// agents it has.
type links struct {
	mu  sync.Mutex
	all map[string]*link // guarded by mu
}

// link is a connection of ssh's that several sessions share.
type link struct {
	dest string
	ssh  SSH

	shipping sync.Mutex // two agents of one host want the same file at the same time

	mu     sync.Mutex
	master *child // guarded by mu; nil with a connection that the user has open
	dir    string // guarded by mu; private, for the socket
	undir  func() // guarded by mu; removes it
	own    bool   // guarded by mu; the user's own shared connection is used
	up     bool   // guarded by mu
}

// to is the link to a destination, connected.
func (f *Fleet) to(ctx context.Context, dest string) (*link, error) {
	f.links.mu.Lock()
	l := f.links.all[dest]
	if l == nil {
		l = &link{dest: dest, ssh: f.o.SSH}
		if f.links.all == nil {
			f.links.all = map[string]*link{}
		}
		f.links.all[dest] = l
	}
	f.links.mu.Unlock()
	return l, l.connect(ctx, f.spawn)
}

func (ls *links) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		l.mu.Lock()
		l.drop()
		l.mu.Unlock()
	}
	ls.all = nil
}

// Times of ssh. A host that is silent for keepAlive × keepAlives is given up: as
// late as its agent gives up us.
const (
	sshConnectTimeout = 15 * time.Second
	sshKeepAlive      = 5 * time.Second
	sshKeepAlives     = 3
)

// base are the arguments that every call has.
func (l *link) base() []string {
	args := []string{"ssh"}
	if l.ssh.Config != "" {
		args = append(args, "-F", l.ssh.Config)
	}
	for _, o := range []string{
		"BatchMode=yes",                                               // nobody is there to type a password
		"ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", // what is configured for people at work
		"RemoteCommand=none", "RequestTTY=no", "PermitLocalCommand=no",
		fmt.Sprintf("ConnectTimeout=%d", int(sshConnectTimeout.Seconds())),
		fmt.Sprintf("ServerAliveInterval=%d", int(sshKeepAlive.Seconds())),
		fmt.Sprintf("ServerAliveCountMax=%d", sshKeepAlives),
	} {
		args = append(args, "-o", o)
	}
	return args
}

// connect makes the connection that the sessions share, unless it is there.
func (l *link) connect(ctx context.Context, spawn *spawner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		if l.own {
			return nil
		}
		select {
		case <-l.master.ended: // it was
		default:
			return nil
		}
	}
	l.drop()
	ctx, cancel := context.WithTimeout(ctx, sshConnectTimeout+bootTimeout)
	defer cancel()
	// A shared connection that the user has open may be the only way in, where a
	// login needs a second factor.
	check, err := startChild(spawn, cpu.Of(), unix.SIGTERM, nil, append(l.base(), "-O", "check", "--", l.dest)...)
	if err != nil {
		return fmt.Errorf("ssh: %w", err)
	}
	if err := check.wait(ctx); err == nil {
		l.own, l.up = true, true
		return nil
	}
	if l.dir, l.undir, err = socketDir(); err != nil {
		return err
	}
	socket := filepath.Join(l.dir, "s")
	l.master, err = startChild(spawn, cpu.Of(), unix.SIGTERM, nil,
		withDir(l.dir, append(l.base(), "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-S", socket, "-N", "-T", "--", l.dest))...)
	if err != nil {
		l.drop()
		return fmt.Errorf("ssh: %w", err)
	}
	for {
		if _, err := os.Stat(socket); err == nil {
			l.up = true
			return nil
		}
		select {
		case <-l.master.ended:
			err = l.fail("connect", l.master.failure())
		case <-ctx.Done():
			err = l.fail("connect", fmt.Errorf("%w %s", context.Cause(ctx), l.master.stderr))
		case <-time.After(10 * time.Millisecond):
			continue
		}
		l.drop()
		return err
	}
}

// withDir is a command that removes a folder when it has ended, or when it is told
// to end: if this process is killed, nobody else is there to do it.
func withDir(dir string, argv []string) []string {
	return append([]string{"/bin/sh", "-c", `d=$1; shift
trap 'kill $! 2>/dev/null' TERM INT HUP
"$@" & wait $!; code=$?
wait $! 2>/dev/null
rm -rf "$d"; exit $code`, "sh", dir}, argv...)
}

// maxSocketPath keeps the control socket's name, with what ssh adds to it while it
// makes it, within what the kernel takes.
const maxSocketPath = 80

// socketDir makes a private folder whose path is short enough for a socket.
func socketDir() (dir string, remove func(), err error) {
	dir, remove, err = tempDir("", "hdbench-ssh")
	if err == nil && len(dir) > maxSocketPath {
		remove()
		dir, remove, err = tempDir("/tmp", "hdbench-ssh")
	}
	return dir, remove, err
}

// drop closes the connection. The caller holds mu.
func (l *link) drop() {
	if l.master != nil {
		l.master.stop(agentGrace)
	}
	if l.undir != nil {
		l.undir()
	}
	l.master, l.dir, l.undir, l.own, l.up = nil, "", nil, false, false
}

// command is a session that runs a script. The user's login shell sees nothing
// but our own words in single quotes.
func (l *link) command(s script) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	args := append(l.base(), "-o", "ControlMaster=no")
	if !l.own {
		args = append(args, "-S", filepath.Join(l.dir, "s"))
	}
	return append(args, "-T", "--", l.dest, s.quoted())
}

// run runs a script and returns what it says with our mark: the words after it, by
// the first of them.
func (l *link) run(ctx context.Context, spawn *spawner, doing string, s script, stdin io.Reader) (map[string]string, error) {
	c, err := startChild(spawn, cpu.Of(), unix.SIGTERM, nil, l.command(s)...)
	if err != nil {
		return nil, fmt.Errorf("ssh: %w", err)
	}
	go func() {
		if stdin != nil {
			_, _ = io.Copy(c.stdin, stdin) // what went wrong is in what ssh says
		}
		c.stdin.Close()
	}()
	words, other := map[string]string{}, &tail{max: 1 << 10}
	read := make(chan struct{})
	go func() {
		defer close(read)
		readMarked(c, words, other)
	}()
	err = c.wait(ctx)
	<-read
	if err != nil {
		if text := other.String(); text != "" { // of the login shell: why it ran nothing
			err = fmt.Errorf("%w; it said: %s", err, text)
		}
		return nil, l.fail(doing, err)
	}
	return words, nil
}

// wait waits for a child that ends by itself.
func (c *child) wait(ctx context.Context) error {
	select {
	case <-c.ended:
		if c.err != nil {
			return c.failure()
		}
		return nil
	case <-ctx.Done():
		c.stop(0)
		return fmt.Errorf("%w %s", context.Cause(ctx), c.stderr)
	}
}

// mark begins each line that a script of ours says.
const mark = "hdbench-says "

// readMarked reads all that a child says, the marked lines into words.
func readMarked(c *child, words map[string]string, other io.Writer) {
	for range maxPreamble {
		line, err := c.line()
		if err != nil {
			return
		}
		if text, ok := strings.CutPrefix(string(line), mark); ok {
			key, value, _ := strings.Cut(text, " ")
			words[key] = value
		} else {
			fmt.Fprintf(other, "%s\n", line)
		}
	}
	_, _ = io.Copy(io.Discard, c.stdout)
}

// SSHError is what ssh could not do.
type SSHError struct {
	Destination string
	Doing       string
	Err         error  // with what ssh, or the other host, had to say
	Try         string // what to try by hand
}

func (e *SSHError) Error() string {
	return fmt.Sprintf("ssh to %s: %s: %v; try by hand: %s", e.Destination, e.Doing, e.Err, e.Try)
}

func (e *SSHError) Unwrap() error { return e.Err }

func (l *link) fail(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	try := "ssh -o BatchMode=yes "
	if l.ssh.Config != "" {
		try += "-F " + l.ssh.Config + " "
	}
	return &SSHError{Destination: l.dest, Doing: doing, Err: err, Try: try + l.dest + " uname -a"}
}
