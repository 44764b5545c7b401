package certs

import (
	"crypto"
	"errors"

	"github.com/emmansun/gmsm/smx509"
)

// ParseRequest reads a PKCS #10 request from PEM and returns the key that signed it. What names it
// asks for is not looked at: the CA says whom a certificate is for. The error is an ErrRequest.
func ParseRequest(text []byte) (crypto.PublicKey, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, ErrRequest.With(err)
	}
	if b := blocks[0]; len(blocks) > 1 || b.Type != "CERTIFICATE REQUEST" && b.Type != "NEW CERTIFICATE REQUEST" {
		return nil, ErrRequest.With(errors.New("it is not one certificate request"))
	}
	r, err := smx509.ParseCertificateRequest(blocks[0].Bytes)
	if err != nil {
		return nil, caused(ErrRequest, err)
	}
	a := algorithmOf(r.PublicKey)
	if a == "" {
		return nil, ErrRequest.With(errors.New("its key is of a kind that is not taken"))
	}
	if !a.signs(r.SignatureAlgorithm) || r.CheckSignature() != nil {
		return nil, ErrRequest.With(errors.New("it is not signed by its own key"))
	}
	return r.PublicKey, nil
}
