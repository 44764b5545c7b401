package node

import (
	"context"
	"math/rand/v2"
	"time"
)

// Admitter deals with the network's registrars: registrar/client has one.
type Admitter interface {
	// Renew asks one of the network's registrars for another ticket and hands it
	// to [Node.SetTicket].
	Renew(ctx context.Context, n *Node) error
	// Attend tells a registrar, while there are any, that the node is there, until ctx
	// ends, and then that it closes; the node waits for that. It is called once, while
	// the node starts.
	Attend(ctx context.Context, n *Node)
}

const (
	renewLook  = time.Minute      // between two looks whether it is time
	renewPause = 10 * time.Minute // after a failure; doubles, up to
	renewMost  = 6 * time.Hour
)

// keepTicket has the ticket renewed from a third of its life on, until the node
// closes. Nodes that registered together do not come together.
//
// spec: 11-registrars §4
func (n *Node) keepTicket() {
	look := time.NewTicker(renewLook + rand.N(renewLook/4))
	defer look.Stop()
	pause, next := renewPause, time.Now()
	for {
		select {
		case <-look.C:
		case <-n.ctx.Done():
			return
		}
		t, ok := n.Ticket()
		if !ok || n.Now().Before(t.Renew) || time.Now().Before(next) {
			continue
		}
		if err := n.cfg.Admitter.Renew(n.ctx, n); err != nil {
			n.log.Warn("the ticket is not renewed", "until", t.To, "err", err)
			next, pause = time.Now().Add(pause), min(2*pause, renewMost)
			continue
		}
		n.log.Info("the ticket is renewed")
		pause = renewPause
	}
}
