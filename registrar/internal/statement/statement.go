// Package statement is what a node signs to register, and to call as a member:
// registrar and client have to mean the same bytes.
package statement

import (
	"encoding/base64"
	"strings"
)

// Labels say whose signature it is; no statement can stand in for another.
//
// spec: 11-registrars §3.2
const (
	Peer        = "parley/register/1/peer"        // of the peer ID's key
	Certificate = "parley/register/1/certificate" // of the certificate's
	Call        = "parley/register/1/call"        // of a member's who calls over TLS
)

// NonceSize is how many bytes a registrar's nonce has.
//
// spec: 11-registrars §3.2
const NonceSize = 56

// Of returns the statement that the peer wants to join the network through this
// registrar, or to call it, now. The three are raw Ed25519 keys, the network's that of its root.
//
// spec: 11-registrars §3.2
func Of(label string, network, registrar, peer [32]byte, nonce []byte) []byte {
	b := []byte(label)
	b = append(b, network[:]...)
	b = append(b, registrar[:]...)
	b = append(b, peer[:]...)
	return append(b, nonce...)
}

// scheme is that of the header "authorization" of who calls over TLS.
const scheme = "Parley "

var text = base64.RawURLEncoding

// Authorization is the header by which a member proves itself over TLS: its ticket, the
// registrar's nonce, and the signature of the statement with the label Call.
//
// spec: 11-registrars §6.4
func Authorization(ticket, nonce, signature []byte) string {
	return scheme + text.EncodeToString(ticket) + "." + text.EncodeToString(nonce) + "." + text.EncodeToString(signature)
}

// maxAuthorization bounds the header: a ticket has at most 512 bytes.
const maxAuthorization = 2 << 10

// ParseAuthorization is the opposite of Authorization.
func ParseAuthorization(header string) (ticket, nonce, signature []byte, ok bool) {
	rest, ok := strings.CutPrefix(header, scheme)
	parts := strings.Split(rest, ".")
	if !ok || len(header) > maxAuthorization || len(parts) != 3 {
		return nil, nil, nil, false
	}
	var decoded [3][]byte
	for i, p := range parts {
		b, err := text.DecodeString(p)
		if err != nil {
			return nil, nil, nil, false
		}
		decoded[i] = b
	}
	return decoded[0], decoded[1], decoded[2], true
}
