package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/node"
)

// registryEnd is the last that a registrar wrote into the registry; seq 0: nothing.
type registryEnd struct {
	seq uint64
	id  [32]byte
}

// String is what --end takes.
func (e registryEnd) String() string { return fmt.Sprintf("%d:%x", e.seq, e.id) }

func parseRegistryEnd(text string) (e registryEnd, ok bool) {
	if text == "0" {
		return e, true
	}
	seq, id, _ := strings.Cut(text, ":")
	var err error
	if e.seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return e, false
	}
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(e.id) {
		return e, false
	}
	e.id = [32]byte(raw)
	return e, true
}

func (a *app) registrarsRemoveCommand() *cobra.Command {
	end := ""
	c := a.command(&cobra.Command{
		Use:   "remove PEER",
		Short: a.text.T("make a node a registrar no more: tickets that it signed count no longer"),
		Long:  a.text.T("make a node a registrar no more: tickets that it signed count no longer. What it wrote into the registry until now, such as revocations, goes on counting, and nothing later: the node that runs on this directory says how far that is, or --end does."),
		Example: `  parley registrars remove PEER
  parley registrars remove PEER --end 0    # it was stolen: nothing that it wrote counts`,
		Args: a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.wholePeer(args[0])
			if err != nil {
				return err
			}
			last, err := a.endToName(cmd, p, end)
			if err != nil {
				return err
			}
			if _, err := node.RemoveRegistrar(a.dir, p, last.seq, last.id); err != nil {
				return a.noRoot(err)
			}
			if err := a.print(registrarLine{p.String()}, "%s is not a registrar any more", p.String()); err != nil || a.json {
				return err
			}
			return a.note("whom it admitted is out until registered with another registrar, with a certificate or a new code")
		},
	})
	c.Flags().StringVar(&end, "end", "", a.text.T("what it wrote counts up to `SEQ:ID`, as parley registrars end prints it; 0: nothing does"))
	return c
}

// endToName is where the registrar's words end: as given, else as the running
// node has it.
func (a *app) endToName(cmd *cobra.Command, p peer.ID, given string) (e registryEnd, err error) {
	if given != "" {
		e, ok := parseRegistryEnd(given)
		if !ok {
			return e, a.badValue("--end", given, a.text.T("it is 0, or as parley registrars end prints it"))
		}
		return e, nil
	}
	f, err := node.LoadNetwork(a.dir)
	if err != nil || !node.HasRootKey(a.dir, f.ID) {
		return e, nil // the removal fails, and says why
	}
	err = a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
		e, err = fetchEnd(ctx, c, p)
		return err
	})
	if errors.Is(err, api.ErrNoNode) {
		return e, a.said(errNoEnd, a.text.T("no node runs on this directory that could say what the registrar has written"),
			a.text.T("start one (%s), or name the end with --end, as any node of the network tells it: parley registrars end %s", a.shell(" run"), p.String()))
	}
	if err == nil && e.seq == 0 { // else all its revocations would end by mistake
		return e, a.said(errNoEnd, a.text.T("the node that runs on this directory has nothing that the registrar has written"),
			a.text.T("wait until it has met the others, or, if that registrar has never run, repeat it with --end 0"))
	}
	return e, err
}

func fetchEnd(ctx context.Context, c *client.Client, p peer.ID) (e registryEnd, err error) {
	res, err := c.RegistryEnd(ctx, &v1.RegistryEndRequest{Registrar: p.String()})
	if err != nil {
		return e, err
	}
	e.seq = res.GetSeq()
	copy(e.id[:], res.GetEventId())
	return e, nil
}

// endLine is what registrars end prints.
type endLine struct {
	PeerID string `json:"peer_id"`
	End    string `json:"end"`
}

func (a *app) registrarsEndCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "end PEER",
		Short: a.text.T("print up to where a registrar has written into the registry, for registrars remove --end"),
		Args:  a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.wholePeer(args[0])
			if err != nil {
				return err
			}
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				e, err := fetchEnd(ctx, c, p)
				if err != nil {
					return err
				}
				return a.print(endLine{p.String(), e.String()}, "%s", e.String())
			})
		},
	})
}
