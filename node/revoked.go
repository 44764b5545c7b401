package node

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/wire"
)

// Revocations are the peers that are members no more, for good. chat derives
// them from the registry and hands them to the node.
type Revocations struct {
	Peers  map[[32]byte]struct{} // raw Ed25519 keys; not changed once it is handed over
	Newest [32]byte              // event of the newest revocation; zero: none
}

var errRevoked = errors.New("the peer was revoked")

// SetRevocations replaces who is revoked. Their connections are closed before it
// returns, and from then on they are neither admitted nor dialled.
//
// spec: 11-registrars §7.4
func (n *Node) SetRevocations(r Revocations) {
	n.revoked.Store(&r)
	n.dismiss()
}

// Revoked reports whether p is a member no more.
func (n *Node) Revoked(p peer.ID) bool {
	r := n.revoked.Load()
	if r == nil {
		return false
	}
	key, err := wire.Author(p)
	if err != nil {
		return false
	}
	_, revoked := r.Peers[key]
	return revoked
}

// NewestRevoked returns the newest revocation that an admitted peer said it has;
// zero: none, or it is not admitted.
func (n *Node) NewestRevoked(p peer.ID) [32]byte { return n.proven.get(p).newest }

func (n *Node) newestRevoked() [32]byte {
	if r := n.revoked.Load(); r != nil {
		return r.Newest
	}
	return [32]byte{}
}

func (n *Node) mayDial(p peer.ID) error {
	if n.Revoked(p) {
		return errRevoked
	}
	return n.door.MayDial(p)
}
