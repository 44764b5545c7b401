package node

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/node/internal/admission"
)

func (n *Node) admissionConfig() admission.Config {
	network := n.networkFile().Network
	return admission.Config{
		Tag: network.Tag, Network: network.ID, Now: n.cfg.Now,
		Secrets: func() []hello.Secret { return n.networkFile().helloSecrets() },
		// A classroom behind one address starts at once, a flood does not go on.
		Rate:       addressRate(20, 600),
		Logger:     n.log,
		OnAdmitted: n.admitted,
		OnRefused:  func(p peer.ID, _ string) { n.dialer.refused(p) },
		OnResult:   n.metrics.hello,
	}
}

// admitted notes what a handshake told of an admitted peer.
func (n *Node) admitted(p peer.ID, a hello.Admitted) {
	n.noteSkew(p, a.Skew)
	if !n.gate.Admitted(p) { // gone meanwhile, and nobody may come to forget it
		n.skew.remove(p)
		n.door.Gone(p)
	}
}
