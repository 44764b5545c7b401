package registrar

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

// The names of the self-made certificate and its key in a data directory.
const (
	certFile = "tls.crt"
	keyFile  = "tls.key"
)

// selfMadeLife is how long a self-made certificate holds: callers compare its
// fingerprint, so nothing is won by its end.
const selfMadeLife = 10 * 365 * 24 * time.Hour

// Certificate returns the certificate for TLS: that of the two files, or, if both
// are empty, the one that was made by itself in dir before, or is made now. Errors:
// ErrTLS.
func Certificate(dir, certPath, keyPath string, now time.Time) (tls.Certificate, error) {
	if (certPath == "") != (keyPath == "") {
		return tls.Certificate{}, ErrTLS.Withf("a certificate for TLS and its key are given together, or neither")
	}
	if certPath == "" {
		certPath, keyPath = filepath.Join(dir, certFile), filepath.Join(dir, keyFile)
		if err := selfMade(certPath, keyPath, now); err != nil {
			return tls.Certificate{}, ErrTLS.With(err)
		}
	}
	cert, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return tls.Certificate{}, ErrTLS.With(err)
	}
	return cert, nil
}

// Fingerprint is SHA-256 of the certificate that callers see, which an invite
// names and they compare.
func Fingerprint(c tls.Certificate) [32]byte { return sha256.Sum256(c.Certificate[0]) }

// KnownFingerprint is that of the certificate that was made by itself in dir; zero
// if none was.
func KnownFingerprint(dir string) (f [32]byte) {
	text, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return f
	}
	if block, _ := pem.Decode(text); block != nil {
		f = sha256.Sum256(block.Bytes)
	}
	return f
}

// selfMade makes a certificate and its key, unless both are there. The key is
// written first: a certificate without it would be of no use.
func selfMade(certPath, keyPath string, now time.Time) error {
	if _, err := os.Stat(certPath); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(serial, now), template(serial, now), &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyPath, "PRIVATE KEY", secret); err != nil {
		return err
	}
	return writePEM(certPath, "CERTIFICATE", der)
}

func template(serial *big.Int, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "parley registrar"}, DNSNames: []string{"parley.invalid"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(selfMadeLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// writePEM replaces a file that only its owner may read.
func writePEM(path, kind string, der []byte) error {
	return disk.Replace(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
