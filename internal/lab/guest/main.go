// Command guest is the first process of a machine of the lab: it makes the
// system a command needs, runs that one command, passes out what it writes, the
// files it leaves and its exit code, and powers the machine off.
//
// It is linked statically and is all the user space there is. Package lab builds
// it and says what to do in wire.ConfigPath.
package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/wire"
)

// ackWait is how long the guest waits for the host to have taken everything.
const ackWait = 10 * time.Second

func main() {
	// What cannot be sent in a frame goes to the console, whose end the host
	// prints when a machine dies without a word.
	log.SetFlags(0)
	log.SetPrefix("lab guest: ")
	if os.Getpid() != 1 {
		log.Fatal("this is the init process of the lab's machines; it does nothing elsewhere")
	}
	if err := run(); err != nil {
		log.Print(err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		log.Fatalf("power off: %v", err) // the end of init is a panic, and that is an end too
	}
}

func run() error {
	if err := mountSystem(); err != nil {
		return err
	}
	var c wire.Config
	b, err := os.ReadFile(wire.ConfigPath)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("%s: %w", wire.ConfigPath, err)
	}
	ch, err := openChannel(c.Channel)
	if err != nil {
		return err
	}
	w := wire.NewWriter(ch)
	last := func() error {
		exit, err := work(&c, w)
		if err != nil {
			return w.Frame(wire.Failed, []byte(err.Error()))
		}
		return w.JSON(wire.Exit, exit)
	}
	if err := last(); err != nil {
		return err
	}
	return awaitAck(ch)
}

// work does what the guest is for.
func work(c *wire.Config, w *wire.Writer) (wire.ExitMsg, error) {
	var none wire.ExitMsg
	if err := prepare(c); err != nil {
		return none, err
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return none, fmt.Errorf("uname: %w", err)
	}
	hello := wire.HelloMsg{Kernel: unix.ByteSliceToString(u.Release[:]), CPUs: runtime.NumCPU()}
	// The host starts a machine that dies again, but only before this.
	if err := w.JSON(wire.Hello, hello); err != nil {
		return none, err
	}
	exit, err := command(c, w)
	if err != nil {
		return none, err
	}
	switch c.Out {
	case wire.OutHostfs:
		unix.Sync()
		if err := unix.Unmount(wire.OutDir, 0); err != nil {
			exit.FilesErr = fmt.Sprintf("unmount %s: %v", wire.OutDir, err)
		}
	case wire.OutTar:
		if err := sendFiles(w.Stream(wire.Files)); err != nil {
			exit.FilesErr = err.Error()
		}
	}
	return exit, nil
}

// sendFiles sends the folder of results as a tar archive.
func sendFiles(w io.Writer) error {
	t := tar.NewWriter(w)
	if err := t.AddFS(os.DirFS(wire.OutDir)); err != nil {
		return fmt.Errorf("pack %s: %w", wire.OutDir, err)
	}
	return t.Close()
}

// awaitAck waits until the host has said that it has everything.
func awaitAck(ch *os.File) error {
	got := make(chan error, 1)
	go func() {
		var b [1]byte
		_, err := io.ReadFull(ch, b[:])
		if err == nil && b[0] != wire.Ack {
			err = fmt.Errorf("the host said %#x", b[0])
		}
		got <- err
	}()
	select {
	case err := <-got:
		return err
	case <-time.After(ackWait):
		return errors.New("the host did not say that it has everything")
	}
}
