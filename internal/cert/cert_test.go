package cert

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
)

func TestWrittenPairLoads(t *testing.T) {
	dir := t.TempDir()
	for host, name := range map[string]string{"127.0.0.1": "127.0.0.1", "::1": "::1", "relay.example": "relay.example", "": "localhost"} {
		cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
		own, err := SelfSigned(host)
		if err != nil {
			t.Fatal(err)
		}
		if err := own.Write(cert, key); err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := pair.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
		if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("key file: %v, %v", st.Mode(), err)
		}
	}
	own, err := SelfSigned("relay")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Write(filepath.Join(dir, "c"), filepath.Join(dir, "none", "k")); err == nil {
		t.Error("written into a folder that is not there")
	}
}
