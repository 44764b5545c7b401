package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// saveEvery is how often remembered peers are written while they change, and
// one is asked for servers of the table while too few are known.
const saveEvery = 30 * time.Second

// follow starts the goroutine that keeps the node's own books of admitted
// peers: it remembers where they are, asks them about the network, and tells
// the dialer who is gone.
func (n *Node) follow() error {
	sub, err := n.Host().EventBus().Subscribe([]any{
		new(event.EvtPeerConnectednessChanged), new(event.EvtPeerIdentificationCompleted),
	}, eventbus.BufSize(256), eventbus.Name("parley/node"))
	if err != nil {
		return ErrHost.With(err)
	}
	n.wg.Go(func() { n.keepBooks(sub) })
	if n.cfg.Admitter != nil {
		n.wg.Go(n.keepTicket)
		n.wg.Go(func() { n.cfg.Admitter.Attend(n.ctx, n) })
	}
	n.wg.Go(n.keepNetwork)
	return nil
}

func (n *Node) keepBooks(sub event.Subscription) {
	defer sub.Close()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case ev := <-sub.Out():
			switch ev := ev.(type) {
			case event.EvtPeerConnectednessChanged:
				if ev.Connectedness == network.NotConnected {
					n.gone(ev.Peer)
				} else {
					n.mates.begin(ev.Peer)
				}
			case event.EvtPeerIdentificationCompleted:
				n.met(ev)
			}
		case <-save.C:
			if err := n.book.flush(); err != nil {
				n.log.Warn("remembered peers cannot be saved", "err", err)
			}
			n.askAgain()
		case <-n.ctx.Done():
			return
		}
	}
}

// met notes where an admitted peer is and asks it about itself and the
// network, once an admission.
func (n *Node) met(ev event.EvtPeerIdentificationCompleted) {
	info := peer.AddrInfo{ID: ev.Peer, Addrs: usefulAddrs(ev.Conn, ev.ListenAddrs)}
	n.book.remember(info)
	n.dialer.add(info, fromMemory)
	first := false
	n.mates.update(ev.Peer, func(m *mate) { first, m.asked, m.addrs = !m.asked, true, info.Addrs })
	if first {
		n.wg.Go(func() { n.askAbout(ev.Peer) })
	}
}

// gone forgets what was known of a peer while it was admitted.
func (n *Node) gone(p peer.ID) {
	if n.gate.Admitted(p) {
		return // and back already
	}
	n.door.Gone(p)
	n.skew.remove(p)
	n.proven.remove(p)
	n.mates.remove(p)
	n.dialer.lost(p)
}
