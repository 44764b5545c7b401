package client

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// Beat is what a registrar answers to a heartbeat.
type Beat struct {
	// TicketWanted: it does not know the node and has noted nothing; the ticket is to
	// be shown.
	TicketWanted bool
	Interval     time.Duration // to wait before the next one; 0: it did not say
	// Overloaded: another registrar should be asked from now on, if there is one.
	Overloaded bool
}

// Heartbeat tells the registrar that a node is there. signed is a heartbeat as
// [heartbeat.Heartbeat.Encode] returns it; ticket is that of its author and may be nil
// where the registrar knows it. Errors: those of this package, and what the registrar
// answers.
func (c *Client) Heartbeat(ctx context.Context, signed, ticket []byte) (Beat, error) {
	res, err := c.rpc.Heartbeat(ctx, &v1.HeartbeatRequest{Heartbeat: signed, Ticket: ticket})
	if err != nil {
		return Beat{}, failure(err)
	}
	return Beat{
		TicketWanted: res.GetTicketWanted(), Overloaded: res.GetOverloaded(),
		Interval: time.Duration(res.GetIntervalMs()) * time.Millisecond,
	}, nil
}

// Shared is a heartbeat that one registrar passes on to another, with its author's
// ticket where that was wanted.
type Shared struct{ Heartbeat, Ticket []byte }

// Share passes heartbeats on from one registrar to another. It returns of whom
// tickets are wanted. Errors: as Heartbeat.
func (c *Client) Share(ctx context.Context, beats []Shared) (wanted []peer.ID, err error) {
	req := &v1.ShareHeartbeatsRequest{}
	for _, b := range beats {
		req.Heartbeats = append(req.Heartbeats, &v1.HeartbeatRequest{Heartbeat: b.Heartbeat, Ticket: b.Ticket})
	}
	res, err := c.rpc.ShareHeartbeats(ctx, req)
	if err != nil {
		return nil, failure(err)
	}
	for _, text := range res.GetTicketsWanted() {
		if p, err := peer.Decode(text); err == nil {
			wanted = append(wanted, p)
		}
	}
	return wanted, nil
}
