// Package certs decides whether an X.509 certificate lets a node in, and makes such certificates.
//
// A registrar reads the CAs it trusts, with their CRLs, and asks about each node that comes:
//
//	roots, err := certs.ParseRoots(pem)
//	leaf, err := roots.Verify(chain, peerID, now)  // chain: DER, the node's own certificate first
//	err = leaf.CheckProof(msg, signature)          // that the node has the key of it
//
// The node's side is ParseChain, ParseKey and Sign. An Authority is a small CA of one's own, for
// those who have no other.
//
// Keys are Ed25519, ECDSA on P-256 or P-384, or SM2 with SM3 (GB/T 32918, the default identity
// 1234567812345678), for every certificate of a chain; nothing else is looked at. Certificates and
// their signatures are read and checked by smx509, for crypto/x509 knows no SM2.
//
// The package is pure: time and randomness are handed in, it reads no file and starts no
// goroutine. Roots, Leaf and Authority do not change and are safe for concurrent use. What it does
// not do: ask anybody (OCSP, CRLs over the network), know names of hosts, or take RSA.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm2"
)

// Limits of what a stranger may present.
const (
	MaxChain      = 4        // certificates of one chain, a root among them counted
	MaxChainBytes = 16 << 10 // of all certificates of a chain, as DER
)

// PeerURI is what a subject alternative name that binds a certificate to a node begins with; the
// peer ID, as text, follows.
const PeerURI = "parley:peer:"

// Algorithm is a kind of key.
type Algorithm string

// The kinds of keys that are taken.
const (
	Ed25519 Algorithm = "ed25519"
	P256    Algorithm = "p256"
	P384    Algorithm = "p384"
	SM2     Algorithm = "sm2"
)

// algorithmOf says of which kind a public key is, "" if of none that is taken.
func algorithmOf(pub crypto.PublicKey) Algorithm {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return Ed25519
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return P256
		case elliptic.P384():
			return P384
		case sm2.P256():
			return SM2
		}
	}
	return ""
}

// maxText is the most bytes of a stranger's text that go into an error or a Leaf.
const maxText = 200

// printable makes a stranger's text fit for logs: on one line, nothing unseen, at most maxText bytes.
func printable(s string) string {
	var out strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		if out.Len()+utf8.RuneLen(r) > maxText-len("…") {
			return out.String() + "…"
		}
		out.WriteRune(r)
	}
	return out.String()
}
