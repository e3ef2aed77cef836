package fleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sys/unix"
)

// dial connects to the embedded server as an agent or somebody else.
func dial(t *testing.T, f *Fleet, user, password string) (*nats.Conn, error) {
	t.Helper()
	conn := buffered(t, f)
	denied := func(*nats.Conn, *nats.Subscription, error) {}
	nc, err := nats.Connect("nats://127.0.0.1", nats.SetCustomDialer(&oneConn{conn: conn}), nats.UserInfo(user, password), nats.NoReconnect(), nats.ErrorHandler(denied))
	if err == nil {
		t.Cleanup(nc.Close)
	} else {
		conn.Close()
	}
	return nc, err
}

// buffered is a way to the server with a buffer in it, as an agent's has: over the
// bare pipe a server that says no waits for a client that is still speaking.
func buffered(t *testing.T, f *Fleet) net.Conn {
	t.Helper()
	pipe, err := f.srv.pipe()
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		if ends[i], err = net.FileConn(file); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	for _, way := range [][2]net.Conn{{ends[0], pipe}, {pipe, ends[0]}} {
		go func() {
			io.Copy(way[1], way[0])
			way[0].Close()
			way[1].Close()
		}()
	}
	return ends[1]
}

func TestStrangersAreRefused(t *testing.T) {
	f, _ := startTestFleet(t)
	for _, c := range []struct{ user, password string }{
		{"a1", "guess"}, {"", ""}, {"a2", f.srv.passwords["a1"]}, {userController, "guess"}, {userController, f.srv.passwords["a1"]},
	} {
		if _, err := dial(t, f, c.user, c.password); err == nil {
			t.Errorf("%s with %q is let in", c.user, c.password)
		}
	}
	if addr := f.srv.ns.Addr(); addr != nil {
		t.Errorf("the server listens at %v", addr)
	}
}

// An agent that has been taken over by somebody can do nothing to another, nor
// answer in its name.
func TestAgentsCannotOrderEachOther(t *testing.T) {
	f, err := embedded(Options{}, []string{"good", "evil"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	good, err := dial(t, f, "good", f.srv.passwords["good"])
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *nats.Msg, 10)
	if _, err := good.ChanSubscribe(subject("good", ">"), got); err != nil {
		t.Fatal(err)
	}
	evil, err := dial(t, f, "evil", f.srv.passwords["evil"])
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan *nats.Msg, 10)
	for _, s := range []string{subject("good", ">"), "_INBOX.>", ">", "hdbench.>"} {
		if _, err := evil.ChanSubscribe(s, heard); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{subject("good", verbRelayStart), "_INBOX.somebody", "$SRV.PING"} {
		if err := evil.Publish(s, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(evil.Flush(), good.Flush()); err != nil {
		t.Fatal(err)
	}
	// What the controller sends, the right one hears, and it alone.
	if err := f.nc.Publish(subject("good", verbHost), []byte("from the controller")); err != nil {
		t.Fatal(err)
	}
	if m := <-got; string(m.Data) != "from the controller" {
		t.Errorf("the agent hears %s: %s", m.Subject, m.Data)
	}
	if err := evil.Flush(); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-heard:
		t.Errorf("the other hears %s", m.Subject)
	default:
	}
}

func TestOrdersNeedTheLease(t *testing.T) {
	f, h := startTestFleet(t)
	for name, id := range map[string]string{"nobody's": "", "another's": strings.Repeat("x", 26), "short": "x"} {
		for _, verb := range []string{verbHost, verbRelayStart, verbRelease, verbLease} {
			m := &nats.Msg{Subject: subject("a1", verb), Data: []byte("{}"), Header: nats.Header{headerController: {id}}}
			reply, err := f.nc.RequestMsg(m, patience)
			if err != nil {
				t.Fatal(err)
			}
			if code := reply.Header.Get(micro.ErrorCodeHeader); code == "" {
				t.Errorf("%s order %s is carried out: %s", name, verb, reply.Data)
			}
		}
	}
	if _, err := h.SyncClock(context.Background()); err != nil {
		t.Errorf("the holder is disturbed: %v", err)
	}
}

func TestOrdersAreBounded(t *testing.T) {
	_, h := startTestFleet(t)
	long := strings.Repeat("x", maxText+1)
	for name, req := range map[string]struct {
		verb string
		req  any
	}{
		"workers":      {verbRelayStart, RelaySpec{Kind: KindHD, Host: "127.0.0.1", Workers: 1 << 20}},
		"no address":   {verbRelayStart, RelaySpec{Kind: KindHD, Host: "--listen"}},
		"moderation":   {verbRelayStart, RelaySpec{Kind: KindHD, Host: "127.0.0.1", Moderation: time.Hour}},
		"text":         {verbRelayStart, RelaySpec{Kind: KindHD, Host: "127.0.0.1", Congestion: long}},
		"command":      {verbRelayStart, RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: "{addr} " + strings.Repeat("x", maxCommand)}},
		"no hash":      {verbRelayStart, RelaySpec{Kind: KindHD, Host: "127.0.0.1", Path: os.Args[0]}},
		"another hash": {verbRelayStart, RelaySpec{Kind: KindHD, Host: "127.0.0.1", Path: os.Args[0], SHA256: strings.Repeat("0", 64)}},
		"pairs":        {verbLoadPrepare, LoadSpec{ID: "l", Direct: true, Pairs: 1 << 40}},
		"for ever":     {verbLoadPrepare, LoadSpec{ID: "l", Direct: true, Measure: 1000 * time.Hour}},
		"no relay":     {verbLoadPrepare, LoadSpec{ID: "l", Relay: "example.org:80"}},
		"a window":     {verbRelayWindow, windowRequest{ID: "relay-1", EndNS: int64(1000 * time.Hour)}},
	} {
		err := h.call(context.Background(), req.verb, req.req, nil)
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Code != codeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHello(t *testing.T) {
	var out bytes.Buffer
	c, credential, err := Hello(strings.NewReader("secret\nINFO and more"), &out)
	if err != nil || credential != "secret" || out.String() != agentHello+"\n" {
		t.Fatalf("%q, %q, %v", credential, out.String(), err)
	}
	rest := make([]byte, 64)
	if n, err := c.Read(rest); err != nil || string(rest[:n]) != "INFO and more" {
		t.Errorf("what follows is not the connection's: %q, %v", rest[:n], err)
	}
	for name, in := range map[string]string{"nothing": "", "an empty line": "\nx", "no end": "secret", "too long": strings.Repeat("x", 2<<10) + "\n"} {
		if _, _, err := Hello(strings.NewReader(in), &out); err == nil {
			t.Errorf("%s is a credential", name)
		}
	}
}

// Closing the connection ends a read of standard input that waits.
func TestStdioCloses(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	go w.WriteString("c\n")
	c, _, err := Hello(r, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	c.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("it read something")
		}
	case <-time.After(patience):
		t.Error("it waits for ever")
	}
	if _, err := (&oneConn{}).Dial("", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second connection: %v", err)
	}
}
