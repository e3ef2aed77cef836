package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/probe"
	"hdbench/internal/transport"
)

// liveRelay is a relay of an agent's.
type liveRelay struct {
	child     *child
	kin       *kin // of a relay that is not ours; else nil: hd starts nothing
	info      RelayInfo
	kernelTLS *measure.KernelTLS // of the host when the relay was started; nil without TLS
	// counters reads the relay's own; nil if it has none we can read.
	counters func(context.Context) (*measure.Counters, error)
	cleanUp  func() // of its files; never nil
}

// relayGrace is how long a relay may take to drain when it is stopped.
const relayGrace = 5 * time.Second

func (a *agent) startRelay(ctx context.Context, s RelaySpec) (RelayInfo, error) {
	set, err := cpu.ParseList(s.CPUs)
	if err != nil {
		return RelayInfo{}, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	start := map[RelayKind]func(context.Context, RelaySpec, cpu.Set) (*liveRelay, error){
		KindHD: a.startHD, KindDerper: a.startDerper, KindExternal: a.startExternal,
	}[s.Kind]
	if start == nil {
		return RelayInfo{}, fmt.Errorf("%w: relay kind %q", errBadRequest, s.Kind)
	}
	if err := a.allow(s); err != nil {
		return RelayInfo{}, err
	}
	var before *measure.KernelTLS
	if s.Transport != string(transport.TCP) {
		if before, err = probe.KernelTLS(); err != nil {
			return RelayInfo{}, err
		}
	}
	r, err := start(ctx, s, set)
	if err != nil {
		return RelayInfo{}, fmt.Errorf("start relay %s: %w", s.Kind, err)
	}
	r.kernelTLS = before
	r.info.ID, r.info.CPUs = a.newID("relay"), set.String()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || ctx.Err() != nil || len(a.relays) >= maxChildren {
		go r.kill()
		return RelayInfo{}, errClosing
	}
	a.relays[r.info.ID] = r
	return r.info, nil
}

// RelayReady is the first line a hdbench relay prints: it accepts connections.
type RelayReady struct {
	Addr      string `json:"addr"`
	Key       string `json:"key"`
	Transport string `json:"transport"`
	Workers   int    `json:"workers"`
	CPUs      string `json:"cpus"`
	Metrics   string `json:"metrics,omitempty"`
	PID       int    `json:"pid"`
	Version   string `json:"version"`
}

func (a *agent) startHD(ctx context.Context, s RelaySpec, set cpu.Set) (*liveRelay, error) {
	argv := []string{
		cmp.Or(s.Path, a.cfg.Binary), "relay", "--listen", net.JoinHostPort(s.Host, "0"), "--transport", s.Transport,
		"--workers", strconv.Itoa(s.Workers), "--cpus", set.String(), "--metrics", "127.0.0.1:0",
	}
	add := func(flag, value string, given bool) {
		if given {
			argv = append(argv, flag, value)
		}
	}
	add("--on-full", s.OnFull, s.OnFull != "")
	add("--moderation", s.Moderation.String(), s.Moderation > 0)
	add("--queue-packets", strconv.Itoa(s.QueuePackets), s.QueuePackets > 0)
	add("--queue-bytes", strconv.FormatInt(s.QueueBytes, 10)+"B", s.QueueBytes > 0)
	add("--socket-buffer", strconv.FormatInt(s.SocketBuffer, 10)+"B", s.SocketBuffer > 0)
	add("--socket-buffer", "system", s.SocketBuffer < 0)
	add("--congestion", s.Congestion, s.Congestion != "")
	c, err := startChild(a.spawn, set, unix.SIGKILL, nil, argv...)
	if err != nil {
		return nil, err
	}
	// One that says nothing must not keep the agent, and its host's lock, waiting.
	kill := context.AfterFunc(ctx, func() { c.signal(unix.SIGKILL) })
	line, err := c.line()
	if !kill() {
		c.stop(0)
		return nil, fmt.Errorf("it had not said that it is ready: %w", context.Cause(ctx))
	}
	if err != nil {
		c.stop(0)
		return nil, err
	}
	var ready RelayReady
	if err := json.Unmarshal(line, &ready); err != nil {
		c.stop(0)
		return nil, fmt.Errorf("its first line is not what a hdbench relay prints: %w", err)
	}
	return &liveRelay{
		child:    c,
		info:     RelayInfo{Addr: ready.Addr, Version: ready.Version, Command: hide(argv)},
		counters: func(ctx context.Context) (*measure.Counters, error) { return hdCounters(ctx, ready.Metrics) },
		cleanUp:  func() {},
	}, nil
}

// hide leaves the place of the binary out of a command that is published.
func hide(argv []string) []string {
	shown := append([]string(nil), argv...)
	if i := strings.LastIndexByte(shown[0], '/'); i >= 0 {
		shown[0] = shown[0][i+1:]
	}
	return shown
}

// freePort finds a port nobody listens on. Somebody else may take it before the
// relay does; the relay then fails to start, and says so.
func freePort(host string) (string, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

// portTries is how often a relay that cannot choose its port itself is started
// anew because the port was taken in between.
const portTries = 3

// startOnPort starts a relay that must be told its port, and waits until it
// accepts connections. make gives the command and its environment.
func (a *agent) startOnPort(ctx context.Context, spec RelaySpec, set cpu.Set, make func(port string) (argv, env []string, err error)) (*liveRelay, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(spec.Wait, DefaultRelayWait))
	defer cancel()
	for try := 1; ; try++ {
		port, err := freePort(spec.Host)
		if err != nil {
			return nil, err
		}
		argv, env, err := make(port)
		if err != nil {
			return nil, err
		}
		mark := newMark()
		c, err := startChild(a.spawn, set, unix.SIGKILL, append(env[:len(env):len(env)], mark), argv...)
		if err != nil {
			return nil, err
		}
		c.listen()
		r := &liveRelay{child: c, info: RelayInfo{Addr: net.JoinHostPort(spec.Host, port), Command: hide(argv), Env: env}, cleanUp: func() {}}
		if r.kin, err = newKin(a.spawn, c.pid(), mark); err == nil {
			err = waitAccepting(ctx, r.info.Addr, c, r.kin)
		}
		if err == nil {
			return r, nil
		}
		r.kill()
		if try == portTries || !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
	}
}

func (a *agent) startDerper(ctx context.Context, s RelaySpec, set cpu.Set) (*liveRelay, error) {
	version, err := a.derperVersion(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(a.dir, "derper-*")
	if err != nil {
		return nil, err
	}
	clean := func() { os.RemoveAll(dir) }
	// Not -dev: that binds every interface and ignores -a.
	var secure []string
	scheme := "http"
	switch s.Transport {
	case string(transport.TCP):
	case string(transport.TLS): // for an address it makes its certificate itself
		secure, scheme = []string{"-certmode", "manual", "-certdir", dir, "-hostname", s.Host}, "https"
	default:
		clean()
		return nil, fmt.Errorf("%w: derper has no transport %s", errBadRequest, s.Transport)
	}
	r, err := a.startOnPort(ctx, s, set, func(port string) (argv, env []string, err error) {
		return append([]string{
			s.Path, "-c", dir + "/derper.key", "-a", net.JoinHostPort(s.Host, port), "-stun=false", "-http-port=-1",
		}, secure...), []string{"GOMAXPROCS=" + strconv.Itoa(s.Workers), "TS_ALLOW_DEBUG_IP=" + s.Host}, nil
	})
	if err != nil {
		clean()
		return nil, err
	}
	r.info.Version, r.info.GOMAXPROCS, r.cleanUp = version, s.Workers, clean
	r.counters = func(ctx context.Context) (*measure.Counters, error) { return derperCounters(ctx, r.info.Addr, scheme) }
	return r, nil
}

// DerperVersion asks a derper binary what it is. Built from the module proxy it
// lacks the stamp of a version control system and says ERR-BuildInfo; that is no
// other build.
func DerperVersion(ctx context.Context, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%w: no derper binary given", errBadRequest)
	}
	out, err := exec.CommandContext(ctx, path, "-version").Output()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w", path, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSuffix(strings.TrimSpace(line), "-ERR-BuildInfo"), nil
}

func (a *agent) derperVersion(ctx context.Context, path string) (version string, err error) {
	a.spawn.apart(func() { version, err = DerperVersion(ctx, path) })
	return version, err
}

func (a *agent) relayVersion(ctx context.Context, r versionRequest) (versionReply, error) {
	switch r.Kind {
	case KindHD:
		return versionReply{a.cfg.Version}, nil
	case KindDerper:
		if err := a.allowBinary(r.Path, r.SHA256); err != nil {
			return versionReply{}, err
		}
		v, err := a.derperVersion(ctx, r.Path)
		return versionReply{v}, err
	default:
		return versionReply{}, fmt.Errorf("%w: the version of a %s relay is not known", errBadRequest, r.Kind)
	}
}

func (a *agent) liveRelay(id string) (*liveRelay, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.relays[id]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("%w: no relay %q", errBadRequest, id)
}

// edgeLead is how long before the measuring window the first readings are taken.
// They cost the host some milliseconds of a CPU, which may be the relay's: taken
// inside the window they made a relay with short queues lose 1 to 3 % of it. The
// load is the same before, so that what is counted there is, too.
const edgeLead = 30 * time.Millisecond

// relayWindow reads the relay's CPU clock, and what else is counted of it, at two
// times.
func (a *agent) relayWindow(ctx context.Context, w windowRequest) (Window, error) {
	r, err := a.liveRelay(w.ID)
	if err != nil {
		return Window{}, err
	}
	set, err := cpu.Parse(r.info.CPUs)
	if err != nil {
		return Window{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sockets := watchSockets(ctx, a.clock.Now, r.info.Addr, w)
	first := w.BeginNS - int64(edgeLead)
	counters := attachCounters(ctx, r.child.pid(), set, time.Duration(first-a.clock.Now()))
	defer counters.close()
	type reading struct {
		cpu time.Duration
		at  int64
	}
	read := func(at int64) (reading, error) {
		select {
		case <-time.After(time.Duration(at - a.clock.Now())):
		case <-r.child.ended:
			return reading{}, fmt.Errorf("the relay ended: %w", r.child.failure())
		case <-ctx.Done():
			return reading{}, context.Cause(ctx)
		}
		cpu, err := probe.TreeCPUTime(r.child.pid())
		if err != nil {
			select {
			case <-r.child.ended: // it is gone, and soon has been waited for
				return reading{}, fmt.Errorf("the relay ended: %w", r.child.failure())
			case <-time.After(relayGrace):
			}
		}
		return reading{cpu, a.clock.Now()}, err
	}
	begin, err := read(first)
	if err != nil {
		return Window{}, err
	}
	counters.begin = counters.read()
	end, err := read(w.EndNS)
	if err != nil {
		return Window{}, err
	}
	counters.end = counters.read()
	return Window{
		CPUSeconds: (end.cpu - begin.cpu).Seconds(), Seconds: time.Duration(end.at - begin.at).Seconds(),
		Perf: counters.result(), Sockets: <-sockets, Threads: counters.threads(), Throttle: counters.throttle(),
	}, nil
}

func (a *agent) relayCounters(ctx context.Context, ref relayRef) (countersReply, error) {
	r, err := a.liveRelay(ref.ID)
	if err != nil {
		return countersReply{}, err
	}
	var reply countersReply
	if r.counters != nil {
		if reply.Counters, err = r.counters(ctx); err != nil {
			return countersReply{}, err
		}
	}
	if r.kernelTLS != nil {
		now, err := probe.KernelTLS()
		if err != nil || now == nil {
			return countersReply{}, err
		}
		now.Subtract(r.kernelTLS)
		reply.KernelTLS = now
	}
	return reply, nil
}

// errRelayDied means that a relay had ended before it was stopped.
var errRelayDied = errors.New("the relay ended by itself")

func (a *agent) stopRelay(ctx context.Context, s stopRequest) (RelayEnd, error) {
	a.mu.Lock()
	r := a.relays[s.ID]
	delete(a.relays, s.ID)
	a.mu.Unlock()
	if r == nil {
		return RelayEnd{}, fmt.Errorf("%w: no relay %q", errBadRequest, s.ID)
	}
	return r.end(ctx, s.Look), nil
}

// kill ends a relay, and all that it has started, at once.
func (r *liveRelay) kill() {
	r.child.stop(0)
	if r.kin != nil {
		r.kin.end()
	}
	r.cleanUp()
}
