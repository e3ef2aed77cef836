package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"

	"hdbench/internal/cpu"
)

// Placeholders lists what an external relay's command may contain, and what
// stands for it when the relay is started.
func Placeholders() []struct{ Name, Meaning string } {
	return []struct{ Name, Meaning string }{
		{"{addr}", "address and port to listen on"},
		{"{host}", "address to listen on"},
		{"{port}", "port to listen on"},
		{"{workers}", "number of workers"},
		{"{cpus}", "CPU list it may use, such as 0-3"},
		{"{cert}", "file with a certificate for the address, PEM"},
		{"{key}", "file with the certificate's key, PEM"},
	}
}

// CheckCommand finds what is wrong with an external relay's command.
func CheckCommand(command string) error {
	words, err := shellwords.Parse(command)
	if err != nil {
		return fmt.Errorf("command %q: %w", command, err)
	}
	if len(words) == 0 {
		return errors.New("the command is empty")
	}
	if !strings.Contains(command, "{addr}") && !strings.Contains(command, "{port}") {
		return fmt.Errorf("command %q: it has neither {addr} nor {port}, so the relay cannot be told where to listen", command)
	}
	rest := command
	for _, p := range Placeholders() {
		rest = strings.ReplaceAll(rest, p.Name, "")
	}
	if i := strings.IndexByte(rest, '{'); i >= 0 {
		word, _, _ := strings.Cut(rest[i:], " ")
		return fmt.Errorf("command %q: unknown placeholder at %q (known: %s)", command, word, placeholderNames())
	}
	return nil
}

func placeholderNames() string {
	var names []string
	for _, p := range Placeholders() {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

// startExternal starts any other DERP server. The command is split into words as
// a shell would, but no shell runs it: the relay is the agent's own child.
func (a *agent) startExternal(ctx context.Context, s RelaySpec, set cpu.Set) (*liveRelay, error) {
	if err := CheckCommand(s.Command); err != nil {
		return nil, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	words, err := shellwords.Parse(s.Command)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	dir, err := os.MkdirTemp(a.dir, "external-*")
	if err != nil {
		return nil, err
	}
	clean := func() { os.RemoveAll(dir) }
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if strings.Contains(s.Command, "{cert}") || strings.Contains(s.Command, "{key}") {
		if err := writeCertificate(s.Host, cert, key); err != nil {
			clean()
			return nil, err
		}
	}
	c, info, err := a.startOnPort(ctx, s.Host, set, func(port string) (argv, env []string, err error) {
		r := strings.NewReplacer("{addr}", net.JoinHostPort(s.Host, port), "{host}", s.Host, "{port}", port,
			"{workers}", strconv.Itoa(s.Workers), "{cpus}", set.String(), "{cert}", cert, "{key}", key)
		for _, w := range words {
			argv = append(argv, r.Replace(w))
		}
		return argv, nil, nil
	})
	if err != nil {
		clean()
		return nil, err
	}
	info.Version = "external"
	return &liveRelay{child: c, info: info, cleanUp: clean}, nil
}

// writeCertificate makes a self-signed certificate for host that is good for a
// day.
func writeCertificate(host, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return fmt.Errorf("certificate serial: %w", err)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("certificate key: %w", err)
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
}
