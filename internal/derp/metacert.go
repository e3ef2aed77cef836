package derp

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

// metaCertPrefix is how the common name of a server's extra certificate begins;
// the key follows in hex.
const metaCertPrefix = "derpkey"

// MetaCert makes the certificate that a server adds to its chain over TLS 1.3, as
// derper does: it is self-signed and trusted by nobody, but tells a client the
// server's key and protocol version a round trip early.
func MetaCert(server Key) ([]byte, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate with the relay's key: %w", err)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(Version),
		Subject:      pkix.Name{CommonName: metaCertPrefix + hex.EncodeToString(server[:])},
		NotBefore:    now.AddDate(0, 0, -30), NotAfter: now.AddDate(1, 0, 0),
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, pub, priv)
	if err != nil {
		return nil, fmt.Errorf("certificate with the relay's key: %w", err)
	}
	return der, nil
}
