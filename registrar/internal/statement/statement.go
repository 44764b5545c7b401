// Package statement is what a node signs to register: registrar and client have
// to mean the same bytes.
package statement

// Labels say whose signature it is; no statement can stand in for another.
//
// spec: 11-registrars §3.2
const (
	Peer        = "parley/register/1/peer"        // of the peer ID's key
	Certificate = "parley/register/1/certificate" // of the certificate's
)

// NonceSize is how many bytes a registrar's nonce has.
//
// spec: 11-registrars §3.2
const NonceSize = 56

// Of returns the statement that the peer wants to join the network through this
// registrar, now. The three are raw Ed25519 keys, the network's that of its root.
//
// spec: 11-registrars §3.2
func Of(label string, network, registrar, peer [32]byte, nonce []byte) []byte {
	b := []byte(label)
	b = append(b, network[:]...)
	b = append(b, registrar[:]...)
	b = append(b, peer[:]...)
	return append(b, nonce...)
}
