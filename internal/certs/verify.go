package certs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Verify decides whether a chain, as DER and the node's own certificate first, each issued by the
// next, lets the node with that peer ID (as text) in at that time. The root may be in it or not;
// what follows a trusted certificate is not needed and not looked at. The error is one of those
// that Reason names, the first that is found; its text quotes at most a few words of the chain.
//
// It costs checking a signature for each certificate and one more, and some more where several
// have one name.
func (r *Roots) Verify(chain [][]byte, peerID string, now time.Time) (*Leaf, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	path, err := r.path(certs, now)
	if err != nil {
		return nil, err
	}
	for _, check := range []func([]certificate, time.Time) error{inTime, usable, sound} {
		if err := check(path, now); err != nil {
			return nil, err
		}
	}
	if err := r.unrevoked(path); err != nil {
		return nil, err
	}
	if ids := peers(path[0]); len(ids) > 0 && (peerID == "" || !slices.Contains(ids, peerID)) {
		return nil, ErrPeer
	}
	return newLeaf(path), nil
}

// parseChain reads certificates, each named as the issuer of the one before it.
func parseChain(chain [][]byte) (certs []certificate, err error) {
	size := 0
	for _, der := range chain {
		size += len(der)
	}
	if len(chain) == 0 || len(chain) > MaxChain || size > MaxChainBytes {
		return nil, ErrMalformed.Withf("the chain has %d certificates and %d bytes", len(chain), size)
	}
	for i, der := range chain {
		c, err := parse(der)
		if err != nil {
			return nil, err
		}
		if i > 0 && !bytes.Equal(certs[i-1].RawIssuer, c.RawSubject) {
			return nil, ErrMalformed.Withf("certificate %d of the chain did not issue the one before it", i+1)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// path is the chain up to the first certificate that is trusted, which is added if it was not sent.
func (r *Roots) path(certs []certificate, now time.Time) ([]certificate, error) {
	for i, c := range certs {
		if i > 0 && r.trusts(c) {
			return certs[:i+1], nil
		}
	}
	root, err := r.issuer(certs[len(certs)-1], now)
	if err != nil {
		return nil, err
	}
	return append(certs, root), nil
}

// issuer finds the trusted CA that signed c; of several with one name and key, as there are when
// a CA renews its own certificate, one that is valid now.
func (r *Roots) issuer(c certificate, now time.Time) (found certificate, err error) {
	err = ErrAuthority
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		err = ErrAuthority.Withf("the certificate is signed by itself and not trusted here")
	}
	for _, root := range r.certs {
		switch {
		case !bytes.Equal(root.RawSubject, c.RawIssuer) || err == nil && valid(found, now) == nil:
			continue
		case !root.algorithm.signs(c.SignatureAlgorithm):
			if err != nil {
				err = ErrKey
			}
		case c.CheckSignatureFrom(root.Certificate) == nil:
			found, err = root, nil
		}
	}
	return found, err
}

func inTime(path []certificate, now time.Time) error {
	for i, c := range path {
		switch err := valid(c, now); {
		case errors.Is(err, ErrNotYetValid):
			return ErrNotYetValid.Withf("%s is not valid before %s", nth(i), c.NotBefore.UTC().Format(time.RFC3339))
		case errors.Is(err, ErrExpired):
			return ErrExpired.Withf("%s expired at %s", nth(i), c.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// nth names a certificate of a path.
func nth(i int) string {
	if i == 0 {
		return "the certificate"
	}
	return fmt.Sprintf("certificate %d of the chain", i+1)
}

// valid takes both ends in (RFC 5280 §4.1.2.5).
func valid(c certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return ErrNotYetValid
	case now.After(c.NotAfter):
		return ErrExpired
	default:
		return nil
	}
}

// usable: the first may sign for itself, the others may issue the one before them.
func usable(path []certificate, _ time.Time) error {
	switch leaf := path[0]; {
	case leaf.IsCA:
		return ErrUsage.Withf("the certificate is a CA's, not a node's")
	case !leaf.allows(smx509.KeyUsageDigitalSignature):
		return ErrUsage.Withf("the certificate does not allow digital signatures")
	}
	for i, c := range path[1:] {
		switch {
		case !c.mayIssue():
			return ErrUsage.Withf("%s is not a CA that may sign certificates", nth(i+1))
		case !c.algorithm.signs(path[i].SignatureAlgorithm):
			return ErrKey
		}
	}
	return nil
}

// sound leaves signatures and whatever else RFC 5280 asks (how many CAs may follow, names and usages
// that a CA is restricted to, critical extensions) to the library, and accepts this very path alone.
func sound(path []certificate, now time.Time) error {
	last := len(path) - 1
	roots, between := smx509.NewCertPool(), smx509.NewCertPool()
	roots.AddCert(path[last].Certificate)
	for _, c := range path[1:last] {
		between.AddCert(c.Certificate)
	}
	found, err := path[0].Verify(smx509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageClientAuth},
	})
	var unknown smx509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return ErrAuthority
	case err != nil:
		return caused(ErrUsage, err)
	}
	same := func(a *smx509.Certificate, b certificate) bool { return bytes.Equal(a.Raw, b.Raw) }
	if !slices.ContainsFunc(found, func(c []*smx509.Certificate) bool { return slices.EqualFunc(c, path, same) }) {
		return ErrAuthority
	}
	return nil
}

// unrevoked looks for every certificate, a trusted one that another trusted one revoked too.
func (r *Roots) unrevoked(path []certificate) error {
	for i, c := range path {
		if _, ok := r.revoked[revocation(c.RawIssuer, c.SerialNumber)]; ok {
			return ErrRevoked.Withf("%s was revoked", nth(i))
		}
	}
	return nil
}

// peers are the peer IDs that a certificate is for; none: it is for any.
func peers(c certificate) (ids []string) {
	for _, u := range c.URIs {
		if id, ok := strings.CutPrefix(u.String(), PeerURI); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
