// Command prog is what the lab's own tests run inside: prog WHAT [ARG...].
package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	arg := func(i int) string { return os.Args[2+i] }
	num := func(i int) int {
		n, err := strconv.Atoi(arg(i))
		check(err)
		return n
	}
	switch os.Args[1] {
	case "exit": // CODE
		os.Exit(num(0))
	case "signal": // NUMBER: dies of it
		check(syscall.Kill(os.Getpid(), syscall.Signal(num(0))))
		time.Sleep(time.Minute)
	case "noise": // N: pseudo-random bytes to stdout, half as many to stderr
		done := make(chan error)
		go func() {
			_, err := io.CopyN(os.Stderr, rand.NewChaCha8([32]byte{2}), int64(num(0)/2))
			done <- err
		}()
		_, err := io.CopyN(os.Stdout, rand.NewChaCha8([32]byte{1}), int64(num(0)))
		check(err)
		check(<-done)
	case "show": // prints what it was started with
		dir, err := os.Getwd()
		check(err)
		host, err := os.Hostname()
		check(err)
		fmt.Printf("%q %s %s\n", os.Args[2:], dir, host)
		for _, v := range []string{"COLOUR", "HDBENCH_LAB", "HDBENCH_LAB_MACHINE"} {
			fmt.Printf("%s=%s\n", v, os.Getenv(v))
		}
	case "files": // COUNT: leaves files in folders
		for i := range num(0) {
			dir := filepath.Join("/out", "folder", strconv.Itoa(i%3))
			check(os.MkdirAll(dir, 0o755))
			check(os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte{byte(i), 0, 255}, 0o644))
		}
	case "hang": // leaves a file, says so, and never ends
		check(os.WriteFile("/out/begun", nil, 0o644))
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	case "orphan": // leaves a process running
		cmd := exec.Command(os.Args[0], "hang")
		out, err := cmd.StdoutPipe()
		check(err)
		check(cmd.Start())
		_, err = io.ReadFull(out, make([]byte, len("hanging\n")))
		check(err)
	case "panic": // the machine dies
		check(os.WriteFile("/proc/sys/kernel/sysrq", []byte("1"), 0))
		check(os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0))
	case "reboot":
		check(syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART))
	case "escape": // PATH: can that file of the host be seen?
		check(os.MkdirAll("/mnt", 0o755))
		if err := syscall.Mount("none", "/mnt", "hostfs", 0, filepath.Dir(arg(0))); err != nil {
			fmt.Println("not mounted:", err)
			return
		}
		_, err := os.Stat(filepath.Join("/mnt", filepath.Base(arg(0))))
		fmt.Println("seen:", err == nil)
	default:
		fmt.Fprintln(os.Stderr, "prog: what?")
		os.Exit(2)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "prog:", err)
		os.Exit(99)
	}
}
