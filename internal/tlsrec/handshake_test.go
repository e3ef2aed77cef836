package tlsrec

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hdbench/internal/cert"
)

// pipe is a TCP connection to oneself.
func pipe(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { c.Close() })
	}
	return a, b
}

func configs(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	own, err := cert.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{own.Certificate}}, &tls.Config{InsecureSkipVerify: true}
}

// Against crypto/tls in both roles: its own records are ours to open and ours are
// its.
func TestAgainstCryptoTLS(t *testing.T) {
	serverConfig, clientConfig := configs(t)
	for _, role := range []Role{Client, Server} {
		name := map[Role]string{Client: "our client", Server: "our server"}[role]
		t.Run(name, func(t *testing.T) {
			ours, theirs := pipe(t)
			cfg, far := clientConfig, tls.Server(theirs, serverConfig)
			if role == Server {
				cfg, far = serverConfig, tls.Client(theirs, clientConfig)
			}
			sent := bytes.Repeat([]byte("from crypto/tls "), 5000)
			echoed := make(chan error, 1)
			go func() {
				echoed <- func() error {
					if _, err := far.Write(sent); err != nil {
						return err
					}
					back := make([]byte, len(sent))
					if _, err := io.ReadFull(far, back); err != nil {
						return err
					}
					if !bytes.Equal(back, sent) {
						return errors.New("what came back differs")
					}
					return far.Close()
				}()
			}()
			s, err := Handshake(context.Background(), ours, role, cfg)
			if err != nil {
				t.Fatal(err)
			}
			r, w := reader(t, s), writer(t, s)
			var in, got []byte
			buf, dst := make([]byte, 1000), make([]byte, 2*MaxRecord)
			for err == nil {
				if len(got) == len(sent) && w.Records == 0 {
					for b := got; len(b) > 0; {
						n := min(len(b), 3000)
						if _, err := ours.Write(w.Seal(make([]byte, 0, n+Overhead), b[:n])); err != nil {
							t.Fatal(err)
						}
						b = b[n:]
					}
				}
				n, rerr := ours.Read(buf)
				if rerr != nil {
					t.Fatal(rerr)
				}
				in = append(in, buf[:n]...)
				n, used := 0, 0
				n, used, err = r.Open(dst, in)
				got, in = append(got, dst[:n]...), in[used:]
			}
			if err != io.EOF || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHandshakeFailures(t *testing.T) {
	serverConfig, clientConfig := configs(t)
	for _, c := range []struct {
		name string
		far  func(net.Conn) error
		want string
	}{
		{"plain text", func(c net.Conn) error { _, err := c.Write([]byte("GET /derp HTTP/1.1\r\n\r\n")); return err }, "first record does not look like a TLS handshake"},
		{"TLS 1.2 only", func(c net.Conn) error {
			cfg := clientConfig.Clone()
			cfg.MaxVersion = tls.VersionTLS12
			if tls.Client(c, cfg).Handshake() == nil {
				return errors.New("the client got through")
			}
			return nil
		}, "unsupported versions"},
		{"gone", func(c net.Conn) error { return c.Close() }, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := pipe(t)
			far := make(chan error, 1)
			go func() { far <- c.far(theirs) }()
			_, err := Handshake(context.Background(), ours, Server, serverConfig)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			ours.Close()
			if err := <-far; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ours, _ := pipe(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Handshake(ctx, ours, Client, clientConfig); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want cancelled", err)
		}
	})
}
