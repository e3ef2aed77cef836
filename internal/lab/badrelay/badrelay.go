// Package badrelay is a DERP server that misbehaves in one chosen way, for tests of
// what a sweep makes of such relays. Its good part is the relay under test. A test
// binary plays it: Main is its main function.
package badrelay

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/derp"
	"hdbench/relay"
)

// Fault is what the relay does.
type Fault string

// The faults.
const (
	None      Fault = "none"
	Stubborn  Fault = "stubborn"   // ignores SIGTERM
	Sessions  Fault = "sessions"   // starts processes with sessions of their own, which ignore SIGTERM
	Hides     Fault = "hides"      // starts one that has lost its parent and its environment, too
	KeepsPort Fault = "keeps-port" // hands its listening socket to one with a session of its own
	Says      Fault = "says"       // says on stdout why it cannot run, and fails
	Mute      Fault = "mute"       // says something, and never listens
	Garbles   Fault = "garbles"    // corrupts the stream to its peers after some packets
	Spins     Fault = "spins"      // keeps a CPU busy and delivers nothing after a peer's first packet
	Shares    Fault = "shares"     // listens with SO_REUSEPORT, when a friend at the unix socket ADDR has done so
)

// sleeper is what the processes that a relay starts do: nothing.
const sleeper = "sleeper"

// atMost bounds the life of what a test forgets to end.
const atMost = 5 * time.Minute

// Main is the program: its arguments are a fault, the address to listen on, and for
// Shares the friend's.
func Main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	time.AfterFunc(atMost, func() { os.Exit(1) })
	if len(args) > 0 && args[0] == sleeper {
		if len(args) > 1 { // a second one, and this one ends
			return start(nil, nil, sleeper)
		}
		signal.Ignore(unix.SIGTERM, unix.SIGHUP)
		os.NewFile(readyFD, "ready").Close()
		select {}
	}
	if len(args) < 2 {
		return errors.New("usage: badrelay FAULT ADDR [FRIEND]")
	}
	fault, addr := Fault(args[0]), args[1]
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	switch fault {
	case None:
	case Stubborn:
		signal.Reset(unix.SIGTERM)
		signal.Ignore(unix.SIGTERM)
		ctx = context.Background()
	case Sessions:
		for range 5 {
			if err := start(os.Environ(), nil, sleeper); err != nil {
				return err
			}
		}
	case Hides:
		if err := start(nil, nil, sleeper, "twice"); err != nil {
			return err
		}
	case Says:
		fmt.Println("the licence has expired")
		os.Exit(1)
	case Mute:
		fmt.Println("waiting for the database")
		<-ctx.Done()
		return nil
	case KeepsPort:
		return keepPort(ctx, addr)
	case Garbles, Spins:
		return between(ctx, fault, addr)
	case Shares:
		return share(ctx, addr, args[2])
	default:
		return fmt.Errorf("no fault %q", fault)
	}
	return serve(ctx, addr)
}

// readyFD is what a sleeper closes when signals do not reach it any more.
const readyFD = 3

// start starts a process of this program in a session of its own, which may have a
// file of ours, and waits until it is ready.
func start(env []string, file *os.File, args ...string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append([]string{}, env...)
	if env == nil { // what plays this program must know that it does
		cmd.Env = []string{EnvPlay + "=" + os.Getenv(EnvPlay)}
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if cmd.ExtraFiles = []*os.File{w}; file != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}

// EnvPlay is a variable that processes keep whose environment is emptied.
const EnvPlay = "FLEET_TEST_PLAYS"

func serve(ctx context.Context, addr string) error {
	r, err := relay.New(relay.Config{Listen: addr, Workers: 1})
	if err != nil {
		return err
	}
	return r.Serve(ctx)
}

// keepPort leaves a process that has the listening socket. It listens when that is
// ready: until then nobody should take it for a relay.
func keepPort(ctx context.Context, addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), addr)
	defer f.Close()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := start(os.Environ(), f, sleeper); err != nil {
		return err
	}
	if err := unix.Listen(fd, 16); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// share listens at an address at which a friend listens already.
func share(ctx context.Context, addr, friend string) error {
	c, err := net.Dial("unix", friend)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintln(c, addr)
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		return err
	}
	ln, err := ListenShared(ctx, addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	<-ctx.Done()
	return nil
}

// ListenShared listens with SO_REUSEPORT.
func ListenShared(ctx context.Context, addr string) (net.Listener, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(cerr, err)
	}}
	return c.Listen(ctx, "tcp", addr)
}

// between stands between peers and a good relay, and spoils what that sends.
func between(ctx context.Context, fault Fault, addr string) error {
	r, err := relay.New(relay.Config{Listen: "127.0.0.1:0", Workers: 1})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx) }()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	spin := make(chan struct{}, 1)
	go func() {
		<-spin
		for spun := uint64(0); ; spun++ {
			runtime.KeepAlive(spun)
		}
	}()
	go func() {
		for {
			peer, err := ln.Accept()
			if err != nil {
				return
			}
			go pass(fault, peer, r.Addr().String(), spin)
		}
	}()
	return <-served
}

// pass is one connection.
func pass(fault Fault, peer net.Conn, to string, spin chan<- struct{}) {
	defer peer.Close()
	good, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer good.Close()
	go io.Copy(good, peer)
	b := bufio.NewReaderSize(good, 256<<10)
	answer, err := http.ReadResponse(b, nil)
	if err != nil || answer.Write(peer) != nil {
		return
	}
	const before = 50 // packets, until the stream is corrupt
	for packets := 0; ; {
		var head [derp.HeaderLen]byte
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return
		}
		frame := make([]byte, len(head)+int(binary.BigEndian.Uint32(head[1:])))
		copy(frame, head[:])
		if _, err := io.ReadFull(b, frame[len(head):]); err != nil {
			return
		}
		if derp.FrameType(head[0]) == derp.FrameRecvPacket {
			packets++
		}
		switch {
		case fault == Spins && packets > 1:
			select {
			case spin <- struct{}{}:
			default:
			}
			continue
		case fault == Garbles && packets > before:
			frame = []byte{0x10, 0x48, 0, 0, 0} // a frame of 1.2 GB
		}
		if _, err := peer.Write(frame); err != nil {
			return
		}
	}
}
