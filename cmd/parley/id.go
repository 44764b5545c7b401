package main

import (
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/node"
)

type identity struct {
	PeerID string `json:"peer_id"`
	Short  string `json:"short_address"`
	Dir    string `json:"dir"`
}

func (a *app) idCommand() *cobra.Command {
	var flag zoneSetting
	c := a.command(&cobra.Command{
		Use:   "id",
		Short: a.text.T("print the peer ID of the data directory, making one if there is none"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			zone, err := flag.in(a)
			if err != nil {
				return err
			}
			id, err := node.OpenIdentity(a.dir)
			if err != nil {
				return err
			}
			return a.print(identity{id.ID().String(), shortAddress(zone, id.ID()), a.dir}, "%s", id.ID().String())
		},
	})
	a.zoneFlag(c, &flag)
	return c
}
