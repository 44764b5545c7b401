package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

func (a *app) tailCommand() *cobra.Command {
	req := &v1.WatchRequest{}
	var after string
	c := a.command(&cobra.Command{
		Use:   "tail ROOM|@PEER",
		Short: a.text.T("print the messages of a room or direct chat as they arrive"),
		Long:  a.text.T("print the messages of a room or direct chat as they arrive, until interrupted, and tell the peer of a direct chat that they were read; with --json each has a cursor, after which a later tail can go on without a gap"),
		Example: `  parley tail lobby --history 10
  parley tail @ada
  parley tail lobby --json --after 2407`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeChats,
		RunE: func(cmd *cobra.Command, args []string) error {
			if after != "" {
				cursor, err := strconv.ParseUint(after, 10, 64)
				if err != nil {
					return a.badValue("--after", after, a.text.T("it is not a cursor"))
				}
				req.After = &cursor
			}
			if after != "" && req.GetHistory() > 0 {
				return a.usage(cmd.CommandPath(), "--after and --history exclude each other")
			}
			return a.inTarget(cmd, args[0], func(ctx context.Context, c *client.Client, to target) error {
				req.Room, req.Direct = to.room, to.direct
				return a.tail(ctx, c, req)
			})
		},
	})
	c.Flags().Uint32Var(&req.History, "history", 0, a.text.T("first the newest `N` messages"))
	c.Flags().StringVar(&after, "after", "", a.text.T("begin after this `CURSOR` of an earlier tail"))
	return c
}

// tail prints messages until it is interrupted, which is its normal end.
func (a *app) tail(ctx context.Context, c *client.Client, req *v1.WatchRequest) error {
	stream, err := c.Watch(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	print := a.tailPrinter(ctx, c, req.GetRoom())
	shown := newReader(ctx, c)
	defer shown.close()
	for stream.Receive() {
		m := stream.Msg().GetMessage()
		if m == nil {
			continue
		}
		if err := print(a.out, m); err != nil {
			return err
		}
		shown.message(m)
	}
	if ctx.Err() != nil {
		return nil
	}
	return stream.Err()
}

func (a *app) tailPrinter(ctx context.Context, c *client.Client, room string) messagePrinter {
	if !a.json {
		return a.printerForPeople(ctx, c, room)
	}
	return func(w io.Writer, m *v1.Message) error {
		row := show.MessageOf(m)
		row.Cursor = strconv.FormatUint(m.GetCursor(), 10)
		return show.JSON(w, row)
	}
}
