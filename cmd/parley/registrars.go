package main

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// registrarLine is one of the network's registrars.
type registrarLine struct {
	PeerID string `json:"peer_id"`
}

func (a *app) registrarsCommand() *cobra.Command {
	c := a.groupCommand("registrars", a.text.T("say which nodes admit others to the network"), a.text.T("it needs a command: add, remove, end or list"))
	c.AddCommand(
		a.registrarsAddCommand(), a.registrarsRemoveCommand(), a.registrarsEndCommand(),
		a.registrarsListCommand(),
	)
	return c
}

func (a *app) registrarsAddCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "add PEER",
		Short: a.text.T("make a node a registrar of the network; needs the network's root key"),
		Args:  a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.wholePeer(args[0])
			if err != nil {
				return err
			}
			if _, err := node.AddRegistrar(a.dir, p); err != nil {
				return a.noRoot(err)
			}
			if err := a.print(registrarLine{p.String()}, "%s is a registrar now", p.String()); err != nil || a.json {
				return err
			}
			return a.afterAdding(p)
		},
	})
}

func (a *app) wholePeer(text string) (peer.ID, error) {
	p, err := peer.Decode(text)
	if err != nil {
		return "", a.badValue("PEER", text, a.text.T("it is a whole peer ID, as parley id prints it"))
	}
	return p, nil
}

// afterAdding says how the new registrar starts to work.
func (a *app) afterAdding(p peer.ID) error {
	if a.isSelf(p) {
		return a.note("run it with: %s", a.shell(" registrar"))
	}
	return a.note("it registers with a registrar that runs (parley register), which tells it, and is then started with parley registrar")
}

func (a *app) registrarsListCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "list",
		Short: a.text.T("list the registrars of the network"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			f, err := node.LoadNetwork(a.dir)
			if err != nil {
				return err
			}
			set, _ := f.Registrars()
			if len(set) == 0 && !a.json {
				return a.note("%s", a.noRegistrars(f))
			}
			for _, p := range set {
				if a.json {
					err = show.JSON(a.out, registrarLine{p.String()})
				} else {
					_, err = fmt.Fprintln(a.out, p)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	})
}
