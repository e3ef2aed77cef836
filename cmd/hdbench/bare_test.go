package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// nobody is the user without privileges (the kernel's overflowuid).
const nobody = 65534

// bare ARG... runs hdbench with less than it could have: without root where the
// tests have it, and in a mount namespace whose /sys is empty. What is mounted
// there is gone with the process.
//
// Where the tests are not root, the namespace is a user's own.
func bare(ts *testscript.TestScript, neg bool, args []string) {
	work := ts.MkAbs(".")
	binary := filepath.Join(work, "hdbench")
	if _, err := os.Stat(binary); err != nil {
		from, err := os.Executable()
		ts.Check(err)
		ts.Check(copyFile(from, binary))
	}
	wrap := []string{"--mount", "--propagation", "private"}
	drop := []string{}
	if os.Getuid() == 0 {
		// The work folder is root's alone, as are those it is in.
		for dir := work; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
			ts.Check(os.Chmod(dir, 0o755))
		}
		ts.Check(os.Chown(work, nobody, nobody))
		ts.Check(os.MkdirAll(ts.Getenv("TMPDIR"), 0o755))
		ts.Check(os.Chown(ts.Getenv("TMPDIR"), nobody, nobody))
		drop = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"}
	} else {
		wrap = append(wrap, "--user", "--map-root-user")
	}
	script := `mount -t tmpfs none /sys && ! test -e /sys/devices && exec "$@"`
	argv := append(append(append(wrap, "sh", "-c", script, "sh"), drop...), binary)
	cmd := exec.Command("unshare", append(argv, args...)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, &out, &errs
	// The binary is a test's: its name says which command it plays.
	cmd.Env = append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"), "HOME="+work, "HDBENCH_LOCK="+ts.Getenv("HDBENCH_LOCK"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	ts.Check(os.WriteFile(filepath.Join(work, "bare.out"), out.Bytes(), 0o644))
	ts.Check(os.WriteFile(filepath.Join(work, "bare.err"), errs.Bytes(), 0o644))
	if (err != nil) != neg {
		ts.Fatalf("hdbench %v: %v\n%s%s", args, err, &out, &errs)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
