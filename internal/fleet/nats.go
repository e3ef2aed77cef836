package fleet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// External says how to reach a nats-server of the user's own. Credentials are in
// files, never in the URL: that would be in process lists.
type External struct {
	URL   string // or several, with commas between
	CA    string // file with the certificates to trust; empty: the system's
	Creds string // file with a user's JWT and seed
	NKey  string // file with a user's seed
	Cert  string // file with a certificate to show, with Key
	Key   string
	// Plain allows a connection to another host without TLS: whoever is on the way
	// can then give orders.
	Plain bool
}

// Set reports whether there is a server of the user's own.
func (e External) Set() bool { return e.URL != "" }

// Check finds what is wrong with how a server is to be reached, before it is
// tried.
func (e External) Check() error {
	for _, one := range strings.Split(e.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			// Not the URL itself, which may have a password in it.
			return errors.New("--nats: want tls://HOST:PORT or nats://HOST:PORT, several with commas between")
		}
		if u.User != nil {
			return fmt.Errorf("--nats %s: the URL has a credential in it, which every user of this host can see; use --creds or --nkey", u.Redacted())
		}
	}
	if e.Creds != "" && e.NKey != "" {
		return errors.New("--creds and --nkey: want one of them")
	}
	if (e.Cert == "") != (e.Key == "") {
		return errors.New("--nats-cert and --nats-key: want both or neither")
	}
	for _, secret := range []string{e.Creds, e.NKey, e.Key} {
		if err := checkSecret(secret); err != nil {
			return err
		}
	}
	return nil
}

// checkSecret refuses a file with a key that everybody can read, as ssh does.
func checkSecret(file string) error {
	if file == "" {
		return nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s: every user of this host can read the key in it (mode %v); chmod o= it, and think of the key as known", file, info.Mode().Perm())
	}
	return nil
}

// connect connects; what breaks later is connected again, to another server of the
// cluster if there is one.
func (e External) connect(more ...nats.Option) (*nats.Conn, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	options := []nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.PingInterval(natsPing), nats.MaxPingsOutstanding(2), nats.Timeout(5 * time.Second),
	}
	if e.CA != "" {
		options = append(options, nats.RootCAs(e.CA))
	}
	if e.Cert != "" {
		options = append(options, nats.ClientCert(e.Cert, e.Key))
	}
	if e.Creds != "" {
		options = append(options, nats.UserCredentials(e.Creds))
	}
	if e.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(e.NKey)
		if err != nil {
			return nil, fmt.Errorf("--nkey %s: %w", e.NKey, err)
		}
		options = append(options, key)
	}
	if !e.mayBePlain() {
		options = append(options, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
		if e.CA != "" { // Secure has set the whole configuration: trust goes in again
			options = append(options, nats.RootCAs(e.CA))
		}
		if e.Cert != "" {
			options = append(options, nats.ClientCert(e.Cert, e.Key))
		}
	}
	nc, err := nats.Connect(e.URL, append(options, more...)...)
	switch {
	case errors.Is(err, nats.ErrSecureConnWanted):
		return nil, fmt.Errorf("connect to %s: %w: the server has no TLS, and without it whoever is on the way can give orders to the agents; give it a certificate, or say --nats-plain", e.URL, err)
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fmt.Errorf("connect to %s: %w: the server does not know this credential (--creds, --nkey)", e.URL, err)
	case err != nil:
		return nil, fmt.Errorf("connect to %s: %w", e.URL, err)
	}
	if nc.MaxPayload() < minPayload {
		nc.Close()
		return nil, fmt.Errorf("%s lets messages of %d bytes through, and results may be longer: set max_payload: 64MB in its configuration", e.URL, nc.MaxPayload())
	}
	return nc, nil
}

// minPayload is what a server must let through: some minutes' intervals and
// histograms.
const minPayload = 8 << 20

// natsPing is how often a silent connection is asked whether it is one. Two pings
// without an answer end it, well within the lease's term.
const natsPing = 3 * time.Second

// mayBePlain reports whether a connection without TLS is good enough: the user
// says so, or it stays on this host.
func (e External) mayBePlain() bool {
	if e.Plain {
		return true
	}
	for _, one := range strings.Split(e.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			return false
		}
		ip := net.ParseIP(u.Hostname())
		if u.Scheme != "nats" || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
