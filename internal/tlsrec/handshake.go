package tlsrec

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
)

// Role is the side of a handshake.
type Role bool

// The roles.
const (
	Client Role = false
	Server Role = true
)

// Handshake does a TLS 1.3 handshake over nc and returns what it leaves. nc is
// then at the first application record, in both directions; what crypto/tls made
// of it must not be used any more, and is not returned.
//
// The configuration is not changed. A client that refuses its server's
// certificate, a peer without TLS 1.3, a peer that does not speak TLS at all:
// each is an error of crypto/tls's.
func Handshake(ctx context.Context, nc net.Conn, role Role, cfg *tls.Config) (*Session, error) {
	cfg = cfg.Clone()
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
	// Tickets are records: without them both directions start at 0.
	cfg.SessionTicketsDisabled = true
	cfg.ClientSessionCache = nil
	var log keyLog
	cfg.KeyLogWriter = &log

	bounded := &recordConn{Conn: nc}
	var conn *tls.Conn
	if role == Server {
		conn = tls.Server(bounded, cfg)
	} else {
		conn = tls.Client(bounded, cfg)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if bounded.left != 0 {
		return nil, errors.New("TLS handshake: it ended inside a record")
	}
	s := &Session{Suite: Suite(conn.ConnectionState().CipherSuite)}
	s.Out, s.In = log.secret("CLIENT_TRAFFIC_SECRET_0"), log.secret("SERVER_TRAFFIC_SECRET_0")
	if role == Server {
		s.Out, s.In = s.In, s.Out
	}
	if s.In == nil || s.Out == nil {
		return nil, errors.New("TLS handshake: crypto/tls did not log the traffic secrets")
	}
	return s, nil
}

// keyLog keeps the lines of a KeyLogWriter (NSS key log format).
type keyLog struct{ bytes.Buffer }

// secret finds the secret with a label; nil if it was not logged.
func (l *keyLog) secret(label string) []byte {
	for line := range bytes.Lines(l.Bytes()) {
		f := bytes.Fields(line)
		if len(f) == 3 && string(f[0]) == label {
			b, err := hex.DecodeString(string(f[2]))
			if err != nil {
				return nil
			}
			return b
		}
	}
	return nil
}

// recordConn is a connection whose Read never crosses the end of a TLS record.
// crypto/tls reads as much as it gets; what it read beyond the handshake would be
// lost to whoever takes the connection over.
type recordConn struct {
	net.Conn
	header [HeaderLen]byte
	have   int // bytes of the header read
	left   int // bytes of the body still to be read
}

func (c *recordConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		n, err := c.Conn.Read(p[:min(len(p), HeaderLen-c.have)])
		copy(c.header[c.have:], p[:n])
		if c.have += n; c.have == HeaderLen {
			c.have, c.left = 0, int(binary.BigEndian.Uint16(c.header[3:]))
		}
		return n, err
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
