package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func (a *app) eraseCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:     "erase ID",
		Short:   a.text.T("erase what a message says from this node's disk, for good; others keep their copies"),
		Long:    a.text.T("erase the content of a message from this node's disk, for good: it does not come back from others. That it was written, when and by whom stays, and so do the copies that others have."),
		Example: `  parley erase 0568001714cd…`,
		Args:    a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := chat.ParseID(args[0]); err != nil {
				return a.badValue("ID", args[0], a.text.T("it is not a message id"))
			}
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				if _, err := c.EraseMessage(ctx, &v1.EraseMessageRequest{Id: args[0]}); err != nil {
					return err
				}
				return a.print(sent{args[0]}, "erased here; copies that others have stay")
			})
		},
	})
}
