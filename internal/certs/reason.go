package certs

import (
	"errors"

	"github.com/parley-chat/parley/internal/fault"
)

// Why a node is not let in. Every error of Verify and CheckProof is exactly one of these.
var (
	ErrMalformed   = fault.New("P6021", fault.Peer, "the certificate is malformed", "give a PEM file with the node's own certificate first, then those between it and the CA: at most four and 16 KiB")
	ErrExpired     = fault.New("P6022", fault.Peer, "the certificate has expired", "issue a new one, and look at the clocks of both machines")
	ErrNotYetValid = fault.New("P6023", fault.Peer, "the certificate is not valid yet", "look at the clocks of both machines, or wait")
	ErrAuthority   = fault.New("P6024", fault.Peer, "the certificate is not signed by a CA that is trusted here", "have it issued by one of the registrar's CAs, and send those between it and the CA along")
	ErrPeer        = fault.New("P6025", fault.Peer, "the certificate was issued for another node", "issue one for this node's peer ID (parley id)")
	ErrKey         = fault.New("P6026", fault.Peer, "a key or signature of the certificate is of a kind that is not taken", "use Ed25519, ECDSA on P-256 or P-384, or SM2, and no SHA-1, for all certificates of the chain")
	ErrUsage       = fault.New("P6027", fault.Peer, "the certificate is not for this use", "issue one that allows digital signatures and client authentication, by CAs that may sign it")
	ErrRevoked     = fault.New("P6028", fault.Peer, "the certificate was revoked", "ask those who run the CA for another one")
	ErrProof       = fault.New("P6029", fault.Peer, "the node did not prove that it has the certificate's key", "give the key that belongs to the certificate")
)

// What is wrong with files and with what a CA was asked for.
var (
	ErrRoots     = fault.New("P6020", fault.User, "the trusted certificates cannot be used", "give PEM files with CA certificates and, if there are any, their CRLs")
	ErrChain     = fault.New("P6030", fault.User, "the certificate file cannot be used", "give a PEM file with the node's own certificate first, then those between it and the CA")
	ErrKeyFile   = fault.New("P6031", fault.User, "the private key cannot be used", "give an unencrypted PEM file, PKCS #8 or SEC 1, with one key: Ed25519, ECDSA on P-256 or P-384, or SM2")
	ErrRequest   = fault.New("P6032", fault.User, "the certificate request cannot be used", "give a PEM file with one PKCS #10 request, signed by its own key: Ed25519, ECDSA on P-256 or P-384, or SM2")
	ErrOwnCA     = fault.New("P6033", fault.Environment, "the CA's certificate and key do not belong together", "restore both from one backup")
	ErrOwnPeriod = fault.New("P6034", fault.User, "the CA's own certificate ends before that", "take fewer days, or make a new CA")
)

var reasons = []struct {
	err  error
	name string
}{
	{ErrMalformed, "malformed"},
	{ErrExpired, "expired"},
	{ErrNotYetValid, "not_yet_valid"},
	{ErrAuthority, "authority"},
	{ErrPeer, "peer"},
	{ErrKey, "key"},
	{ErrUsage, "usage"},
	{ErrRevoked, "revoked"},
	{ErrProof, "proof"},
}

// Reason names an error of Verify or CheckProof for a counter or an audit record: "malformed",
// "expired", "not_yet_valid", "authority", "peer", "key", "usage", "revoked", "proof"; "other" for
// every other error, "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "other"
}

// caused is a fault with a library's words as its cause, which may quote the certificate.
func caused(f *fault.Error, err error) error { return f.With(errors.New(printable(err.Error()))) }

// what leaves a fault's advice and code out, for errors that have their own.
func what(err error) string {
	f, ok := fault.As(err)
	if !ok {
		return err.Error()
	}
	if f.Err != nil {
		return f.What + ": " + f.Err.Error()
	}
	return f.What
}
