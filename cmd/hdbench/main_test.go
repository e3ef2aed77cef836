package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"hdbench/internal/lab/badrelay"
	"hdbench/internal/transport"
	"hdbench/results"
)

// TestMain lets the test binary be hdbench: the scripts run it as a user does,
// and it starts itself as its own agents, relays and loads.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hdbench": main, "badrelay": badrelay.Main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"freeport":  freePort,
			"await":     await,
			"children":  children,
			"lines":     lines,
			"screen":    screen,
			"trials":    trials,
			"tidy":      tidy,
			"patiently": patiently,
			"scale":     scale,
			"once":      once,
			"tear":      tear,
			"pidof":     pidOf,
			"profiled":  profiled,
			"bare":      bare,
		},
		// Whether this kernel carries TLS: then ktls is no error.
		Condition: func(cond string) (bool, error) {
			if cond != "ktls" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return transport.Check(transport.KTLS) == nil, nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TMPDIR", e.Getenv("WORK")+"/.tmp")
			e.Setenv("HDBENCH_LOCK", "test-"+rand.Text()) // scripts run at the same time
			reference, err := filepath.Abs("../../results/reference")
			e.Setenv("REFERENCE", reference)
			e.Setenv("RECORDED", filepath.Join(filepath.Dir(reference), "testdata", "recorded"))
			e.Setenv("HOME", os.Getenv("HOME")) // go tool pprof keeps what it has built there
			return err
		},
	})
}

// exits CODE COMMAND... runs a command and checks its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
}

// freeport VAR puts a free port into a variable.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// await ADDR waits until something accepts connections there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody listens at %s", args[0])
		}
	}
}

// patience is how long a test waits for what takes a moment on an idle machine.
const patience = 5 * time.Minute

// children checks that no process started by this script's hdbench is left: none
// has the script's work directory as its own.
func children(ts *testscript.TestScript, neg bool, args []string) {
	work := ts.MkAbs(".")
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		left := processesIn(work)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("processes are left: %v", left)
		}
	}
}

// processesIn lists the living processes whose working directory is dir.
func processesIn(dir string) []string {
	var left []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		cwd, err := os.Readlink(p + "/cwd")
		if err != nil || cwd != dir || p == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		if stat, err := os.ReadFile(p + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			cmd, _ := os.ReadFile(p + "/cmdline")
			left = append(left, p+" "+strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return left
}

// once FILE REGEXP checks that what the expression's group matches in a file's
// lines is there, and nowhere twice. What a busy host has kept from being measured
// was made again.
func once(ts *testscript.TestScript, neg bool, args []string) {
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	seen := map[string]bool{}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		m := re.FindStringSubmatch(line)
		if m == nil || starved(line) {
			continue
		}
		if seen[m[1]] {
			ts.Fatalf("%s: %s is there twice", args[0], m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) == 0 {
		ts.Fatalf("%s: nothing matches %s", args[0], args[1])
	}
}

// lines FILE N checks the number of lines of a file.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d", args[0], got, want)
	}
}

// screen checks that what was just printed fits one screen: 24 lines of 80 columns.
func screen(ts *testscript.TestScript, neg bool, args []string) {
	text := strings.TrimSuffix(ts.ReadFile("stdout"), "\n")
	if n := strings.Count(text, "\n") + 1; n > 24 {
		ts.Fatalf("%d lines:\n%s", n, text)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// tear FILE N cuts the last N bytes off a file, as a kill in the midst of a write
// does.
func tear(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file := ts.MkAbs(args[0])
	info, err := os.Stat(file)
	ts.Check(err)
	ts.Check(os.Truncate(file, info.Size()-n))
}

// scale FILE KEY FACTOR multiplies every number of that key in a file of JSON.
func scale(ts *testscript.TestScript, neg bool, args []string) {
	factor, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	file := ts.MkAbs(args[0])
	b, err := os.ReadFile(file)
	ts.Check(err)
	key := regexp.MustCompile(`("` + regexp.QuoteMeta(args[1]) + `":)([0-9.e+-]+)`)
	scaled := key.ReplaceAllStringFunc(string(b), func(m string) string {
		parts := key.FindStringSubmatch(m)
		v, err := strconv.ParseFloat(parts[2], 64)
		ts.Check(err)
		return parts[1] + strconv.FormatFloat(factor*v, 'g', -1, 64)
	})
	ts.Check(os.WriteFile(file, []byte(scaled), 0o644))
}

// pidof WORD... puts the process of this script whose command line has all the words
// into PID.
func pidOf(ts *testscript.TestScript, neg bool, args []string) {
	work := ts.MkAbs(".")
	for _, p := range processesIn(work) {
		name, cmd, _ := strings.Cut(p, " ")
		words := strings.Fields(cmd)
		if !slices.ContainsFunc(args, func(a string) bool { return !slices.Contains(words, a) }) {
			ts.Setenv("PID", filepath.Base(name))
			return
		}
	}
	ts.Fatalf("no process with %v", args)
}

// profiled DIR N checks that a folder has N profiles, each with its files, with 95 %
// at least in a named category, and with names of the kernel and of user space.
func profiled(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	set, err := results.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	got := 0
	for _, t := range set.Trials {
		p := t.Profile
		if p == nil {
			continue
		}
		got++
		if p.Named() < 0.95 || p.Samples == 0 {
			ts.Fatalf("%s: %.1f %% of %d samples are in a named category: %+v", p.File, 100*p.Named(), p.Samples, p.Categories)
		}
		if p.Of(true) == 0 || p.Of(false) == 0 || 20*(p.UnresolvedKernel+p.UnresolvedUser) > p.Samples {
			ts.Fatalf("%s: names: %.1f %% in the kernel, %d and %d of %d samples without one", p.File, 100*p.Of(true), p.UnresolvedKernel, p.UnresolvedUser, p.Samples)
		}
		for _, f := range []string{p.File, p.Folded} {
			if info, err := os.Stat(filepath.Join(ts.MkAbs(args[0]), f)); err != nil || info.Size() == 0 {
				ts.Fatalf("%s: %v", f, err)
			}
		}
	}
	if got != want {
		ts.Fatalf("%s has %d profiles, want %d", args[0], got, want)
	}
}
