package line

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Server waits for looks at the line.
type Server struct {
	token string
	ln    net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]bool // guarded by mu
	closed bool              // guarded by mu

	wg sync.WaitGroup
}

// Listen waits at an address of this host, given without a port, for clients that
// know the token, until it is closed.
func Listen(ctx context.Context, host, token string) (*Server, error) {
	if token == "" {
		return nil, errors.New("line check: no token")
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for the line check: %w", err)
	}
	s := &Server{token: token, ln: ln, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is where the server waits.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close ends the server and every stream.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.ln.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// maxConns bounds the streams at once: several clients may look together.
const maxConns = 1024

func (s *Server) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		full := s.closed || len(s.conns) >= maxConns
		if !full {
			s.conns[c] = true
		}
		s.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		s.wg.Go(func() {
			// Whoever does not get to the end is told by the connection's.
			_ = s.serve(c.(*net.TCPConn))
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

func (s *Server) serve(c *net.TCPConn) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	st := newStream(c)
	var h hello
	if err := st.hear(&h); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(h.Token), []byte(s.token)) != 1 || h.Duration <= 0 || h.Duration > MaxDuration {
		return errors.New("not for this server")
	}
	if err := st.tell(true); err != nil {
		return err
	}
	var ready bool
	if err := st.hear(&ready); err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(h.Duration + patience)); err != nil {
		return err
	}
	if h.ToServer {
		_, _, err := st.receive(h.Duration)
		return err
	}
	_, _, err := st.send(h.Duration)
	return err
}
