package profile

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hdbench/internal/perf"
)

// These tests sample for real, as root: on a machine with a PMU or without.

// busy starts a program that burns CPU time until the test ends.
func busy(t *testing.T, args ...string) int {
	t.Helper()
	f := build(t, "testdata/busy/main.go", "go", "build")
	c := exec.Command(f.path, args...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "busy\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return c.Process.Pid
}

// sampleUntil samples a process until there are so many samples.
func sampleUntil(t *testing.T, pid int, samples uint64) *Profile {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for d := 500 * time.Millisecond; ; d *= 2 {
		p, err := Run(t.Context(), Config{PID: pid}, d, builtIn(t))
		if err == nil && p.Summary.Samples >= samples {
			return p
		}
		if err != nil && !errors.Is(err, ErrIdle) {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %d samples within a minute: %v", samples, err)
		}
	}
}

// What a program is known to do dominates its profile, whichever of its threads or
// descendants does it.
func TestABusyFunctionDominates(t *testing.T) {
	for _, args := range [][]string{nil, {"parent"}} {
		pid := busy(t, args...)
		p := sampleUntil(t, pid, 200)
		s := p.Summary
		if f := s.Functions[0]; f.Name != "main.burn" || s.Share(f.Weight) < 0.8 {
			t.Errorf("%v: the heaviest is %+v, of %d", args, f, s.Weight)
		}
		if s.Categories[0].Name != "user relay" || s.Categories[0].Kernel {
			t.Errorf("%v: the heaviest category is %+v", args, s.Categories[0])
		}
		if s.Named() < 0.95 {
			t.Errorf("%v: %.1f %% are in a category", args, 100*s.Named())
		}
		if s.UnresolvedKernel+s.UnresolvedUser > s.Samples/20 {
			t.Errorf("%v: of %d samples %d in the kernel and %d in user space have no name: %v", args, s.Samples, s.UnresolvedKernel, s.UnresolvedUser, s.Notes)
		}
		var sum uint64
		for _, c := range s.Categories {
			sum += c.Weight
		}
		if sum != s.Weight {
			t.Errorf("%v: categories weigh %d, samples %d", args, sum, s.Weight)
		}
		if s.Binary != "program" || s.Event != "cpu-clock" && s.Event != "cycles" {
			t.Errorf("%v: %+v", args, s)
		}
	}
}

// Threads that end and begin while sampling goes on are all seen, none twice: with
// a timer there are no more samples than time.
func TestThreadsThatComeAndGo(t *testing.T) {
	pid := busy(t)
	for p := sampleUntil(t, pid, 200); ; p = sampleUntil(t, pid, 2*p.Summary.Samples) {
		s := p.Summary
		if s.Threads < 3 {
			continue // a thread may take long on a busy machine
		}
		// One thread burns at a time; the runtime's own are beside it.
		if most := 1.5 * s.Seconds * float64(s.FrequencyHz); s.Event == "cpu-clock" && float64(s.Samples) > most {
			t.Errorf("%d samples in %.2f s at %d Hz: threads are sampled twice", s.Samples, s.Seconds, s.FrequencyHz)
		}
		return
	}
}

// The kernel's functions have names: a child that does nothing but system calls.
func TestTheKernelHasNames(t *testing.T) {
	c := exec.Command("dd", "if=/dev/zero", "of=/dev/null", "bs=64k")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	s := sampleUntil(t, c.Process.Pid, 100).Summary
	if s.Of(true) < 0.5 || s.UnresolvedKernel > s.Samples/20 {
		t.Errorf("%.0f %% in the kernel, %d of %d samples there without a name: %v", 100*s.Of(true), s.UnresolvedKernel, s.Samples, s.Notes)
	}
}

func TestAnIdleProcess(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	for until := time.Now().Add(30 * time.Second); ; { // until it sleeps
		_, err := Run(t.Context(), Config{PID: c.Process.Pid}, 100*time.Millisecond, builtIn(t))
		if errors.Is(err, ErrIdle) {
			return
		}
		if err != nil || time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

func TestWhatCannotBeSampled(t *testing.T) {
	if _, err := Open(Config{PID: 1 << 30}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("no such process: %v", err)
	}
	if _, err := Open(Config{PID: -1}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("a negative number: %v", err)
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{PID: c.Process.Pid}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("it has ended: %v", err)
	}
	if _, err := Open(Config{PID: os.Getpid(), FrequencyHz: MaxFrequency + 1}); err == nil || !strings.Contains(err.Error(), "want 1 to") {
		t.Errorf("too often: %v", err)
	}
}

// envUser makes the test binary try to sample itself and say what came of it.
const envUser = "PROFILE_TEST_AS_USER"

func TestMain(m *testing.M) {
	if os.Getenv(envUser) != "" {
		_, err := Open(Config{PID: os.Getpid()})
		fmt.Println(errors.Is(err, perf.ErrNotPermitted), err)
		return
	}
	os.Exit(m.Run())
}

// Who is not root is told what would let him; nobody gets half a profile.
func TestWithoutPermission(t *testing.T) {
	c := exec.Command("/proc/self/exe") // whose folder another user may not enter
	c.Env = append(os.Environ(), envUser+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	level, known := perf.Paranoid()
	if known && level < 2 { // this machine lets everybody
		if strings.HasPrefix(string(out), "true") {
			t.Errorf("perf_event_paranoid is %d, and: %s", level, out)
		}
		return
	}
	if !strings.HasPrefix(string(out), "true") || !strings.Contains(string(out), "CAP_PERFMON") {
		t.Errorf("%s", out)
	}
}

// Whatever becomes of it, no descriptor is left.
func TestNothingStaysOpen(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	pid := busy(t)
	sampleUntil(t, pid, 1) // what is opened once and kept is open now
	before := count()
	for range 5 {
		sampleUntil(t, pid, 1)
		s, err := Open(Config{PID: pid})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil { // never started
			t.Error(err)
		}
		if s, err = Open(Config{PID: pid}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Start(), s.Close()); err != nil { // never stopped
			t.Error(err)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// go tool pprof opens the profile, and says what our table says.
func TestPprofAgreesWithTheTable(t *testing.T) {
	p := sampleUntil(t, busy(t), 300)
	agree(t, p)
}

func agree(t *testing.T, p *Profile) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "profile"+EndingPprof)
	if err := p.WriteFiles(file, filepath.Join(dir, "profile"+EndingFolded)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "pprof", "-top", "-nodefraction=0", "-nodecount=5", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line := regexp.MustCompile(`(?m)^ *\S+ +([0-9.]+)% +[0-9.]+% +\S+ +[0-9.]+% +(.+)$`)
	rows := line.FindAllStringSubmatch(string(out), -1)
	if len(rows) == 0 {
		t.Fatalf("no rows:\n%s", out)
	}
	shares := map[string]float64{}
	for _, f := range p.Summary.Functions {
		shares[f.Name] += 100 * p.Summary.Share(f.Weight)
	}
	for i, r := range rows {
		percent, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSpace(strings.TrimSuffix(r[2], "(inline)"))
		if got := shares[name]; got-percent > 0.011 || percent-got > 0.011 {
			t.Errorf("%s: %v %% by pprof, %.2f by the table", name, percent, got)
		}
		if first := p.Summary.Functions[0].Name; i == 0 && name != first {
			t.Errorf("pprof has %s first, the table %s", name, first)
		}
	}
}
