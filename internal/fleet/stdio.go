package fleet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stdio is a connection over two streams: an agent's standard input and output,
// which its controller has connected to its nats-server.
type stdio struct {
	in   io.Reader
	out  io.Writer
	once sync.Once
}

// maxCredential bounds the first line of an agent's input.
const maxCredential = 1 << 10

// Hello begins the life of an agent that its controller has started: it reads its
// credential, the first line of its input, and says that it is there. The rest of
// input and output is its connection. Files are closed with it.
func Hello(in io.Reader, out io.Writer) (conn net.Conn, credential string, err error) {
	c := &stdio{in: pollable(in), out: out}
	// Byte by byte: what follows belongs to the connection.
	var line []byte
	for b := make([]byte, 1); len(line) < maxCredential; line = append(line, b[0]) {
		if _, err := io.ReadFull(c.in, b); err != nil {
			return nil, "", fmt.Errorf("its credential is not on its standard input: %w", err)
		}
		if b[0] == '\n' {
			break
		}
	}
	if len(line) == 0 || len(line) == maxCredential {
		return nil, "", errors.New("what is on its standard input is no credential")
	}
	if _, err := io.WriteString(out, agentHello+"\n"); err != nil {
		return nil, "", err
	}
	return c, string(line), nil
}

// pollable makes a file's reads end when it is closed: the Go runtime only does
// so for descriptors that do not block.
func pollable(in io.Reader) io.Reader {
	f, ok := in.(*os.File)
	if !ok {
		return in
	}
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return in
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return in
	}
	return os.NewFile(uintptr(fd), f.Name())
}

func (s *stdio) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *stdio) Close() error {
	s.once.Do(func() {
		for _, end := range []any{s.in, s.out} {
			if f, ok := end.(io.Closer); ok {
				f.Close()
			}
		}
	})
	return nil
}

// stdioAddr is no address at all.
type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }

func (s *stdio) LocalAddr() net.Addr  { return stdioAddr{} }
func (s *stdio) RemoteAddr() net.Addr { return stdioAddr{} }

// Deadlines are not kept: the agent's lease bounds every wait.

func (s *stdio) SetDeadline(time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }

// oneConn dials by handing out a connection that is there, once.
type oneConn struct {
	mu   sync.Mutex
	conn net.Conn // guarded by mu; nil once it has been handed out
}

func (d *oneConn) Dial(string, string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return nil, net.ErrClosed
	}
	c := d.conn
	d.conn = nil
	return c, nil
}
