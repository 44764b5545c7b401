package node

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/internal/admission"
)

func (n *Node) admissionConfig() admission.Config {
	network := n.networkFile().Network
	return admission.Config{
		Tag: network.Tag, Network: network.ID, Now: n.cfg.Now,
		Secrets: n.freshSecrets,
		Ticket:  func() []byte { t, _ := n.Ticket(); return t.Signed },
		Sign:    n.Sign, CheckTicket: n.checkTicket,
		Revoked: n.Revoked, Newest: n.newestRevoked,
		Role: n.role,
		// A classroom behind one address starts at once, a flood does not go on.
		Rate:       addressRate(20, 600),
		Logger:     n.log,
		OnProven:   n.proved,
		OnAdmitted: n.admitted,
		OnRefused:  n.refused,
		OnGone:     n.dialer.dropped,
		OnResult:   n.metrics.hello,
	}
}

// role is what the node says it does: that of a registrar if the root made it one.
func (n *Node) role() hello.Role {
	key, err := wire.Author(n.ID())
	if err == nil && n.networkFile().isRegistrar(key) {
		return hello.RoleRegistrar
	}
	return hello.RoleNode
}

// proved notes what a peer proved that is about to be admitted.
func (n *Node) proved(p peer.ID, a hello.Admitted) (forget func()) {
	n.noteProof(p, a)
	return func() {
		if !n.gate.Admitted(p) { // by another handshake
			n.proven.remove(p)
		}
	}
}

// admitted notes what a handshake told of an admitted peer.
func (n *Node) admitted(p peer.ID, a hello.Admitted) {
	n.noteSkew(p, a.Skew)
	if !n.gate.Admitted(p) { // gone meanwhile, and nobody may come to forget it
		n.skew.remove(p)
		n.proven.remove(p)
		n.door.Gone(p)
	}
}
