package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Revocation takes back one certificate.
type Revocation struct {
	Serial string // as Issued says it
	At     time.Time
}

// Revoke makes the CRL that takes these certificates back, all of them: it replaces the one before,
// whose number it must exceed. Its next update is due when the CA's own certificate ends, for
// ParseRoots asks for none.
func (a *Authority) Revoke(random io.Reader, all []Revocation, number int64, now time.Time) ([]byte, error) {
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: a.cert.NotAfter}
	if template.NextUpdate.Before(now) {
		template.NextUpdate = now
	}
	for _, r := range all {
		serial, ok := new(big.Int).SetString(r.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("certs: %q is no serial number", printable(r.Serial))
		}
		//lint:ignore SA1019 smx509 reads the list from no other field
		template.RevokedCertificates = append(template.RevokedCertificates,
			pkix.RevokedCertificate{SerialNumber: serial, RevocationTime: r.At})
	}
	der, err := smx509.CreateRevocationList(random, template, a.cert.Certificate, a.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}
