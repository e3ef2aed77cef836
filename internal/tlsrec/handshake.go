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
	defer log.wipe()
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
	if log.client == nil || log.server == nil {
		return nil, errors.New("TLS handshake: crypto/tls did not log the traffic secrets")
	}
	s.Out, s.In = bytes.Clone(log.client), bytes.Clone(log.server)
	if role == Server {
		s.Out, s.In = s.In, s.Out
	}
	return s, nil
}

// keyLog takes the application traffic secrets out of what a KeyLogWriter is given
// (NSS key log format).
type keyLog struct{ client, server []byte }

// Write reads one line and wipes it. An io.Writer should leave what it is given as
// it is, but here that is a secret in a buffer of crypto/tls's own, which nobody
// reads again (Config.writeKeyLog) and nobody else would wipe.
func (l *keyLog) Write(line []byte) (int, error) {
	defer clear(line)
	f := bytes.Fields(line) // parts of the line, no copies
	if len(f) != 3 {
		return len(line), nil
	}
	switch string(f[0]) {
	case "CLIENT_TRAFFIC_SECRET_0":
		keepSecret(&l.client, f[2])
	case "SERVER_TRAFFIC_SECRET_0":
		keepSecret(&l.server, f[2])
	}
	return len(line), nil
}

// keepSecret decodes a secret; what is none is nil.
func keepSecret(secret *[]byte, digits []byte) {
	clear(*secret)
	*secret = make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(*secret, digits); err != nil {
		clear(*secret)
		*secret = nil
	}
}

func (l *keyLog) wipe() {
	clear(l.client)
	clear(l.server)
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
