package main

import (
	"context"
	"encoding/hex"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// revokedLine is a revocation.
type revokedLine struct {
	PeerID string `json:"peer_id"`
	ID     string `json:"id"`
}

func (a *app) revokeCommand() *cobra.Command {
	reason := ""
	c := a.command(&cobra.Command{
		Use:     "revoke PEER --reason TEXT",
		Short:   a.text.T("take a node out of the network for good; on a registrar"),
		Long:    a.text.T("take a node out of the network for good, on a directory where a registrar runs: every node closes its connections with it within seconds and admits it no more, and of what it wrote that alone counts which the registrar has now. It cannot be undone: who is to come back needs a new directory, with an identity of its own. The reason is told to all members and in the audit log."),
		Example: `  parley revoke alice --reason "laptop lost"`,
		Args:    a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" || len(reason) > 256 || !utf8.ValidString(reason) {
				return a.badValue("--reason", reason, a.text.T("say why, in 1 to 256 bytes"))
			}
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				res, err := c.RevokeNode(ctx, &v1.RevokeNodeRequest{PeerId: args[0], Reason: reason})
				if err != nil {
					return err
				}
				line := revokedLine{res.GetPeerId(), hex.EncodeToString(res.GetEventId())}
				return a.print(line, "%s is revoked", line.PeerID)
			})
		},
	})
	c.Flags().StringVar(&reason, "reason", "", a.text.T("why, `TEXT` of 1 to 256 bytes; everybody can read it"))
	return c
}
