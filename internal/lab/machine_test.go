//go:build labhost

// What a machine of the lab promises, tried on both. These tests run on the host
// and start machines; they need the kernels (make lab-kernels) and are run by
// make lab.

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var machines = []Machine{UML, QEMU}

// built are the programs that all tests use.
type built struct{ guest, prog string }

// TestMain builds them once. A child of TestKilledControllerLeavesNoProcess is a
// controller.
func TestMain(m *testing.M) {
	if args := os.Getenv("LAB_TEST_CONTROLLER"); args != "" {
		machine, guest, _ := strings.Cut(args, " ")
		guest, prog, _ := strings.Cut(guest, " ")
		_, err := newJob(Machine(machine), built{guest, prog}, os.Stdout, "hang").Run(context.Background())
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "lab-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := 1
	if err := buildAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		os.Setenv("LAB_TEST_BUILT", dir)
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func buildAll(dir string) error {
	if _, err := BuildGuest(context.Background(), dir); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./testdata/prog")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build prog: %w\n%s", err, b)
	}
	return nil
}

func builtPrograms() built {
	dir := os.Getenv("LAB_TEST_BUILT")
	return built{filepath.Join(dir, "guest"), filepath.Join(dir, "prog")}
}

// newJob runs prog WHAT ARG... on a machine.
func newJob(m Machine, b built, stdout io.Writer, args ...string) Job {
	cache, err := CacheDir()
	if err != nil {
		panic(err)
	}
	k, err := OpenKernel(cache, m)
	if err != nil {
		panic(err)
	}
	return Job{
		Kernel: k, Guest: b.guest,
		Files: []File{{b.prog, "/lab/bin/prog"}}, Argv: append([]string{"/lab/bin/prog"}, args...),
		MemMiB: 256, Timeout: time.Minute, Stdout: stdout,
	}
}

// onEach runs a test on every machine, side by side.
func onEach(t *testing.T, test func(t *testing.T, m Machine)) {
	for _, m := range machines {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

func run(t *testing.T, m Machine, args ...string) (Exit, string) {
	t.Helper()
	var out bytes.Buffer
	exit, err := newJob(m, builtPrograms(), &out, args...).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return exit, out.String()
}

func TestExitComesOut(t *testing.T) {
	for _, c := range []struct {
		what, arg string
		code, sig int
		status    int
	}{
		{"exit", "0", 0, 0, 0},
		{"exit", "3", 3, 0, 3},
		{"signal", "9", 0, 9, 137},
		{"signal", "15", 0, 15, 143},
	} {
		t.Run(c.what+c.arg, func(t *testing.T) {
			m := UML
			if c.arg == "3" {
				m = QEMU
			}
			t.Parallel()
			exit, _ := run(t, m, c.what, c.arg)
			if exit.Code != c.code || exit.Signal != c.sig || exit.Status() != c.status {
				t.Errorf("ended as %+v, want code %d, signal %d", exit, c.code, c.sig)
			}
		})
	}
}

func TestMachineIsWhatItSaysItIs(t *testing.T) {
	onEach(t, func(t *testing.T, m Machine) {
		var out bytes.Buffer
		j := newJob(m, builtPrograms(), &out, "show", "a b", "", "ü")
		j.Env, j.Dir, j.CPUs = []string{"COLOUR=blue"}, "/some/where", 2
		exit, err := j.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if exit.Kernel != j.Kernel.Release {
			t.Errorf("it booted Linux %s, its kernel is %s", exit.Kernel, j.Kernel.Release)
		}
		if want := map[Machine]int{UML: 1, QEMU: 2}[m]; exit.CPUs != want {
			t.Errorf("%d CPUs, want %d", exit.CPUs, want)
		}
		if exit.Boot <= 0 {
			t.Errorf("it was up after %v", exit.Boot)
		}
		want := fmt.Sprintf("%q /some/where lab-%s\nCOLOUR=blue\nHDBENCH_LAB=", []string{"a b", "", "ü"}, m)
		got := out.String()
		if !strings.HasPrefix(got, want) || !strings.Contains(got, j.Kernel.Release) || !strings.HasSuffix(got, "\nHDBENCH_LAB_MACHINE="+string(m)+"\n") {
			t.Errorf("the command saw\n%swant it to begin with\n%s", got, want)
		}
	})
}

// The first start is a made-up panic, the second the real machine.
func TestDeathAtBootCostsOneStart(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wrapper := "#!/bin/sh\nif mkdir " + dir + "/died 2>/dev/null; then\n" + panics + "fi\nexec " + qemu + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "qemu-system-x86_64"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	var notes bytes.Buffer
	j := newJob(QEMU, builtPrograms(), nil, "exit", "3")
	j.Notes = &notes
	exit, err := j.Run(t.Context())
	if err != nil || exit.Code != 3 || exit.Starts < 2 || !strings.Contains(notes.String(), "Oops: int3") {
		t.Errorf("ended as %+v, error %v, notes\n%s", exit, err, &notes)
	}
}

// TestBoots starts the emulated machine LAB_BOOTS times (make lab-boots), which is
// of interest while the host is busy: then each has to come up at its first start.
func TestBoots(t *testing.T) {
	boots := 1
	if s := os.Getenv("LAB_BOOTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("LAB_BOOTS=%s: want a number of boots", s)
		}
		boots = n
	}
	again := 0
	for i := range boots {
		exit, err := newJob(QEMU, builtPrograms(), nil, "exit", "0").Run(t.Context())
		if err != nil || exit.Status() != 0 || exit.CPUs != 2 {
			t.Fatalf("boot %d of %d: ended as %+v, error %v", i+1, boots, exit, err)
		}
		t.Logf("boot %d of %d: Linux %s, CPUs: %d, up in %.1f s at start %d", i+1, boots, exit.Kernel, exit.CPUs, exit.Boot.Seconds(), exit.Starts)
		again += exit.Starts - 1
	}
	if again > 0 && boots > 1 {
		t.Errorf("machines that died at boot and were started again: %d in %d boots", again, boots)
	}
}

// Every byte, of every value, in both streams.
func TestOutputIsExact(t *testing.T) {
	const size = 4 << 20
	onEach(t, func(t *testing.T, m Machine) {
		var out, errw bytes.Buffer
		j := newJob(m, builtPrograms(), &out, "noise", strconv.Itoa(size))
		j.Stderr = &errw
		if exit, err := j.Run(t.Context()); err != nil || exit.Status() != 0 {
			t.Fatal(exit, err)
		}
		for _, s := range []struct {
			name string
			got  []byte
			seed byte
			size int
		}{{"stdout", out.Bytes(), 1, size}, {"stderr", errw.Bytes(), 2, size / 2}} {
			want, err := io.ReadAll(io.LimitReader(rand.NewChaCha8([32]byte{s.seed}), int64(s.size)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(s.got, want) {
				t.Errorf("%s: %d bytes came out that are not the %d that went in", s.name, len(s.got), s.size)
			}
		}
	})
}

func TestFilesComeOut(t *testing.T) {
	const files = 50
	onEach(t, func(t *testing.T, m Machine) {
		j := newJob(m, builtPrograms(), nil, "files", strconv.Itoa(files))
		j.Out = filepath.Join(t.TempDir(), "made", "here")
		if exit, err := j.Run(t.Context()); err != nil || exit.Status() != 0 {
			t.Fatal(exit, err)
		}
		for i := range files {
			name := filepath.Join(j.Out, "folder", strconv.Itoa(i%3), strconv.Itoa(i))
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, []byte{byte(i), 0, 255}) {
				t.Errorf("%s holds %v", name, b)
			}
			var st unix.Stat_t
			if err := unix.Stat(name, &st); err != nil || int(st.Uid) != os.Getuid() {
				t.Errorf("%s belongs to user %d, not to us (%d): %v", name, st.Uid, os.Getuid(), err)
			}
		}
	})
}

// The guest is root in its own world only: it sees the one folder it was given.
func TestGuestSeesNoOtherFolder(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{t.TempDir(), ""} {
		var said bytes.Buffer
		j := newJob(UML, builtPrograms(), &said, "escape", secret)
		j.Out = out
		if exit, err := j.Run(t.Context()); err != nil || exit.Status() != 0 {
			t.Fatal(exit, err)
		}
		if strings.Contains(said.String(), "seen: true") {
			t.Errorf("with the folder %q the guest sees %s", out, secret)
		}
	}
}

func TestTimeoutEndsTheCommandAndKeepsItsFiles(t *testing.T) {
	onEach(t, func(t *testing.T, m Machine) {
		var out, errw bytes.Buffer
		j := newJob(m, builtPrograms(), &out, "hang")
		j.Out, j.Timeout, j.Stderr = t.TempDir(), 2*time.Second, &errw
		_, err := j.Run(t.Context())
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "ran for 2s") {
			t.Errorf("error %v", err)
		}
		if out.String() != "hanging\n" || !strings.Contains(errw.String(), "goroutine 1") {
			t.Errorf("it said %q and %q: want where it was", &out, &errw)
		}
		if _, err := os.Stat(filepath.Join(j.Out, "begun")); err != nil {
			t.Error(err)
		}
	})
}

func TestDeadMachineIsAnErrorWithItsConsole(t *testing.T) {
	onEach(t, func(t *testing.T, m Machine) {
		for what, want := range map[string]string{"panic": "Kernel panic", "reboot": "ended before the command did"} {
			exit, err := newJob(m, builtPrograms(), nil, what).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: ended as %+v, error %v; want %q", what, exit, err, want)
			}
		}
	})
}

func TestCommandThatCannotStart(t *testing.T) {
	j := newJob(UML, builtPrograms(), nil)
	j.Argv = []string{"/no/such"}
	_, err := j.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start /no/such in /: no such file") {
		t.Errorf("error %v", err)
	}
}

func TestOrphansEndWithTheCommand(t *testing.T) {
	onEach(t, func(t *testing.T, m Machine) {
		j := newJob(m, builtPrograms(), nil, "orphan")
		j.Out = t.TempDir()
		if exit, err := j.Run(t.Context()); err != nil || exit.Status() != 0 || exit.Left != 1 {
			t.Errorf("ended as %+v, error %v; want one process left", exit, err)
		}
	})
}

func TestCancelLeavesNoProcess(t *testing.T) {
	for _, m := range machines {
		t.Run(string(m), func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			j := newJob(m, builtPrograms(), writerFunc(func() {
				if len(processes(t, os.TempDir())) == 0 {
					t.Error("the machine's process is not found")
				}
				cancel()
			}), "hang")
			j.Out = t.TempDir()
			if _, err := j.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			awaitNone(t, os.TempDir())
			if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v %v", left, err)
			}
		})
	}
}

func TestKilledControllerLeavesNoProcess(t *testing.T) {
	for _, m := range machines {
		t.Run(string(m), func(t *testing.T) {
			tmp := t.TempDir()
			b := builtPrograms()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "LAB_TEST_CONTROLLER="+string(m)+" "+b.guest+" "+b.prog)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, readErr := io.ReadFull(out, make([]byte, len("hanging\n")))
			running := processes(t, tmp)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			if readErr != nil || len(running) == 0 {
				t.Fatalf("the command did not start: %v (machine's processes %v)", readErr, running)
			}
			awaitNone(t, tmp)
		})
	}
}

// awaitNone waits until no process has a mark in its command line.
func awaitNone(t *testing.T, mark string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left := processes(t, mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %v", left)
		}
	}
}

// processes are those, other than zombies, with a mark in their command line.
func processes(t *testing.T, mark string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		b, err := os.ReadFile(f) // fails for one that has ended; a zombie's is empty
		if err == nil && bytes.Contains(b, []byte(mark)) {
			found = append(found, filepath.Dir(f))
		}
	}
	return found
}

// writerFunc calls a function at every write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}
