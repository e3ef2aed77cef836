package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/cert"
	"hdbench/internal/transport"
)

// connectDirect connects each flow's sender to its receiver, with no relay
// between: the load then measures what this client can do at most. A peer of
// several flows gets a peer for each, since there is nobody to route.
func (s *Session) connectDirect(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for direct connections: %w", err)
	}
	defer ln.Close()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for _, t := range s.threads {
		t.peers = nil
	}
	o := s.cfg.socketOptions()
	accepting := o
	if s.cfg.Transport.Encrypted() {
		own, err := cert.SelfSigned("127.0.0.1")
		if err != nil {
			return err
		}
		accepting.TLS = &tls.Config{Certificates: []tls.Certificate{own.Certificate}}
	}
	for _, f := range s.flows {
		f.from, f.to = s.soloPeer(f.from), s.soloPeer(f.to)
		f.from.sends = []*sendHalf{f.send}
		var g errgroup.Group
		g.Go(func() error {
			conn, err := transport.Dial(ctx, s.cfg.Transport, ln.Addr().String(), o)
			if err != nil {
				return err
			}
			return f.from.detach(conn, nil)
		})
		g.Go(func() error {
			nc, err := ln.Accept()
			if err != nil {
				return err
			}
			nc.SetDeadline(time.Now().Add(loginTimeout))
			conn, err := transport.Accepted(s.cfg.Transport, nc.(*net.TCPConn), accepting)
			if err != nil {
				return err
			}
			return f.to.detach(conn, nil)
		})
		if err := g.Wait(); err != nil {
			return fmt.Errorf("connect sender and receiver directly: %w", err)
		}
	}
	return s.watchPeers()
}

// soloPeer is a peer with p's key and place for one flow alone.
func (s *Session) soloPeer(p *peer) *peer {
	q := &peer{thread: p.thread, private: p.private, key: p.key}
	p.thread.peers = append(p.thread.peers, q)
	return q
}
