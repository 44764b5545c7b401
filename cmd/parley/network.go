package main

import (
	"encoding/hex"
	"errors"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
)

// network is what network new, show and rotate print; new and rotate add the
// invite.
type network struct {
	Network   string `json:"network"`
	NetworkID string `json:"network_id"`
	Mode      string `json:"mode"`
	Epoch     uint64 `json:"epoch,string"`
	Root      bool   `json:"root"`
	Dir       string `json:"dir"`
	OldUntil  string `json:"old_until,omitempty"` // RFC 3339: old secrets are accepted until then
	Invite    string `json:"invite,omitempty"`

	Registrars  []string `json:"registrars,omitempty"`   // in certified networks
	TicketUntil string   `json:"ticket_until,omitempty"` // RFC 3339
}

func (a *app) networkCommand() *cobra.Command {
	c := a.groupCommand("network", a.text.T("make, show or change the network of the data directory"), a.text.T("it needs a command: new, show, rotate or certify"))
	c.AddCommand(a.networkNewCommand(), a.networkShowCommand(), a.networkRotateCommand(), a.networkCertifyCommand())
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
			mode := node.ModeSecret
			if certified {
				mode = node.ModeCertified
			}
			f, err := node.CreateNetwork(a.dir, args[0], mode)
			if err != nil {
				return err
			}
			out := a.networkOf(f)
			out.Invite = f.Invite(nil).String()
			if !a.json {
				if err := a.noteMade(mode, out.Network); err != nil {
					return err
				}
			}
			return a.print(out, "%s", out.Invite)
		},
	})
	c.Flags().BoolVar(&certified, "certified", false, a.text.T("members are admitted by registrars, with certificates or one-time codes"))
	return c
}

// noteMade says what the invite that follows is good for.
func (a *app) noteMade(mode node.Mode, name string) error {
	if mode != node.ModeCertified {
		return a.note("made the closed network %s in %s; whoever has this invite can join it:", name, a.dir)
	}
	id, err := node.OpenIdentity(a.dir)
	if err != nil {
		return err
	}
	return errors.Join(
		a.note("made the certified network %s in %s. Its registrars admit members; to make this directory's node one and run it:", name, a.dir),
		a.note("%s", "    "+a.shell(" registrars add "+id.ID().String())),
		a.note("%s", "    "+a.shell(" registrar")),
		a.note("This invite names the network and admits nobody. Hand out the one that %s prints then, which also names the registrar:", a.shell(" invite")),
	)
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
			rows := [][2]string{
				{a.text.T("network"), a.networkName(out.Network)},
				{a.text.T("kind"), a.modeName(out.Mode)},
				{a.text.T("network ID"), out.NetworkID},
				{a.text.T("root key"), a.yesNo(out.Root)},
				{a.text.T("directory"), out.Dir},
			}
			if until := a.overlapEnd(f); until != "" {
				rows = append(rows, [2]string{a.text.T("old secrets"), a.text.T("accepted until %s", until)})
			}
			return a.pairs(append(rows, a.standingRows(standingOf(a.dir))...))
		},
	})
}

func (a *app) networkOf(f *node.NetworkFile) network {
	s := standingOf(a.dir)
	return network{
		Network: f.Name, NetworkID: hex.EncodeToString(f.ID[:]), Mode: f.Mode.String(),
		Epoch: f.Epoch().Number, Root: f.Mode != node.ModeOpen && node.HasRootKey(a.dir, f.ID), Dir: a.dir,
		OldUntil: a.overlapEndJSON(f), Registrars: s.registrars(), TicketUntil: s.until(),
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
	case node.ModeCertified.String():
		return a.text.T("certified: whom a registrar has admitted is in it")
	case node.ModeAdHoc.String():
		return a.text.T("closed: whoever has its name and secret file is in it")
	default:
		return mode
	}
}
