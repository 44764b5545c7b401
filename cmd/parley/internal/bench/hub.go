package bench

import (
	"context"
	"strconv"

	"github.com/parley-chat/parley/internal/wire"
)

// hub is a node that is in all rooms of a star, and stores what is said there.
type hub struct{ *ours }

func openHub(ctx context.Context, o Opening) (party, error) {
	p, err := openOurs(ctx, o)
	if err != nil {
		return nil, err
	}
	return hub{p}, nil
}

// others counts who takes part in the gossip of a room: leaves tell nothing of
// their presence.
func (h hub) others() (n int) {
	for _, r := range h.rooms {
		n += len(h.node.PubSub().ListPeers(wire.LogTopic(h.node.Network().Tag, r.Log())))
	}
	return n
}

// starRoom is the name of a room of a star.
func starRoom(i int) string { return roomName + " " + strconv.Itoa(i) }
