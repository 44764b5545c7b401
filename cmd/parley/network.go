package main

import (
	"encoding/hex"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// network is what network new and show print; new adds the invite.
type network struct {
	Network   string `json:"network"`
	NetworkID string `json:"network_id"`
	Mode      string `json:"mode"`
	Epoch     uint64 `json:"epoch,string"`
	Root      bool   `json:"root"`
	Dir       string `json:"dir"`
	Invite    string `json:"invite,omitempty"`
}

func (a *app) networkCommand() *cobra.Command {
	c := a.groupCommand("network", a.text.T("make or show the network of the data directory"), a.text.T("it needs a command: new, show or rotate"))
	c.AddCommand(a.networkNewCommand(), a.networkShowCommand(), a.networkRotateCommand())
	return c
}

func (a *app) networkNewCommand() *cobra.Command {
	var certified bool
	c := a.command(&cobra.Command{
		Use:   "new NAME",
		Short: a.text.T("make a closed network and print the invite to it"),
		Example: `  parley network new family --dir ~/parley-family
  parley --dir ~/parley-family`,
		Args: a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if certified {
				return a.said(errNotYet, a.text.T("certified networks are not available yet"),
					a.text.T("leave out --certified: the network is then closed by a secret"))
			}
			f, err := node.CreateNetwork(a.dir, args[0])
			if err != nil {
				return err
			}
			out := a.networkOf(f)
			out.Invite = f.Invite(nil).String()
			if !a.json {
				if err := a.note("made the closed network %s in %s; whoever has this invite can join it:", out.Network, a.dir); err != nil {
					return err
				}
			}
			return a.print(out, "%s", out.Invite)
		},
	})
	c.Flags().BoolVar(&certified, "certified", false, a.text.T("members are admitted by a registrar (not available yet)"))
	return c
}

func (a *app) networkShowCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "show",
		Short: a.text.T("show the network of the data directory"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			f, err := node.LoadNetwork(a.dir)
			if err != nil {
				return err
			}
			out := a.networkOf(f)
			if a.json {
				return show.JSON(a.out, out)
			}
			return a.pairs([][2]string{
				{a.text.T("network"), a.networkName(out.Network)},
				{a.text.T("kind"), a.modeName(out.Mode)},
				{a.text.T("network ID"), out.NetworkID},
				{a.text.T("root key"), a.yesNo(out.Root)},
				{a.text.T("directory"), out.Dir},
			})
		},
	})
}

func (a *app) networkRotateCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "rotate",
		Short: a.text.T("replace the secret of a closed network (not available yet)"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			return a.said(errNotYet, a.text.T("replacing a network's secret is not available yet"),
				a.text.T("make another network, and hand its invite to those who stay: %s", a.program()+" network new NAME --dir DIR"))
		},
	})
}

func (a *app) networkOf(f *node.NetworkFile) network {
	return network{
		Network: f.Name, NetworkID: hex.EncodeToString(f.ID[:]), Mode: f.Mode.String(),
		Epoch: f.Epoch().Number, Root: f.Mode != node.ModeOpen && node.HasRootKey(a.dir, f.ID), Dir: a.dir,
	}
}

// networkName tells a network that has no name yet from one with an empty one.
func (a *app) networkName(name string) string {
	if name == "" {
		return a.text.T("(told by the first peer)")
	}
	return name
}

// modeName says what a mode means.
func (a *app) modeName(mode string) string {
	switch mode {
	case node.ModeOpen.String():
		return a.text.T("open: anyone on the LAN who uses its name is in it")
	case node.ModeSecret.String():
		return a.text.T("closed: whoever has the invite is in it")
	case node.ModeAdHoc.String():
		return a.text.T("closed: whoever has its name and secret file is in it")
	default:
		return mode
	}
}
