//go:build labhost

package hosts

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/mono"
)

// The test binary is also what runs in hosts, and the process that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("HOSTS_TEST") {
	case "":
		os.Exit(m.Run())
	case "litter":
		for network, addr := range map[string]string{"tcp": "127.0.0.1:9777", "unix": "/tmp/u"} {
			if _, err := net.Listen(network, addr); err != nil {
				panic(err)
			}
		}
		fmt.Println("up")
		time.Sleep(time.Minute)
	case "clock":
		fmt.Print(time.Duration(mono.New().Now()))
	case "lab":
		l, err := New(context.Background(), Spec{Name: "a"})
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Host("a").up().init, l.sw.space.init)
		time.Sleep(time.Minute)
	}
}

// putSelf puts this binary into a host.
func putSelf(t *testing.T, h *Host) {
	t.Helper()
	if err := h.Put(os.Args[0], "/tmp/self"); err != nil {
		t.Fatal(err)
	}
}

func newLab(t *testing.T, specs ...Spec) *Lab {
	t.Helper()
	l, err := New(t.Context(), specs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func mustRun(t *testing.T, h *Host, user string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := h.Run(ctx, Command{User: user, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// awaitUp waits until a command has said something.
func awaitUp(t *testing.T, p *Process) {
	t.Helper()
	for p.Stdout() == "" {
		select {
		case <-p.Ended():
			t.Fatal(p.Output())
		case <-time.After(time.Millisecond):
		}
	}
}

func TestEveryUserLogsInByName(t *testing.T) {
	l := newLab(t, Spec{Name: "ctl"}, Spec{Name: "relay"})
	ctl := l.Host("ctl")
	for _, from := range []string{"root", User} {
		for to, want := range map[string]string{"relay": "root relay /root", User + "@relay": User + " relay /home/" + User} {
			got := mustRun(t, ctl, from, "ssh", "-o", "BatchMode=yes", to, `echo $(id -un) $(hostname) $HOME`)
			if got != want {
				t.Errorf("%s: ssh %s: %q, want %q", from, to, got, want)
			}
		}
	}
}

func TestAHostHasItsOwnFilesProcessesAndName(t *testing.T) {
	l := newLab(t, Spec{Name: "a"}, Spec{Name: "b"})
	a, b := l.Host("a"), l.Host("b")
	mustRun(t, a, "", "touch", "/tmp/x", "/run/y")
	if out := mustRun(t, b, "", "ls", "/tmp", "/run"); strings.Contains(out, "x") || strings.Contains(out, "y") {
		t.Errorf("b has a's files:\n%s", out)
	}
	if _, err := os.Stat(a.Path("/tmp/x")); err != nil {
		t.Error(err)
	}
	if out := mustRun(t, a, User, "ps", "-e", "-o", "comm="); strings.Contains(out, "hosts.test") {
		t.Errorf("a sees the processes of this machine:\n%s", out)
	}
	if out := mustRun(t, a, User, "sh", "-c", "id -u; hostname; pwd; cat /root/.ssh/id_ed25519 2>&1 | tail -1"); out != "1000\na\n/home/bench\ncat: /root/.ssh/id_ed25519: Permission denied" {
		t.Errorf("user %s: %q", User, out)
	}
	if out := mustRun(t, a, "", "sh", "-c", "ls /sys/class/net | tr '\\n' ' '"); !strings.Contains(out, "eth0 eth1 lo") {
		t.Errorf("devices in /sys: %s", out)
	}
}

func TestWhatIsLeftIsFound(t *testing.T) {
	l := newLab(t, Spec{Name: "a"})
	a := l.Host("a")
	putSelf(t, a)
	before, err := a.Look()
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Start(Command{User: User, Env: []string{"HOSTS_TEST=litter"}, Args: []string{"/tmp/self"}})
	if err != nil {
		t.Fatal(err)
	}
	awaitUp(t, p)
	now, err := a.Look()
	if err != nil {
		t.Fatal(err)
	}
	left := now.Since(before).String()
	for _, want := range []string{"process", "/tmp/self", "socket tcp listen 127.0.0.1:9777", "socket unix /tmp/u", "file /tmp/u"} {
		if !strings.Contains(left, want) {
			t.Errorf("not found: %s, in\n%s", want, left)
		}
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.ExitCode(); code != 128+int(unix.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
	nothing := func(string) bool { return false }
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if rest, err := a.AwaitIdle(ctx, before, nothing); err != nil || rest.String() != "file /tmp/u\n" {
		t.Errorf("left after its end: %v, %v", rest, err)
	}
	mustRun(t, a, "", "rm", "/tmp/u")
	if rest, err := a.AwaitIdle(t.Context(), before, nothing); err != nil || !rest.Empty() {
		t.Errorf("left: %v, %v", rest, err)
	}
}

// ping is one packet from a host to an address, by way of TCP: who is there
// refuses port 9 at once.
func ping(t *testing.T, h *Host, addr string) bool {
	t.Helper()
	out, _ := h.Run(t.Context(), Command{Args: []string{"timeout", "0.5", "bash", "-c", "exec 2>&1; echo > /dev/tcp/" + addr + "/9"}})
	return strings.Contains(out, "refused")
}

func TestLinksAreCutAndRestored(t *testing.T) {
	l := newLab(t, Spec{Name: "a"}, Spec{Name: "b"})
	a, b := l.Host("a"), l.Host("b")
	for _, n := range []Network{Control, Data} {
		addr, other := b.Control.String(), b.Data.String()
		if n == Data {
			addr, other = other, addr
		}
		if err := b.Cut(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if ping(t, a, addr) || !ping(t, a, other) {
			t.Errorf("%s is cut: through it %v, through the other %v", n, ping(t, a, addr), ping(t, a, other))
		}
		if err := b.Restore(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(2 * time.Minute); !ping(t, a, addr); {
			if time.Now().After(deadline) {
				t.Fatalf("%s is restored, and nothing goes through", n)
			}
		}
	}
}

func TestTrafficIsCountedByNetwork(t *testing.T) {
	l := newLab(t, Spec{Name: "a"}, Spec{Name: "b"})
	a := l.Host("a")
	mustRun(t, a, "", "sh", "-c", "head -c 1000000 /dev/zero | ssh b cat '>' /dev/null")
	control, err := a.Traffic(Control)
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Traffic(Data)
	if err != nil {
		t.Fatal(err)
	}
	if control.SentBytes < 1e6 || data.SentBytes > 1e5 {
		t.Errorf("over control %+v, over data %+v", control, data)
	}
}

func TestPowerOffIsSilentAndTheDiskStays(t *testing.T) {
	l := newLab(t, Spec{Name: "a"}, Spec{Name: "b"})
	a, b := l.Host("a"), l.Host("b")
	mustRun(t, b, "", "sh", "-c", "echo kept > /root/file; echo gone > /run/file")
	p, err := a.Start(Command{Args: []string{"ssh", "b", "echo up; sleep 60"}})
	if err != nil {
		t.Fatal(err)
	}
	awaitUp(t, p)
	if err := b.PowerOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ping(t, a, b.Control.String()) {
		t.Error("b is off and answers")
	}
	select {
	case <-p.Ended():
		t.Errorf("ssh has heard of it: %s", p.Output())
	default:
	}
	p.Kill()
	b.SetClock(3000 * time.Second)
	if err := b.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, a, "", "ssh", "b", "cat /root/file; test -e /run/file || echo no"); got != "kept\nno" {
		t.Errorf("after power came back: %q", got)
	}
	up := func(h *Host) time.Duration {
		putSelf(t, h)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := h.Run(ctx, Command{Env: []string{"HOSTS_TEST=clock"}, Args: []string{"/tmp/self"}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := time.ParseDuration(out)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if d := up(b) - up(a); d < 2990*time.Second || d > 3010*time.Second {
		t.Errorf("b's clock is %v ahead, want 3000 s", d)
	}
}

func TestKillAllSparesSSHD(t *testing.T) {
	l := newLab(t, Spec{Name: "a"})
	a := l.Host("a")
	before, err := a.Look()
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Start(Command{Args: []string{"sh", "-c", "echo up; sleep 60"}})
	if err != nil {
		t.Fatal(err)
	}
	awaitUp(t, p)
	a.KillAll()
	p.ExitCode()
	now, err := a.Look()
	if err != nil || !now.Since(before).Empty() || len(now.Processes) != 1 {
		t.Errorf("%v, %v", now, err)
	}
}

// A test that is killed leaves nothing: its hosts end with it.
func TestALabEndsWithItsProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOSTS_TEST=lab")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(buf[:n]))
	if len(pids) != 2 {
		t.Fatalf("it said %q", buf[:n])
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for _, pid := range pids {
		deadline := time.Now().Add(2 * time.Minute)
		for {
			if _, err := os.Stat("/proc/" + pid); err != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %s lives", pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
}
