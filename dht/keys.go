package dht

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/parley-chat/parley/internal/wire"
)

// namespace is that of nodes' own records. spec: 09-dht §3
const namespace = "peer"

// peerKey is where the record of a node lies: its raw Ed25519 key in hex, so
// that the key is text for every implementation.
func peerKey(id peer.ID) (string, error) {
	author, err := wire.Author(id)
	if err != nil {
		return "", err
	}
	return "/" + namespace + "/" + hex.EncodeToString(author[:]), nil
}

// keyPeer is the inverse of peerKey.
func keyPeer(key string) (id peer.ID, ok bool) {
	text, ok := strings.CutPrefix(key, "/"+namespace+"/")
	if !ok || len(text) != 64 || strings.ToLower(text) != text {
		return "", false
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return "", false
	}
	return wire.PeerID([32]byte(raw)), true
}

// roomKey is what those who are in a log provide. spec: 09-dht §4
func roomKey(log [32]byte) cid.Cid {
	digest := sha256.Sum256(append([]byte("parley/rendezvous/1"), log[:]...))
	mh, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // only for a digest of the wrong length
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// ShortAddress is the 64-bit address of a node in a zone: the first half names
// the zone, the second the node. Nodes of one zone share the first 32 bits; two
// nodes of a zone of 1,000 have the same address once in 8,600 such zones.
// spec: 09-dht §5
func ShortAddress(zone string, id peer.ID) uint64 {
	z, n := sha256.Sum256([]byte(zone)), sha256.Sum256([]byte(id))
	return uint64(binary.BigEndian.Uint32(z[:]))<<32 | uint64(binary.BigEndian.Uint32(n[:]))
}
