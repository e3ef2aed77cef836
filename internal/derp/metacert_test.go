package derp

import (
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"
)

// What stock clients look for: the name's prefix and the key in hex, the protocol
// version as the serial number, a time of validity around now.
func TestMetaCert(t *testing.T) {
	priv, err := GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := priv.Public()
	der, err := MetaCert(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if want := "derpkey" + key.String(); c.Subject.CommonName != want {
		t.Errorf("common name %q, want %q", c.Subject.CommonName, want)
	}
	if c.SerialNumber.Int64() != Version || c.NotBefore.After(time.Now()) || c.NotAfter.Before(time.Now()) {
		t.Errorf("serial %v, valid %v to %v", c.SerialNumber, c.NotBefore, c.NotAfter)
	}
}
