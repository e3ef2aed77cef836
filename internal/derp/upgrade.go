package derp

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Path is where a DERP host serves the protocol.
const Path = "/derp"

// HTTP headers of the upgrade.
const (
	headerVersion   = "Derp-Version"
	headerPublicKey = "Derp-Public-Key"
	headerFastStart = "Derp-Fast-Start"
)

// WriteUpgradeRequest asks the server at host to speak DERP. With fastStart the
// server answers with DERP at once and no HTTP response: one round trip less.
func WriteUpgradeRequest(w io.Writer, host string, fastStart bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hdbench\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n", Path, host)
	if fastStart {
		fmt.Fprintf(&b, "%s: 1\r\n", headerFastStart)
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("send upgrade request: %w", err)
	}
	return nil
}

// ReadUpgradeResponse reads the 101 that answers a request without fastStart.
func ReadUpgradeResponse(br *bufio.Reader) error {
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
	if err != nil {
		return fmt.Errorf("%w: the server's answer to the upgrade is not HTTP: %v", ErrProtocol, err)
	}
	resp.Body.Close() // a 101 has none; of any other answer only the status matters
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: the server answered the upgrade with %s, want 101", ErrProtocol, resp.Status)
	}
	if up := resp.Header.Get("Upgrade"); !strings.EqualFold(up, "DERP") {
		return fmt.Errorf("%w: the server upgraded to %q, want DERP", ErrProtocol, up)
	}
	return nil
}

// IsUpgrade reports whether r asks for DERP, and whether it wants the 101
// suppressed.
func IsUpgrade(r *http.Request) (ok, fastStart bool) {
	return strings.EqualFold(r.Header.Get("Upgrade"), "DERP"), r.Header.Get(headerFastStart) == "1"
}

// WriteUpgradeResponse sends the 101 that IsUpgrade's fastStart suppresses.
func WriteUpgradeResponse(w io.Writer, server Key) error {
	_, err := fmt.Fprintf(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n%s: %d\r\n%s: %s\r\n\r\n",
		headerVersion, Version, headerPublicKey, server)
	if err != nil {
		return fmt.Errorf("send upgrade response: %w", err)
	}
	return nil
}
