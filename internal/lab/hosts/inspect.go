package hosts

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// State is what there is in a host at a moment: what a test compares to find out
// what was left.
type State struct {
	Processes []string // command lines
	Sockets   []string // protocol, state and addresses
	Files     []string // on its disk and in /run and /dev/shm
}

// Look takes a host's state. A host that is off has files only.
func (h *Host) Look() (State, error) {
	var s State
	var err error
	if s.Sockets, err = h.Sockets(); err != nil {
		return State{}, err
	}
	for _, argv := range h.processes() {
		s.Processes = append(s.Processes, argv)
	}
	slices.Sort(s.Processes)
	roots := map[string]string{}
	for _, d := range []string{"/root", "/home", "/tmp", "/var/tmp"} {
		roots[d] = h.Path(d)
	}
	if up := h.up(); up != nil {
		for _, d := range []string{"/run", "/dev/shm"} {
			roots[d] = fmt.Sprintf("/proc/%d/root%s", up.init, d)
		}
	}
	for inside, outside := range roots {
		err := filepath.WalkDir(outside, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if rel := strings.TrimPrefix(path, outside); rel != "" {
				s.Files = append(s.Files, inside+rel)
			}
			return nil
		})
		if err != nil {
			return State{}, err
		}
	}
	slices.Sort(s.Files)
	return s, nil
}

// Since is what is there that was not there before.
func (s State) Since(before State) State {
	added := func(now, was []string) []string {
		return slices.DeleteFunc(slices.Clone(now), func(v string) bool { return slices.Contains(was, v) })
	}
	return State{added(s.Processes, before.Processes), added(s.Sockets, before.Sockets), added(s.Files, before.Files)}
}

// Empty reports whether nothing is there.
func (s State) Empty() bool { return len(s.Processes)+len(s.Sockets)+len(s.Files) == 0 }

// String is a line for each thing.
func (s State) String() string {
	var b strings.Builder
	for _, part := range []struct {
		name  string
		lines []string
	}{{"process", s.Processes}, {"socket", s.Sockets}, {"file", s.Files}} {
		for _, l := range part.lines {
			fmt.Fprintf(&b, "%s %s\n", part.name, l)
		}
	}
	return b.String()
}

// processes are the host's, by this machine's numbers, but for the first and what
// it waits with.
func (h *Host) processes() map[int]string {
	found := map[int]string{}
	up := h.up()
	if up == nil {
		return found
	}
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", up.init))
	if err != nil {
		return found // it has just ended
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return found
	}
	for _, p := range all {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.PID))
		if err != nil || ns != own || p.PID == up.init {
			continue
		}
		st, err := p.Stat()
		if err != nil || st.PPID == up.init && st.Comm == "sleep" {
			continue
		}
		argv, err := p.CmdLine()
		if err != nil {
			continue
		}
		text := strings.Join(argv, " ")
		if text == "" { // it has ended, and nobody has asked how
			text = fmt.Sprintf("(%s) state %s", st.Comm, st.State)
		}
		found[p.PID] = text
	}
	return found
}

// KillAll ends every process of the host but its sshd, as a crash of all of them
// does; the host stays up and the kernel closes their connections.
func (h *Host) KillAll() {
	for pid, argv := range h.processes() {
		if strings.Contains(argv, "[listener]") || strings.Contains(argv, "sshd_config") {
			continue
		}
		_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: it has just ended
	}
}

// Kill kills the processes whose command line has a text in it; none is an error.
func (h *Host) Kill(text string) error {
	killed := false
	for pid, argv := range h.processes() {
		if strings.Contains(argv, text) {
			killed = unix.Kill(pid, unix.SIGKILL) == nil || killed
		}
	}
	if !killed {
		return fmt.Errorf("host %s has no process %q", h.Name, text)
	}
	return nil
}

// Sockets are the host's sockets that somebody holds: TCP and UDP, and those of
// unix that have a name.
func (h *Host) Sockets() ([]string, error) {
	up := h.up()
	if up == nil {
		return nil, nil
	}
	out, err := exec.Command("nsenter", "--target", strconv.Itoa(up.init), "--net", "ss", "-HOan", "-t", "-u", "-x").Output()
	if err != nil {
		return nil, fmt.Errorf("sockets of host %s: %w", h.Name, err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line) // protocol, state, two queues, address and port of both ends
		if len(f) < 6 {
			return nil, fmt.Errorf("sockets of host %s: ss said %q", h.Name, line)
		}
		protocol, state, local, peer := f[0], f[1], f[4], f[5]
		switch {
		case strings.HasPrefix(protocol, "u_"):
			if local != "*" {
				found = append(found, "unix "+local)
			}
		case protocol == "udp":
			found = append(found, "udp "+local)
		case state == "LISTEN":
			found = append(found, "tcp listen "+local)
		case state == "ESTAB" || state == "CLOSE-WAIT" || state == "SYN-SENT":
			found = append(found, fmt.Sprintf("tcp %s %s to %s", state, local, peer))
		default: // closed by its owner: the kernel sees it to its end
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// Traffic is what went over a host's link since it was powered on.
type Traffic struct{ ReceivedBytes, SentBytes uint64 }

// Traffic reads the counters of a link.
func (h *Host) Traffic(n Network) (Traffic, error) {
	up := h.up()
	if up == nil {
		return Traffic{}, fmt.Errorf("host %s is off", h.Name)
	}
	proc, err := procfs.NewFS("/proc/" + strconv.Itoa(up.init))
	if err != nil {
		return Traffic{}, err
	}
	devices, err := proc.NetDev()
	if err != nil {
		return Traffic{}, err
	}
	d, ok := devices[string(n)]
	if !ok {
		return Traffic{}, fmt.Errorf("host %s has no %s", h.Name, n)
	}
	return Traffic{d.RxBytes, d.TxBytes}, nil
}

// AwaitIdle waits until the host is as it was before, and returns what is left if
// it does not come to that in time.
func (h *Host) AwaitIdle(ctx context.Context, before State, ignore func(file string) bool) (State, error) {
	for {
		now, err := h.Look()
		if err != nil {
			return State{}, err
		}
		left := now.Since(before)
		left.Files = slices.DeleteFunc(left.Files, ignore)
		if left.Empty() || !pause(ctx) {
			return left, nil
		}
	}
}

// pause waits a little; false when there is no time left.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}

// NetNS is the file that stands for the host's network, for setns; empty if the host
// is off.
func (h *Host) NetNS() string {
	s := h.up()
	if s == nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/ns/net", s.init)
}
