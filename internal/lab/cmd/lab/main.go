// Command lab runs a static binary on a kernel of the lab: in go its arguments
// and files, out come its output, its files and its exit code.
//
//	go run ./internal/lab/cmd/lab --machine uml -- ./prog --flag
//
// The program's folder in the guest is /lab/bin. The exit code is the program's;
// 128 and the signal if one killed it; 125 if the lab itself failed; 124 if it
// ran out of time.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"hdbench/internal/lab"
)

// Exit codes of the lab's own, those of timeout(1) and docker run.
const (
	exitTimeout = 124
	exitLab     = 125
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program.
func run(ctx context.Context, args []string, out, errw io.Writer) int {
	status := 0
	cmd := command(&status, out, errw)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errw)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(errw, err)
		status = exitLab
	}
	if errors.Is(err, lab.ErrTimeout) {
		status = exitTimeout
	}
	return status
}

// options are the flags.
type options struct {
	machine, cache, guest string
	files, env            []string
	quiet                 bool
}

func command(status *int, out, errw io.Writer) *cobra.Command {
	var o options
	j := lab.Job{Stdout: out, Stderr: errw, Notes: errw}
	cmd := &cobra.Command{
		Use:           "lab [flags] -- PROGRAM [ARG...]",
		Short:         "run a static binary on a kernel with kernel TLS",
		Args:          cobra.MinimumNArgs(1),
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			exit, err := o.run(cmd.Context(), j, args)
			*status = exit.Status()
			if exit.Kernel != "" && !o.quiet {
				fmt.Fprintf(errw, "lab: Linux %s, CPUs: %d, up in %.1f s\n", exit.Kernel, exit.CPUs, exit.Boot.Seconds())
			}
			if exit.Left > 0 {
				fmt.Fprintf(errw, "lab: processes still running when it ended: %d\n", exit.Left)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.machine, "machine", string(lab.UML), "uml or qemu")
	f.StringVar(&j.Out, "out", "", "folder for what the program leaves in the guest's /out")
	f.DurationVar(&j.Timeout, "timeout", 10*time.Minute, "of the program")
	f.StringArrayVar(&o.files, "file", nil, "HOST:GUEST: a file or folder the guest has too; may be repeated")
	f.StringArrayVar(&o.env, "env", nil, "NAME=VALUE for the program; may be repeated")
	f.StringVar(&j.Dir, "dir", "/", "the program's working directory, in the guest")
	f.IntVar(&j.MemMiB, "mem", 1024, "memory in MiB")
	f.IntVar(&j.CPUs, "cpus", 2, "CPUs of qemu; uml has one")
	f.StringVar(&o.guest, "guest", "", "the guest's init, built already; default: built now")
	f.StringVar(&o.cache, "cache", "", "folder of the kernels; default $HDBENCH_LAB_CACHE or the user's cache")
	f.BoolVar(&o.quiet, "quiet", false, "do not say what has booted")
	return cmd
}

func (o *options) run(ctx context.Context, j lab.Job, args []string) (lab.Exit, error) {
	m, err := lab.ParseMachine(o.machine)
	if err != nil {
		return lab.Exit{}, err
	}
	if o.cache == "" {
		if o.cache, err = lab.CacheDir(); err != nil {
			return lab.Exit{}, err
		}
	}
	if j.Kernel, err = lab.OpenKernel(o.cache, m); err != nil {
		return lab.Exit{}, err
	}
	for _, s := range o.files {
		f, err := lab.ParseFile(s)
		if err != nil {
			return lab.Exit{}, err
		}
		j.Files = append(j.Files, f)
	}
	if err := lab.CheckStatic(args[0]); err != nil {
		return lab.Exit{}, err
	}
	program := lab.File{Host: args[0], Guest: path.Join("/lab/bin", filepath.Base(args[0]))}
	j.Files = append(j.Files, program)
	j.Argv = append([]string{program.Guest}, args[1:]...)
	j.Env = o.env
	if j.Guest = o.guest; j.Guest == "" {
		dir, err := os.MkdirTemp("", "hdbench-lab-")
		if err != nil {
			return lab.Exit{}, err
		}
		defer os.RemoveAll(dir)
		if j.Guest, err = lab.BuildGuest(ctx, dir); err != nil {
			return lab.Exit{}, err
		}
	}
	return j.Run(ctx)
}
