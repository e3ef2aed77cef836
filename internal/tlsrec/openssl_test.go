//go:build !lab

package tlsrec

import (
	"bufio"
	"context"
	"io"
	"net"
	"os/exec"
	"testing"
	"time"
)

// Against OpenSSL, which begins KeyUpdates when it is told to (crypto/tls only
// answers them). scripts/setup.sh installs it.
func TestKeyUpdatesAgainstOpenSSL(t *testing.T) {
	serverConfig, _ := configs(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", ln.Addr().String(), "-tls1_3", "-brief")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (scripts/setup.sh installs it)", err)
	}
	defer func() {
		cancel() // kills it
		cmd.Wait()
	}()
	out, said := bufio.NewReader(stdout), bufio.NewReader(stderr)
	await := func(r *bufio.Reader, want string) {
		t.Helper()
		for {
			line, err := r.ReadString('\n')
			if line == want {
				return
			}
			if err != nil {
				t.Fatalf("openssl does not say %q: %q, %v", want, line, err)
			}
		}
	}
	tell := func(text string) {
		t.Helper()
		if _, err := io.WriteString(stdin, text); err != nil {
			t.Fatal(err)
		}
	}
	ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	ours.SetDeadline(time.Now().Add(patience))
	s, err := Handshake(context.Background(), ours, Server, serverConfig)
	if err != nil {
		t.Fatal(err)
	}
	e := &echoer{conn: ours, r: reader(t, s), w: writer(t, s)}
	talk := func(updates uint64) {
		t.Helper()
		tell("to us\n")
		if got, err := e.hear(len("to us\n")); err != nil || got != "to us\n" {
			t.Fatalf("%q, %v", got, err)
		}
		if e.r.KeyUpdates != updates {
			t.Errorf("%d key updates of OpenSSL, want %d", e.r.KeyUpdates, updates)
		}
		if err := e.say("to it\n"); err != nil {
			t.Fatal(err)
		}
		await(out, "to it\n")
	}
	talk(0)
	for i, command := range []string{"k\n", "K\n", "K\n"} { // K asks for ours, too
		tell(command)
		await(said, "KEYUPDATE\n") // a command is one read
		talk(uint64(i + 1))
	}
	wire, err := e.w.KeyUpdate(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write(wire); err != nil {
		t.Fatal(err)
	}
	if err := e.say("under new keys\n"); err != nil {
		t.Fatal(err)
	}
	await(out, "under new keys\n")
	talk(4)
}
