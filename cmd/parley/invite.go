package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/mdp/qrterminal/v3"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar"
)

type invitation struct {
	Invite    string `json:"invite"`
	NetworkID string `json:"network_id"`
	Network   string `json:"network"`
}

func (a *app) inviteCommand() *cobra.Command {
	var file string
	c := a.command(&cobra.Command{
		Use:   "invite",
		Short: a.text.T("print the invite to the network, as text and as a QR code"),
		Example: `  parley invite
  parley invite --out invite.txt   # the other side: parley --invite-file invite.txt`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := node.LoadNetwork(a.dir)
			if err != nil {
				return err
			}
			v := f.Invite(a.ownAddr(cmd.Context()))
			if v.Fingerprint == [32]byte{} {
				v.Fingerprint = registrar.KnownFingerprint(a.dir)
			}
			if file != "" {
				if err := writeSecret(file, v.String()+"\n"); err != nil {
					return err
				}
				return a.note("wrote the invite to %s", file)
			}
			if a.json {
				n := a.networkOf(f)
				return show.JSON(a.out, invitation{v.String(), n.NetworkID, n.Network})
			}
			return a.printInvite(f, v)
		},
	})
	c.Flags().StringVar(&file, "out", "", a.text.T("write the invite to `FILE`, readable by you alone, and print nothing"))
	return c
}

func (a *app) printInvite(f *node.NetworkFile, v node.Invite) error {
	words := "whoever sees this invite can join: hand it over like a key"
	if f.Mode == node.ModeOpen {
		words = "this network is open: the invite only saves typing its name"
	}
	if f.Mode == node.ModeCertified {
		words = "registrars admit to this network: the invite names it and a registrar's certificate, and admits nobody by itself"
		if v.Fingerprint == [32]byte{} {
			words = "registrars admit to this network: the invite names it and admits nobody by itself"
		}
	}
	if err := a.note(words); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(a.out, v.String()); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, a.qrCode(v.QRText()))
	return err
}

// qrCode draws a QR code that is seen whole on 24 lines, which is why it is
// printed last. On a terminal it is white on black whatever the colours are,
// since many readers take no inverted one.
func (a *app) qrCode(text string) string {
	var code strings.Builder
	qrterminal.GenerateWithConfig(text, qrterminal.Config{
		Level: qrterminal.L, Writer: &code, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteChar: qrterminal.WHITE_WHITE,
		WhiteBlackChar: qrterminal.WHITE_BLACK, BlackWhiteChar: qrterminal.BLACK_WHITE,
	})
	if !isTerminal(a.out) {
		return code.String()
	}
	const whiteOnBlack, plain = "\x1b[97;40m", "\x1b[0m"
	lines := strings.Split(strings.TrimSuffix(code.String(), "\n"), "\n")
	return whiteOnBlack + strings.Join(lines, plain+"\n"+whiteOnBlack) + plain + "\n"
}

// ownAddr is where a newcomer can reach this node, if it runs and listens on
// an address that others reach.
func (a *app) ownAddr(ctx context.Context) *peer.AddrInfo {
	c, err := client.Dial(ctx, a.dir)
	if err != nil {
		return nil
	}
	defer c.Close()
	st, err := c.Status(ctx, &v1.StatusRequest{})
	if err != nil {
		return nil
	}
	for _, text := range st.GetAddrs() {
		addr, err := ma.NewMultiaddr(text)
		if err != nil || manet.IsIPLoopback(addr) || manet.IsIP6LinkLocal(addr) {
			continue
		}
		if info, err := peer.AddrInfoFromP2pAddr(addr); err == nil {
			return info
		}
	}
	return nil
}

// writeSecret puts a file that its owner alone can read in place, whole.
func writeSecret(path, content string) error {
	return writeFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}
