package bench

import (
	"context"
	"iter"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/node"
)

// party is what a workload measures: one member of a room, or a hub or a crowd.
type party interface {
	// addr is where it listens.
	addr() peer.AddrInfo
	// meet connects it with others.
	meet(ctx context.Context, others []peer.AddrInfo)
	// others counts who else is in the room, as this one knows; a crowd counts
	// those of its own that are in theirs.
	others() int
	// send sends texts with many under way and yields what became of each.
	send(ctx context.Context, texts iter.Seq[string]) iter.Seq[error]
	// listen calls heard for each text that comes, until ctx ends.
	listen(ctx context.Context, heard func(text string))
	// repaired counts the messages that did not come by gossip.
	repaired() (int, error)
	// traffic counts the bytes on streams, both ways.
	traffic() int64
	close() error
}

// Opening says which party a member is to be.
type Opening struct {
	Dir       string // a directory of its own
	Self      int    // its number; the first are the senders
	Nodes     int
	Senders   int
	Transport string // tcp or quic
	Loss      float64
	Baseline  bool
	Star      *Star // nil: all are in one room and connected with each other
}

// listenAddr is where a party listens: on loopback unless an address is given,
// whatever port is free.
func (o *Opening) listenAddr() string {
	at := "/ip4/127.0.0.1"
	if o.Star != nil && o.Star.Address.IsValid() {
		at = "/ip4/" + o.Star.Address.String()
		if o.Star.Address.Is6() {
			at = "/ip6/" + o.Star.Address.String()
		}
	}
	if o.Transport == QUIC {
		return at + "/udp/0/quic-v1"
	}
	return at + "/tcp/0"
}

// network is the one all are in.
func (o *Opening) network() node.NetworkConfig {
	cfg := node.NetworkConfig{Name: "bench"}
	if o.Star != nil {
		cfg.Secret = &o.Star.Secret
	}
	return cfg
}

// rooms are the names of the rooms that a node is in, a leaf's left out.
func (o *Opening) rooms() []string {
	if o.Star == nil {
		return []string{roomName}
	}
	var names []string
	for i := range o.Star.Rooms {
		names = append(names, starRoom(i))
	}
	return names
}

// awaited is what of what each sender has sent a member is to hear.
func (o *Opening) awaited(sent []int) []int {
	if o.Star == nil {
		return sent
	}
	return o.Star.awaited(o.Self, sent)
}

// phase is how much of the time between two messages passes before the first:
// people do not all speak at one moment, ever after.
func (o *Opening) phase() float64 {
	if o.Star == nil {
		return float64(o.Self) / float64(o.Senders)
	}
	return float64(o.Self-1) / float64(o.Star.crowds())
}

// voices are the senders that a member is.
func (o *Opening) voices() voices {
	if o.Star == nil {
		return voices{o.Self, 1}
	}
	return o.Star.voices(o.Self)
}

// The transports there are to choose from.
const (
	TCP  = "tcp"
	QUIC = "quic"
)

func openParty(ctx context.Context, o Opening) (party, error) {
	switch {
	case o.Baseline:
		return openPlain(ctx, o)
	case o.Star == nil:
		return openOurs(ctx, o)
	case o.Self == 0:
		return openHub(ctx, o)
	default:
		return openCrowd(ctx, o)
	}
}
