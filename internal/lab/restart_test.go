//go:build !lab || labhost

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const patched = `[    0.612345] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI
[    0.612345] RIP: 0010:sched_clock_cpu+0x5/0x1a0
[    0.698765] Kernel panic - not syncing: Fatal exception in interrupt
`

func TestOnlyAMachineThatDiedBeforeItsCommandIsRepeated(t *testing.T) {
	died := fmt.Errorf("read: %w", errDied)
	for name, c := range map[string]struct {
		life life
		want bool
	}{
		"panic at boot":                   {life{err: died, console: patched}, true},
		"panic at boot after a warning":   {life{err: died, console: "qemu-system-x86_64: warning: TCG doesn't support requested feature\n" + patched}, true},
		"died without a word":             {life{err: died}, true},
		"hung at boot":                    {life{err: fmt.Errorf("%w: not up", ErrTimeout), console: "Booting\n"}, true},
		"panic after the command began":   {life{begun: true, err: died, console: patched}, false},
		"hung after the command began":    {life{begun: true, err: ErrTimeout, console: patched}, false},
		"the guest says why":              {life{err: &refusedError{"load kernel module tls.ko"}, console: patched}, false},
		"the guest says why, on its tty":  {life{err: died, console: "lab guest: mount proc on /proc: no\n"}, false},
		"the emulator refuses":            {life{err: died, console: "qemu-system-x86_64: -accel tcg: no such thing\n"}, false},
		"cancelled":                       {life{err: context.Canceled, console: patched}, false},
		"no frames but something else":    {life{err: errors.New("frame of kind 77: there is none"), console: patched}, false},
		"all went well":                   {life{begun: true}, false},
		"a command that could not be run": {life{begun: true, err: &refusedError{"start /x: no such file"}}, false},
	} {
		if got := c.life.repeatable(); got != c.want {
			t.Errorf("%s: repeatable is %v, want %v", name, got, c.want)
		}
	}
}

// script is a machine made of a shell script: it gets the channel as descriptor 4
// and its console as standard output, and is told which start it is.
func script(t *testing.T, text string) (j Job, starts func() int) {
	t.Helper()
	dir := t.TempDir()
	count := filepath.Join(dir, "starts")
	write(t, dir, map[string]string{"guest": "", "starts": "", "kernel": "#!/bin/sh\necho >>" + count + "\nn=$(wc -l <" + count + ")\n" + text})
	if err := os.Chmod(filepath.Join(dir, "kernel"), 0o755); err != nil {
		t.Fatal(err)
	}
	k := &Kernel{Machine: UML, Release: "6.1", dir: dir, builtin: map[string]bool{}}
	for _, m := range wanted[UML] {
		k.builtin[m] = true
	}
	return Job{Kernel: k, Guest: filepath.Join(dir, "guest"), Argv: []string{"/bin/x"}}, func() int {
		b, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
}

const (
	saysHello  = `printf '\001\000\000\000\002{}' >&4` + "\n"
	saysExit   = `printf '\005\000\000\000\012{"code":3}' >&4` + "\n"
	saysOutput = `printf '\002\000\000\000\004ran\n' >&4` + "\n"
	panics     = "cat <<'END'\n" + patched + "END\nexit 1\n"
)

func TestAMachineThatDiesAtBootIsStartedAgainAndThatIsSaid(t *testing.T) {
	j, starts := script(t, `if [ "$n" -lt 3 ]; then `+panics+"fi\n"+saysHello+saysOutput+saysExit)
	var out, notes bytes.Buffer
	j.Stdout, j.Notes = &out, &notes
	exit, err := j.Run(t.Context())
	if err != nil || exit.Code != 3 || exit.Starts != 3 || starts() != 3 {
		t.Errorf("ended as %+v after %d starts, error %v; want code 3 of the third", exit, starts(), err)
	}
	if out.String() != "ran\n" {
		t.Errorf("the command said %q, want one run", &out)
	}
	for _, want := range []string{"Oops: int3", "nothing was tested", "start 2 of 3", "start 3 of 3"} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("the notes lack %q:\n%s", want, &notes)
		}
	}
}

func TestACommandThatBeganIsNeverRepeated(t *testing.T) {
	j, starts := script(t, saysHello+saysOutput+panics)
	var out, notes bytes.Buffer
	j.Stdout, j.Notes = &out, &notes
	exit, err := j.Run(t.Context())
	if !errors.Is(err, errDied) || !strings.Contains(err.Error(), "Kernel panic") || exit.Starts != 1 || starts() != 1 || notes.Len() > 0 {
		t.Errorf("ended as %+v after %d starts, error %v, notes %q", exit, starts(), err, &notes)
	}
	if out.String() != "ran\n" {
		t.Errorf("the command said %q", &out)
	}
}

func TestAMachineThatAlwaysDiesIsGivenUp(t *testing.T) {
	j, starts := script(t, panics)
	j.Notes = new(bytes.Buffer)
	_, err := j.Run(t.Context())
	if !errors.Is(err, errDied) || !strings.Contains(err.Error(), "start 3 of 3") || !strings.Contains(err.Error(), "Oops: int3") || starts() != maxStarts {
		t.Errorf("after %d starts: %v", starts(), err)
	}
}

// The guest's CPUs take turns: see command.
func TestTheEmulatorRunsOneThread(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"qemu-system-x86_64": ""})
	if err := os.Chmod(filepath.Join(dir, "qemu-system-x86_64"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	cmd, err := (&Job{Kernel: &Kernel{Machine: QEMU}, CPUs: 2}).command(dir)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(cmd.Args, "-accel"); i < 0 || cmd.Args[i+1] != "tcg,thread=single" {
		t.Errorf("the emulator is run as %q", cmd.Args)
	}
}
