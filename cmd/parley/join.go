package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// roomState is what join and leave print.
type roomState struct {
	Room   string `json:"room"`
	Joined bool   `json:"joined"`
}

func (a *app) joinCommand() *cobra.Command {
	return a.roomCommand("join", a.text.T("join a room; the node remembers it"), othersRooms,
		func(ctx context.Context, c *client.Client, room string) error {
			res, err := c.JoinRoom(ctx, &v1.JoinRoomRequest{Room: room})
			if err != nil {
				return err
			}
			return a.print(roomState{res.GetRoom(), true}, "joined %s", show.Clean(res.GetRoom()))
		})
}

func (a *app) leaveCommand() *cobra.Command {
	return a.roomCommand("leave", a.text.T("leave a room; its history stays readable"), joinedRooms,
		func(ctx context.Context, c *client.Client, room string) error {
			res, err := a.leave(ctx, c, room)
			if err != nil {
				return err
			}
			return a.print(roomState{res.GetRoom(), false}, "left %s", show.Clean(res.GetRoom()))
		})
}

func (a *app) leave(ctx context.Context, c *client.Client, room string) (*v1.LeaveRoomResponse, error) {
	res, err := c.LeaveRoom(ctx, &v1.LeaveRoomRequest{Room: room})
	return res, a.notIn(err, room, "the joined ones are listed by: %s", "rooms")
}
