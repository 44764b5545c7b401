package main

import (
	"context"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

type peerRow struct {
	PeerID    string   `json:"peer_id"`
	Nick      string   `json:"nick"`
	Addrs     []string `json:"addrs"`
	Transport string   `json:"transport"`
	RTT       float64  `json:"rtt_ms"`
	Zone      string   `json:"zone"`
	Short     string   `json:"short_address"`
}

func (a *app) peersCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "peers",
		Short: a.text.T("list the peers this node is connected with"),
		Args:  a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				res, err := c.ListPeers(ctx, &v1.ListPeersRequest{})
				if err != nil {
					return err
				}
				return a.printPeers(res.GetPeers())
			})
		},
	})
}

func (a *app) printPeers(peers []*v1.Peer) error {
	var rows [][]string
	for _, p := range peers {
		row := peerRow{p.GetPeerId(), p.GetNick(), orEmpty(p.GetAddrs()), p.GetTransport(), p.GetRttMs(), p.GetZone(), ""}
		if id, err := peer.Decode(row.PeerID); err == nil {
			row.Short = shortAddress(row.Zone, id)
		}
		if a.json {
			if err := show.JSON(a.out, row); err != nil {
				return err
			}
			continue
		}
		rtt := strconv.FormatFloat(row.RTT, 'f', 1, 64) + " ms"
		rows = append(rows, []string{row.Nick, show.ShortID(row.PeerID), row.Transport, rtt, row.Zone, inUse(row.Addrs)})
	}
	switch t := a.text.T; {
	case a.json:
		return nil
	case len(rows) == 0 && a.lack(standingOf(a.dir), time.Now()) != "":
		return a.note("no peers yet: %s", a.lack(standingOf(a.dir), time.Now()))
	case len(rows) == 0:
		return a.note("no peers yet; %s says why", a.typed("status"))
	default:
		return show.Table(a.out, []string{t("NICK"), t("PEER"), t("TRANSPORT"), t("RTT"), t("ZONE"), t("ADDRESS")}, rows)
	}
}
