package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

type roomRow struct {
	Room    string `json:"room"`
	Members uint32 `json:"members"`
	Joined  bool   `json:"joined"`
}

func (a *app) roomsCommand() *cobra.Command {
	var all bool
	c := a.command(&cobra.Command{
		Use:   "rooms",
		Short: a.text.T("list the joined rooms"),
		Args:  a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				res, err := c.ListRooms(ctx, &v1.ListRoomsRequest{All: all})
				if err != nil {
					return err
				}
				return a.printRooms(res.GetRooms())
			})
		},
	})
	c.Flags().BoolVar(&all, "all", false, a.text.T("also rooms that others are in"))
	return c
}

func (a *app) printRooms(rooms []*v1.Room) error {
	var rows [][]string
	for _, r := range rooms {
		row := roomRow{r.GetRoom(), r.GetMembers(), r.GetJoined()}
		if a.json {
			if err := show.JSON(a.out, row); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{row.Room, strconv.Itoa(int(row.Members)), a.yesNo(row.Joined)})
	}
	switch t := a.text.T; {
	case a.json:
		return nil
	case len(rows) == 0:
		return a.note("no rooms; join one with: %s", a.typed("join lobby"))
	default:
		return show.Table(a.out, []string{t("ROOM"), t("MEMBERS"), t("JOINED")}, rows)
	}
}
