package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// login is what a finished handshake hands to a worker.
type login struct {
	sock       transport.Socket
	key        derp.Key
	serverInfo []byte // the frame that ends the login, to be sent on adoption
	unread     []byte // what the peer sent beyond its login
}

// maxLoginBytes bounds what is read from a connection before it is a peer: an
// HTTP request and a ClientInfo frame.
const maxLoginBytes = 64<<10 + derp.MaxClientInfo

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context) error {
	for {
		nc, err := s.ln.AcceptTCP()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			// Out of descriptors, or the peer left while queued: wait a moment
			// and go on. A relay does not end because of one connection.
			s.cfg.Log.Warn("accept", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		s.lobby.accepted.Add(1)
		l := s.logins.take(ctx, nc, time.Now())
		if l == nil {
			if ctx.Err() == nil {
				s.lobby.refused.Add(1)
			}
			nc.Close()
			continue
		}
		go func() {
			defer s.logins.release(l)
			s.logIn(nc, l)
		}()
	}
}

// logIn runs one connection's login and counts how it ended.
func (s *Server) logIn(nc *net.TCPConn, l *slot) {
	defer nc.Close() // a detached socket is another descriptor
	nc.SetDeadline(time.Now().Add(s.cfg.LoginTimeout))
	err := s.handshake(nc, l)
	var timeout net.Error
	switch {
	case err == nil:
	case s.logins.wasEvicted(l):
		s.lobby.evicted.Add(1)
	case errors.Is(err, errServed):
		s.lobby.other.Add(1)
	case errors.Is(err, errTooManyPeers):
		s.lobby.refused.Add(1)
	case errors.As(err, &timeout) && timeout.Timeout():
		s.lobby.timedOut.Add(1)
	case errors.Is(err, transport.ErrHandshake):
		s.lobby.noTLS.Add(1)
	default:
		s.lobby.failed.Add(1)
	}
	if err != nil {
		s.cfg.Log.Debug("no login", "from", nc.RemoteAddr(), "why", err)
	}
}

var (
	errServed       = errors.New("plain HTTP request, answered")
	errTooManyPeers = errors.New("too many peers")
)

// handshake takes a connection from its first byte to its worker.
func (s *Server) handshake(nc *net.TCPConn, l *slot) error {
	conn, err := transport.Accepted(s.cfg.Transport, nc, transport.Options{
		Congestion: s.cfg.Congestion, UserTimeout: userTimeout,
		SendBuffer: s.cfg.SocketBuffer, RecvBuffer: s.cfg.SocketBuffer, // not positive: the system's
		TLS: s.tlsOf(l),
	})
	if err != nil {
		return errors.Join(err, answerPlainHTTP(nc, err))
	}
	defer conn.Close() // its keys are wiped, unless they have gone to the socket
	if s.tls != nil {
		s.logins.reached(l, stageSecured, time.Now())
	}
	br := bufio.NewReader(io.LimitReader(conn, maxLoginBytes))
	req, err := http.ReadRequest(br)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	s.logins.reached(l, stageAsked, time.Now())
	if up, _ := derp.IsUpgrade(req); req.URL.Path != derp.Path || !up {
		return serveHTTP(conn, req)
	}
	if s.peers.Add(1) > int64(s.cfg.MaxPeers) {
		s.peers.Add(-1)
		return errors.Join(errTooManyPeers, respond(conn, req, http.StatusServiceUnavailable, "this relay has all the peers it may have\n"))
	}
	done, err := s.derpLogin(conn, br, req)
	if err != nil {
		s.peers.Add(-1)
		return err
	}
	w := s.workerOf(&done.key)
	if !w.mail.put(message{kind: msgAdopt, login: done}) {
		done.sock.Close()
		s.peers.Add(-1)
		return ErrStopped
	}
	return nil
}

// tlsOf is the configuration of one login's TLS handshake; nil without TLS.
func (s *Server) tlsOf(l *slot) *tls.Config {
	if s.tls == nil {
		return nil
	}
	c := s.tls.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.logins.reached(l, stageHello, time.Now())
		return nil, nil // the same
	}
	return c
}

// derpLogin answers the upgrade, proves the peer's key and detaches the socket.
func (s *Server) derpLogin(conn *transport.Conn, br *bufio.Reader, req *http.Request) (login, error) {
	if _, fast := derp.IsUpgrade(req); !fast {
		if err := derp.WriteUpgradeResponse(conn, s.pub); err != nil {
			return login{}, err
		}
	}
	key, _, serverInfo, err := derp.ServerLogin(br, conn, s.cfg.Key)
	if err != nil {
		return login{}, err
	}
	sock, unread, err := conn.Detach(br)
	if err != nil {
		return login{}, err
	}
	return login{sock: sock, key: key, serverInfo: serverInfo, unread: unread}, nil
}
