package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"hdbench/internal/derp"
)

// serveHTTP answers a request that is no DERP upgrade, as a DERP host does: the
// latency probes, the captive portal check, and the advice to upgrade. One
// request a connection.
func serveHTTP(w io.Writer, req *http.Request) error {
	status, body := http.StatusNotFound, "not found\n"
	var header http.Header
	switch req.URL.Path {
	case "/derp/probe", "/derp/latency-check":
		status, body = http.StatusMethodNotAllowed, "bogus probe method\n"
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			status, body = http.StatusOK, ""
			header = http.Header{"Access-Control-Allow-Origin": {"*"}}
		}
	case "/generate_204":
		status, body = http.StatusNoContent, ""
		header = noContentHeader(req)
	case derp.Path:
		status, body = http.StatusUpgradeRequired, "DERP requires connection upgrade\n"
	case "/":
		status, body = http.StatusOK, "hdbench relay: a DERP server to be measured\n"
	}
	return errors.Join(errServed, respondWith(w, req, status, header, body))
}

// lingerTime is how long an answered client may take to close.
const lingerTime = 250 * time.Millisecond

// answerPlainHTTP tells a client that speaks HTTP where TLS is expected what is
// wrong, as it could not know otherwise.
func answerPlainHTTP(nc *net.TCPConn, handshake error) error {
	var header tls.RecordHeaderError
	if !errors.As(handshake, &header) {
		return nil
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "OPTIO":
		_, err := io.WriteString(nc, "HTTP/1.0 400 Bad Request: this relay speaks TLS\r\nConnection: close\r\n\r\nplain HTTP was sent to a relay that speaks TLS\n")
		// Closed with its request unread, the connection would be reset, and the
		// answer lost.
		nc.SetDeadline(time.Now().Add(lingerTime))
		nc.CloseWrite()
		io.CopyN(io.Discard, nc, maxLoginBytes)
		return err
	}
	return nil
}

// noContentHeader answers the challenge by which clients tell this host from a
// captive portal.
func noContentHeader(req *http.Request) http.Header {
	h := http.Header{"Cache-Control": {"no-cache, no-store, must-revalidate, no-transform, max-age=0"}}
	c := req.Header.Get("X-Tailscale-Challenge")
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:", r))
	}
	if c != "" && len(c) <= 64 && strings.IndexFunc(c, odd) < 0 {
		h.Set("X-Tailscale-Response", "response "+c)
	}
	return h
}

func respond(w io.Writer, req *http.Request, status int, body string) error {
	return respondWith(w, req, status, nil, body)
}

func respondWith(w io.Writer, req *http.Request, status int, header http.Header, body string) error {
	resp := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: header, Close: true,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	if err := resp.Write(w); err != nil {
		return fmt.Errorf("answer %s %s: %w", req.Method, req.URL.Path, err)
	}
	return nil
}
