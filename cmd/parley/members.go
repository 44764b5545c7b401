package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

type memberRow struct {
	PeerID string `json:"peer_id"`
	Nick   string `json:"nick"`
	Online bool   `json:"online"`
	Self   bool   `json:"self"`
}

func (a *app) membersCommand() *cobra.Command {
	return a.roomCommand("members", a.text.T("list the members of a room"), joinedRooms,
		func(ctx context.Context, c *client.Client, room string) error {
			res, err := c.ListMembers(ctx, &v1.ListMembersRequest{Room: room})
			if err != nil {
				return err
			}
			return a.printMembers(res.GetMembers())
		})
}

func (a *app) printMembers(members []*v1.Member) error {
	var rows [][]string
	for _, m := range members {
		row := memberRow{m.GetPeerId(), m.GetNick(), m.GetOnline(), m.GetSelf()}
		if a.json {
			if err := show.JSON(a.out, row); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{row.Nick, show.ShortID(row.PeerID), a.yesNo(row.Online), a.yesNo(row.Self)})
	}
	if a.json {
		return nil
	}
	t := a.text.T
	return show.Table(a.out, []string{t("NICK"), t("PEER"), t("ONLINE"), t("YOU")}, rows)
}
