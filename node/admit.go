package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/node/internal/admission"
)

func (n *Node) admissionConfig() admission.Config {
	network := n.networkFile().Network
	return admission.Config{
		Tag: network.Tag, Network: network.ID,
		Secrets:    func() []hello.Secret { return n.networkFile().helloSecrets() },
		Rate:       helloRate(),
		Logger:     n.log,
		OnAdmitted: n.admitted,
		OnRefused:  func(p peer.ID, _ string) { n.dialer.refused(p) },
		OnResult:   n.metrics.hello,
	}
}

// helloRate limits strangers' handshakes by address: a classroom behind one
// address starts at once, a flood does not go on.
func helloRate() *rate.Limiter {
	limit := rate.Limit{RPS: 20, Burst: 600}
	return &rate.Limiter{
		NetworkPrefixLimits: loopbackUnlimited(),
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 128, Limit: limit}},
			GracePeriod:      time.Minute,
		},
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
