package wire

import (
	"crypto/ed25519"
	"errors"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// ErrNotEd25519 is returned for a peer ID that holds no Ed25519 key.
var ErrNotEd25519 = errors.New("peer ID without an Ed25519 key")

// idPrefix is what a peer ID of an Ed25519 key begins with: identity
// multihash of 36 bytes, key type 1, a key of 32 bytes
// (libp2p specs, peer-ids).
const idPrefix = "\x00\x24\x08\x01\x12\x20"

// PeerID returns the peer ID of the author with that raw Ed25519 key.
func PeerID(author [ed25519.PublicKeySize]byte) peer.ID {
	return peer.ID(idPrefix + string(author[:]))
}

// Author returns the raw Ed25519 key in p.
func Author(p peer.ID) (author [ed25519.PublicKeySize]byte, err error) {
	key, err := p.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return author, ErrNotEd25519
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != len(author) {
		return author, ErrNotEd25519
	}
	return [ed25519.PublicKeySize]byte(raw), nil
}
