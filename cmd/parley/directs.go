package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

type directRow struct {
	PeerID string `json:"peer_id"`
	Nick   string `json:"nick"`
	Online bool   `json:"online"`
	Unread uint32 `json:"unread"`
	Last   string `json:"last"` // empty: nothing is kept of it
	State  string `json:"state"`
}

func (a *app) directsCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "directs",
		Short: a.text.T("list the direct chats and how much of them is unread"),
		Long:  a.text.T("list the direct chats, the one with the newest message first: how many messages were not shown yet by the chat or by tail, and, where the newest message is yours, how far it came"),
		Args:  a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				res, err := c.ListDirects(ctx, &v1.ListDirectsRequest{})
				if err != nil {
					return err
				}
				return a.printDirects(res.GetDirects())
			})
		},
	})
}

func (a *app) printDirects(directs []*v1.DirectChat) error {
	var rows [][]string
	for _, d := range directs {
		row := directRow{d.GetPeerId(), d.GetNick(), d.GetOnline(), d.GetUnread(), "", d.GetState()}
		last := time.UnixMilli(d.GetLastMs())
		if a.json {
			if d.GetLastMs() != 0 {
				row.Last = show.Time(last)
			}
			if err := show.JSON(a.out, row); err != nil {
				return err
			}
			continue
		}
		if d.GetLastMs() != 0 {
			row.Last = show.When(last, time.Now())
		}
		rows = append(rows, []string{
			row.Nick, show.ShortID(row.PeerID), a.yesNo(row.Online), unread(d), row.Last, a.stateName(row.State),
		})
	}
	switch t := a.text.T; {
	case a.json:
		return nil
	case len(rows) == 0:
		return a.note("no direct chats yet; begin one with: %s", a.typed("send @PEER TEXT"))
	default:
		return show.Table(a.out, []string{t("NICK"), t("PEER"), t("ONLINE"), t("UNREAD"), t("LAST"), t("YOURS IS")}, rows)
	}
}

// mostCounted is up to where a node counts what is unread.
const mostCounted = 1000

func unread(d *v1.DirectChat) string {
	n := strconv.Itoa(int(d.GetUnread()))
	if d.GetUnread() >= mostCounted {
		n += "+"
	}
	return n
}

// stateName says how far an own direct message has come.
func (a *app) stateName(state string) string {
	switch state {
	case chat.StateQueued:
		return a.text.T("waiting")
	case chat.StateSent:
		return a.text.T("sent")
	case chat.StateDelivered:
		return a.text.T("delivered")
	case chat.StateRead:
		return a.text.T("read")
	default:
		return state
	}
}
