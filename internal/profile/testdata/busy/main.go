// Command busy burns CPU time in a function that can be told by its name, on
// threads that come and go, until its standard input ends.
package main

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
)

var sink atomic.Uint64

//go:noinline
func burn(n int) {
	x := uint64(n) | 1
	for range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	sink.Add(x)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "parent" { // whose child is busy
		c := exec.Command(os.Args[0])
		c.Stdin, c.Stdout = os.Stdin, os.Stdout
		if c.Run() != nil {
			os.Exit(1)
		}
		return
	}
	go func() {
		for {
			done := make(chan struct{})
			go func() {
				runtime.LockOSThread() // and ends with it: the next is a new thread
				burn(20_000_000)
				close(done)
			}()
			<-done
		}
	}()
	os.Stdout.WriteString("busy\n")
	io.Copy(io.Discard, os.Stdin)
}
