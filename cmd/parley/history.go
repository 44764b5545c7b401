package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

const defaultLimit = 50

func (a *app) historyCommand() *cobra.Command {
	req := &v1.HistoryRequest{}
	var canonical bool
	c := a.command(&cobra.Command{
		Use:   "history ROOM|@PEER",
		Short: a.text.T("print the messages of a room or direct chat"),
		Long:  a.text.T("print the newest messages of a room or direct chat, oldest first; the order and, with --canonical, the bytes are the same on every node in sync"),
		Example: `  parley history lobby
  parley history lobby --limit 0 --json | jq -r .text
  parley history @ada
  parley history lobby --before 0568001714cd…`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeChats,
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, id := range map[string]string{"--before": req.GetBefore(), "--after": req.GetAfter()} {
				if _, err := chat.ParseID(id); id != "" && err != nil {
					return a.badValue(name, id, a.text.T("it is not a message id"))
				}
			}
			return a.inTarget(cmd, args[0], func(ctx context.Context, c *client.Client, to target) error {
				req.Room, req.Direct = to.room, to.direct
				return a.history(ctx, c, req, a.historyPrinter(ctx, c, to.room, canonical))
			})
		},
	})
	flags := c.Flags()
	flags.StringVar(&req.Before, "before", "", a.text.T("only what sorts before the message `ID`"))
	flags.StringVar(&req.After, "after", "", a.text.T("only what sorts after the message `ID`: the first --limit of it"))
	flags.Uint32Var(&req.Limit, "limit", defaultLimit, a.text.T("at most `N` messages; 0 is all"))
	flags.BoolVar(&req.All, "all", false, a.text.T("every kind of event, not messages alone"))
	flags.BoolVar(&canonical, "canonical", false, a.text.T("JSON that is the same on every node in sync"))
	return c
}

// messagePrinter writes one message.
type messagePrinter func(w io.Writer, m *v1.Message) error

// history prints what the node answers.
func (a *app) history(ctx context.Context, c *client.Client, req *v1.HistoryRequest, print messagePrinter) error {
	stream, err := c.History(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	out := bufio.NewWriter(a.out)
	for stream.Receive() {
		if err := print(out, stream.Msg().GetMessage()); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return stream.Err()
}

func (a *app) historyPrinter(ctx context.Context, c *client.Client, room string, canonical bool) messagePrinter {
	switch {
	case canonical:
		return func(w io.Writer, m *v1.Message) error { return show.JSON(w, show.CanonicalOf(m)) }
	case a.json:
		return func(w io.Writer, m *v1.Message) error { return show.JSON(w, show.MessageOf(m)) }
	default:
		return a.printerForPeople(ctx, c, room)
	}
}

// printerForPeople writes a message as a line with the local time, and tells
// namesakes among the room's members apart; without a room, those it met.
func (a *app) printerForPeople(ctx context.Context, c *client.Client, room string) messagePrinter {
	known := names{}
	if room != "" {
		res, _ := c.ListMembers(ctx, &v1.ListMembersRequest{Room: room}) // without it, names alone are shown
		for _, m := range res.GetMembers() {
			known.seen(m.GetPeerId(), m.GetNick())
		}
	}
	return func(w io.Writer, m *v1.Message) error {
		_, err := fmt.Fprintf(w, "%s  %s\n", show.WhenOf(m, time.Now()), a.line(m, known.of(m.GetAuthor(), m.GetNick())))
		return err
	}
}

// line is a message in words: who, and what was said or done.
func (a *app) line(m *v1.Message, nick string) string {
	mark := ""
	if m.GetFork() {
		mark = " " + a.text.T("(one of two with the same number: a restored backup)")
	}
	switch {
	case m.GetKind() == chat.KindProfile:
		return a.text.T("* %s is here", nick) + mark
	case m.GetKind() == chat.KindLeave:
		return a.text.T("* %s left", nick) + mark
	case m.GetErased():
		return nick + ": " + a.text.T("(erased)") + mark
	case m.GetKind() != chat.KindMessage:
		return nick + ": " + a.text.T("(needs a newer Parley)") + mark
	case m.GetType() == "": // every content that can be read has a type
		return nick + ": " + a.text.T("(unreadable)") + mark
	default:
		return nick + ": " + show.Text(m.GetText()) + mark
	}
}
