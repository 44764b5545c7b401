package main

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/dht"
	"github.com/parley-chat/parley/node"
)

type identity struct {
	PeerID string `json:"peer_id"`
	Short  string `json:"short_address"`
	Dir    string `json:"dir"`
}

// shortAddress is a node's address in its zone, in hex.
func shortAddress(zone string, id peer.ID) string {
	return fmt.Sprintf("%016x", dht.ShortAddress(zone, id))
}

func (a *app) idCommand() *cobra.Command {
	var zone string
	c := a.command(&cobra.Command{
		Use:   "id",
		Short: a.text.T("print the peer ID of the data directory, making one if there is none"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if err := a.checkZone(zone); err != nil {
				return err
			}
			id, err := node.OpenIdentity(a.dir)
			if err != nil {
				return err
			}
			return a.print(identity{id.ID().String(), shortAddress(zone, id.ID()), a.dir}, "%s", id.ID().String())
		},
	})
	a.zoneFlag(c, &zone)
	return c
}
