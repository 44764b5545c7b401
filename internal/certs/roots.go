package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"

	"github.com/emmansun/gmsm/smx509"
)

// Limits of what an operator may trust.
const (
	maxRoots      = 256      // certificates
	maxRootsBytes = 64 << 20 // of all texts; CRLs are the long ones
)

// Roots are the CAs that are trusted, and the certificates that these revoked. It never changes: to
// take in a newer CRL parse anew.
type Roots struct {
	certs   []certificate
	revoked map[string]struct{} // by revocation
}

// revocation is what names a certificate in a CRL: its issuer, as DER, which ends itself, and its
// serial number.
func revocation(issuer []byte, serial *big.Int) string { return string(issuer) + serial.String() }

// ParseRoots reads CA certificates and CRLs (blocks X509 CRL), in any order, from PEM texts that are
// taken as one. Every certificate is trusted as it stands, one that another CA issued too. A CRL is
// signed by one of them, and all that any of them lists is revoked, for good: a CRL past its next
// update still counts, for it can only refuse more, and a later one takes nothing back. The error
// is an ErrRoots.
func ParseRoots(texts ...[]byte) (*Roots, error) {
	r := &Roots{revoked: make(map[string]struct{})}
	text := bytes.Join(texts, []byte("\n"))
	if len(text) > maxRootsBytes {
		return nil, ErrRoots.Withf("the trusted certificates and CRLs have more than %d MiB", maxRootsBytes>>20)
	}
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, ErrRoots.With(err)
	}
	var lists [][]byte
	for i, b := range blocks {
		switch b.Type {
		case "CERTIFICATE":
			if err := r.trust(b.Bytes); err != nil {
				return nil, ErrRoots.With(fmt.Errorf("block %d: %s", i+1, what(err)))
			}
		case "X509 CRL":
			lists = append(lists, b.Bytes)
		default:
			return nil, ErrRoots.With(fmt.Errorf("block %d: %q is neither a certificate nor a CRL", i+1, printable(b.Type)))
		}
	}
	if len(r.certs) == 0 || len(r.certs) > maxRoots {
		return nil, ErrRoots.With(fmt.Errorf("%d CA certificates, not 1 to %d", len(r.certs), maxRoots))
	}
	for i, der := range lists {
		if err := r.revoke(der); err != nil {
			return nil, ErrRoots.With(fmt.Errorf("CRL %d: %s", i+1, what(err)))
		}
	}
	return r, nil
}

// Size tells how many CAs are trusted and how many certificates these revoked.
func (r *Roots) Size() (authorities, revoked int) { return len(r.certs), len(r.revoked) }

func (r *Roots) trust(der []byte) error {
	c, err := parse(der)
	if err != nil {
		return err
	}
	if !c.mayIssue() {
		return fmt.Errorf("%s is not a CA that may sign certificates", printable(c.Subject.String()))
	}
	if !r.trusts(c) {
		r.certs = append(r.certs, c)
	}
	return nil
}

func (r *Roots) trusts(c certificate) bool {
	return slices.ContainsFunc(r.certs, func(root certificate) bool { return bytes.Equal(root.Raw, c.Raw) })
}

// revoke takes a CRL in. crypto/x509 reads it, which only does not know SM2's algorithm by name;
// the signature is checked with the CA's key.
func (r *Roots) revoke(der []byte) error {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return fmt.Errorf("it is malformed: %s", printable(err.Error()))
	}
	for _, e := range list.Extensions { // of a CRL for a part, or of changes alone
		if e.Critical {
			return fmt.Errorf("it has the critical extension %s, which is not understood", printable(e.Id.String()))
		}
	}
	if !slices.ContainsFunc(r.certs, func(c certificate) bool { return c.signed(list) }) {
		return fmt.Errorf("none of the CAs signed it: %s", printable(list.Issuer.String()))
	}
	for _, e := range list.RevokedCertificateEntries {
		for _, x := range e.Extensions {
			if x.Critical {
				return fmt.Errorf("an entry has the critical extension %s, which is not understood", printable(x.Id.String()))
			}
		}
		r.revoked[revocation(list.RawIssuer, e.SerialNumber)] = struct{}{}
	}
	return nil
}

// signed tells whether c issued the list.
func (c certificate) signed(list *x509.RevocationList) bool {
	algorithm := list.SignatureAlgorithm
	if c.algorithm == SM2 {
		algorithm = smx509.SM2WithSM3
	}
	return bytes.Equal(c.RawSubject, list.RawIssuer) && c.allows(smx509.KeyUsageCRLSign) && c.algorithm.signs(algorithm) &&
		c.CheckSignature(algorithm, list.RawTBSRevocationList, list.Signature) == nil
}
