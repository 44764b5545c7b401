package node

import (
	"bufio"
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	manet "github.com/multiformats/go-multiaddr/net"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/strict"
	"github.com/parley-chat/parley/internal/wire"
)

// The network protocol: an admitted peer opens a stream and gets one frame
// with what the other side knows of the network, its signed record, its zone,
// and some of its peers. So a joiner of a closed network learns the network's
// name, and who was told of one node finds the others.
//
//	1  bytes    the network record as the root signed it; absent if there is none
//	2  string   the zone; absent if there is none
//	3  message  an admitted peer, any number of times up to 32:
//	            1 bytes, its raw Ed25519 key; 2 bytes, an address, up to 8 times
//
// Unknown fields are ignored.
//
// spec: 01-network §5.3
const (
	aboutRecord = 1
	aboutZone   = 2
	aboutPeer   = 3

	maxAboutPeers = 32
	maxAboutAddrs = 8                                                                            // of one of them
	maxAboutAddr  = 128                                                                          // bytes
	maxAbout      = maxRecord + maxZone + 64 + maxAboutPeers*(48+maxAboutAddrs*(maxAboutAddr+4)) // bytes of the frame
	aboutTime     = 10 * time.Second
)

func aboutProtocol(tag string) protocol.ID { return protocol.ID("/parley/" + tag + "/network/1.0.0") }

// about is one answer.
type about struct {
	record   []byte
	zone     string
	peers    []peer.AddrInfo
	loopback bool // it is of a peer on this machine: only such may tell loopback addresses
}

func (a about) encode() []byte {
	var b []byte
	if len(a.record) > 0 {
		b = strict.AppendBytes(b, aboutRecord, a.record)
	}
	if a.zone != "" {
		b = strict.AppendBytes(b, aboutZone, []byte(a.zone))
	}
	for _, p := range a.peers {
		b = strict.AppendBytes(b, aboutPeer, encodeAboutPeer(p))
	}
	return b
}

var errAbout = errors.New("malformed answer about the network")

func decodeAbout(b []byte, loopback bool) (a about, err error) {
	a.loopback = loopback
	err = wire.Fields(b, func(num protowire.Number, _ uint64, v []byte) error {
		switch num {
		case aboutRecord:
			a.record = v
		case aboutZone:
			a.zone = string(v)
		case aboutPeer:
			return a.addPeer(v)
		}
		return nil
	})
	if err != nil || ValidateZone(a.zone) != nil {
		return about{}, errAbout
	}
	return a, nil
}

// serveAbout answers admitted peers.
func (n *Node) serveAbout() {
	n.Host().SetStreamHandler(aboutProtocol(n.Network().Tag), func(s network.Stream) {
		_ = s.SetDeadline(time.Now().Add(aboutTime))
		a := about{record: n.networkFile().Record, zone: n.cfg.Zone, peers: n.somePeers(s.Conn())}
		if err := wire.WriteFrame(s, a.encode()); err != nil {
			_ = s.Reset()
			return
		}
		_ = s.Close()
	})
}

// askAbout asks p and takes over what is news. Failures are p's matter: the
// next admitted peer is asked too.
func (n *Node) askAbout(p peer.ID) {
	ctx, cancel := context.WithTimeout(n.ctx, aboutTime)
	defer cancel()
	a, err := n.fetchAbout(ctx, p)
	if err != nil {
		n.log.Debug("peer does not tell about the network", "peer", p, "err", err)
		return
	}
	n.mates.update(p, func(m *mate) { m.zone = a.zone })
	n.dialer.near(p, n.inZone(a.zone))
	n.told(a.peers, p)
	if err := n.takeRecord(a.record); err != nil {
		n.log.Warn("a network record is not taken over", "peer", p, "err", err)
	}
}

func (n *Node) fetchAbout(ctx context.Context, p peer.ID) (about, error) {
	s, err := n.Host().NewStream(network.WithNoDial(ctx, "network record"), p, aboutProtocol(n.Network().Tag))
	if err != nil {
		return about{}, err
	}
	defer func() { _ = s.Reset() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := s.CloseWrite(); err != nil {
		return about{}, err
	}
	frame, err := wire.ReadFrame(bufio.NewReader(s), maxAbout)
	if err != nil {
		return about{}, err
	}
	return decodeAbout(frame, manet.IsIPLoopback(s.Conn().RemoteMultiaddr()))
}

// TakeRecord uses a network record that is newer than the one the node has, and
// keeps it. Errors: ErrNetworkRecord, ErrDir, ErrDirBusy.
func (n *Node) TakeRecord(signed []byte) error { return n.takeRecord(signed) }

// takeRecord verifies, saves and uses a record that is newer than ours.
func (n *Node) takeRecord(record []byte) error {
	if len(record) == 0 || !n.Network().Mode.hasRoot() {
		return nil
	}
	_, news, err := n.networkFile().withRecord(record)
	if err != nil || !news {
		return err
	}
	return n.changeNetwork(func(f *NetworkFile) (*NetworkFile, error) {
		g, news, err := f.withRecord(record)
		if err != nil || !news {
			return f, err
		}
		return g, g.save(n.cfg.Dir)
	})
}
