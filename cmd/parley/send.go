package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// sent is what send prints for each message.
type sent struct {
	ID string `json:"id"`
}

func (a *app) sendCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "send ROOM TEXT",
		Short: a.text.T("send a message, or each line of standard input with -"),
		Example: `  parley send lobby "hello, everybody"
  journalctl -f | parley send logs -`,
		Args:              a.args(2, -1),
		ValidArgsFunction: a.completeRooms(joinedRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			room, err := a.room(args[0])
			if err != nil {
				return err
			}
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				if len(args) == 2 && args[1] == "-" {
					return a.sendLines(ctx, c, room)
				}
				res, err := c.SendMessage(ctx, &v1.SendMessageRequest{Room: room, Text: strings.Join(args[1:], " ")})
				if err != nil {
					return err
				}
				return a.print(sent{res.GetId()}, "%s", show.Clean(res.GetId()))
			})
		},
	})
}
