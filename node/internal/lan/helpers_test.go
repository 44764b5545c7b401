package lan

import (
	"bytes"
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// testPeer returns the peer ID of a key made from a seed.
func testPeer(seed string) peer.ID {
	sum := sha256.Sum256([]byte(seed))
	_, pub, err := crypto.GenerateEd25519Key(bytes.NewReader(sum[:]))
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		panic(err)
	}
	return id
}

func listenOn(texts ...string) func() []ma.Multiaddr {
	return func() []ma.Multiaddr { return addrs(texts...) }
}
