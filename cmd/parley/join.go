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
	return a.command(&cobra.Command{
		Use:               "join ROOM",
		Short:             a.text.T("join a room; the node remembers it"),
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeRooms(othersRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inRoom(cmd, args[0], func(ctx context.Context, c *client.Client, room string) error {
				res, err := c.JoinRoom(ctx, &v1.JoinRoomRequest{Room: room})
				if err != nil {
					return err
				}
				return a.print(roomState{res.GetRoom(), true}, "joined %s", show.Clean(res.GetRoom()))
			})
		},
	})
}

func (a *app) leaveCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:               "leave ROOM",
		Short:             a.text.T("leave a room; its history stays readable"),
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeRooms(joinedRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inRoom(cmd, args[0], func(ctx context.Context, c *client.Client, room string) error {
				res, err := a.leave(ctx, c, room)
				if err != nil {
					return err
				}
				return a.print(roomState{res.GetRoom(), false}, "left %s", show.Clean(res.GetRoom()))
			})
		},
	})
}

func (a *app) leave(ctx context.Context, c *client.Client, room string) (*v1.LeaveRoomResponse, error) {
	res, err := c.LeaveRoom(ctx, &v1.LeaveRoomRequest{Room: room})
	return res, a.notIn(err, room, "the joined ones are listed by: %s", "rooms")
}
