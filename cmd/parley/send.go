package main

import (
	"context"
	"strings"
	"unicode/utf8"

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
	var key string
	c := a.command(&cobra.Command{
		Use:   "send ROOM|@PEER TEXT",
		Short: a.text.T("send a message, or each line of standard input with -"),
		Long:  a.text.T("send a message and print its ID as soon as it is safe on disk; whoever is away gets it later. With - each line of standard input is a message, and an ID is printed for each, in order."),
		Example: `  parley send lobby "hello, everybody"
  parley send @ada "for you alone"
  journalctl -f | parley send logs -`,
		Args:              a.args(2, -1),
		ValidArgsFunction: a.completeChats,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inTarget(cmd, args[0], func(ctx context.Context, c *client.Client, to target) error {
				if len(args) == 2 && args[1] == "-" {
					return a.sendLines(ctx, c, to, key)
				}
				text := strings.Join(args[1:], " ")
				if !utf8.ValidString(text) {
					return errNotText
				}
				res, err := c.SendMessage(ctx, &v1.SendMessageRequest{Room: to.room, Direct: to.direct, Text: text, IdempotencyKey: key})
				if err != nil {
					return err
				}
				return a.print(sent{res.GetId()}, "%s", show.Clean(res.GetId()))
			})
		},
	})
	c.Flags().StringVar(&key, "key", "", a.text.T("send nothing, and print the first one's ID, if `KEY` was used there within a week; with - line N has KEY/N"))
	return c
}
