package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/node"
)

func (a *app) networkCertifyCommand() *cobra.Command {
	var finish bool
	c := a.command(&cobra.Command{
		Use:   "certify",
		Short: a.text.T("make a closed network certified: registrars admit to it"),
		Long:  a.text.T("make a closed network certified, in the directory where the network was made: its registrars, which are added before, admit members with tickets. Rooms, history and identities stay. Its secret admits beside tickets, so that everybody has time to register, until --finish ends that. A node that runs on the directory takes the change over within seconds."),
		Example: `  parley registrars add PEER
  parley network certify
  parley network certify --finish      # when all have registered`,
		Args: a.args(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.certify(finish) },
	})
	c.Flags().BoolVar(&finish, "finish", false, a.text.T("accept the secret no more: who has no ticket is out"))
	return c
}

func (a *app) certify(finish bool) error {
	f, err := node.Certify(a.dir, finish)
	if err != nil {
		return a.noRoot(err)
	}
	out := a.networkOf(f)
	if !f.SecretAdmits() {
		return a.print(out, "the network %s is certified; tickets alone are accepted", out.Network)
	}
	if err := a.print(out, "the network %s is certified; its secret is accepted beside tickets", out.Network); err != nil || a.json {
		return err
	}
	return a.note("have everybody register (parley register --help), then end the secret: %s", a.shell(" network certify --finish"))
}

// noRoot says in the words of registrars that a network has no root.
func (a *app) noRoot(err error) error {
	if !errors.Is(err, node.ErrNoSecret) {
		return err
	}
	return a.said(node.ErrNoSecret, a.text.T("this network has no root that could name registrars"),
		a.text.T("make a certified one with: %s", a.program()+" network new NAME --certified --dir DIR"))
}
