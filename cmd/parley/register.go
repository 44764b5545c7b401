package main

import (
	"context"
	"encoding/hex"
	"os"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// registered is what register prints.
type registered struct {
	PeerID    string   `json:"peer_id"`
	Registrar string   `json:"registrar"`
	Zone      string   `json:"zone"`
	Short     string   `json:"short_address"`
	NotAfter  string   `json:"not_after"`
	Renew     string   `json:"renew"`
	Peers     []string `json:"peers"`
}

// registerFlags say where to register, and with what.
type registerFlags struct {
	registrar, fingerprint string
	cert, key, code        string
	invite                 string
	named                  [32]byte // the fingerprint in that invite
	zone                   zoneSetting
}

func (a *app) registerCommand() *cobra.Command {
	r := &registerFlags{}
	c := a.command(&cobra.Command{
		Use:   "register",
		Short: a.text.T("have a registrar admit this node to a certified network"),
		Example: `  parley register --invite-file invite.txt --registrar 192.0.2.7:7331 --code-file code.txt
  parley register --registrar /ip4/192.0.2.7/tcp/7330/p2p/12D3KooW… --cert node.crt --key node.key`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.register(cmd.Context(), r) },
	})
	f, t := c.Flags(), a.text.T
	f.StringVar(&r.registrar, "registrar", "", t("`ADDR` of the registrar: HOST:PORT, or a multiaddr with its peer ID"))
	f.StringVar(&r.fingerprint, "fingerprint", "", t("SHA-256 of the registrar's certificate in `HEX`, if no invite has it"))
	f.StringVar(&r.cert, "cert", "", t("`FILE` with this node's certificate and those between it and the CA, in PEM"))
	f.StringVar(&r.key, "key", "", t("`FILE` with the certificate's private key, in PEM"))
	f.StringVar(&r.code, "code-file", "", t("`FILE` with a one-time enrolment code, - for standard input"))
	f.StringVar(&r.invite, "invite-file", "", t("`FILE` with the invite to join by, - for standard input"))
	a.zoneFlag(c, &r.zone)
	for _, name := range []string{"cert", "key", "code-file", "invite-file"} {
		_ = c.MarkFlagFilename(name) // fails only for a flag that is not there
	}
	return c
}

func (a *app) register(ctx context.Context, r *registerFlags) error {
	if r.registrar == "" {
		return a.usage("parley register", "--registrar ADDR is missing")
	}
	var invite *node.Invite
	if r.invite != "" {
		run := runFlags{invite: r.invite}
		cfg := node.NetworkConfig{}
		if err := run.readSecrets(a, &cfg); err != nil {
			return err
		}
		invite, r.named = cfg.Invite, cfg.Invite.Fingerprint
	}
	m, err := node.OpenMember(a.dir, invite)
	if err != nil {
		return err
	}
	ap, err := a.applicant(r, m)
	if err != nil {
		return err
	}
	c, end, err := a.registrarAt(ctx, r, m)
	if err != nil {
		return err
	}
	defer end()
	g, err := c.Register(ctx, ap)
	if err != nil {
		return err
	}
	if g.Ahead.Abs() > time.Minute {
		if err := a.note("this machine's clock differs by %s from the registrar's: set it", g.Ahead.Abs().Round(time.Second)); err != nil {
			return err
		}
	}
	if err := m.Remember(g.Peers); err != nil {
		return err
	}
	t, err := node.SaveTicket(a.dir, g.Record, g.Ticket)
	if err != nil {
		return err
	}
	if err := r.zone.remember(a.dir); err != nil {
		return err
	}
	out := registered{
		PeerID: m.ID().String(), Registrar: t.Registrar.String(), Zone: t.Zone, Short: hex.EncodeToString(t.Short[:]),
		NotAfter: stamp(t.To), Renew: stamp(t.Renew), Peers: []string{},
	}
	for _, p := range g.Peers {
		out.Peers = append(out.Peers, p.ID.String())
	}
	if err := a.print(out, "registered until %s; it is renewed by itself while the node runs", t.To.Local().Format(time.DateOnly)); err != nil || a.json {
		return err
	}
	return a.startHint(ctx)
}

// startHint says how to start a node on the directory, unless one runs.
func (a *app) startHint(ctx context.Context) error {
	c, err := a.dial(ctx)
	if err != nil {
		return a.note("start it with: %s", a.shell(""))
	}
	c.Close()
	return a.note("the node that runs here takes it over within seconds")
}

// stamp is a time as JSON has it everywhere.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// applicant reads what the node proves itself with.
func (a *app) applicant(r *registerFlags, m *node.Member) (client.Applicant, error) {
	ap := client.Applicant{Network: m.Network().ID, Peer: m.ID(), Sign: m.Sign}
	var err error
	if ap.Zone, err = r.zone.in(a); err != nil {
		return ap, err
	}
	switch {
	case r.code != "" && r.cert == "" && r.key == "":
		text, err := a.readInvite(r.code)
		ap.Code = strings.TrimSpace(text)
		return ap, err
	case r.code == "" && r.cert != "" && r.key != "":
		return ap, a.certificate(r, &ap)
	case r.code == "" && r.cert == "" && r.key == "":
		t, found, err := node.LoadTicket(a.dir)
		if err != nil {
			return ap, err
		}
		if !found {
			return ap, a.usage("parley register", "it takes --cert and --key, or --code-file")
		}
		ap.Ticket = t.Signed
		return ap, nil
	default:
		return ap, a.usage("parley register", "it takes --cert and --key, or --code-file")
	}
}

func (a *app) certificate(r *registerFlags, ap *client.Applicant) error {
	chain, err := os.ReadFile(r.cert)
	if err != nil {
		return errFile.With(err)
	}
	key, err := os.ReadFile(r.key)
	if err != nil {
		return errFile.With(err)
	}
	if ap.Chain, err = certs.ParseChain(chain); err != nil {
		return err
	}
	ap.Key, err = certs.ParseKey(key)
	return err
}

// registrarAt returns a client of the registrar that the flags name. Over libp2p
// it is asked as the node itself would, from a host that lives as long as the call.
func (a *app) registrarAt(ctx context.Context, r *registerFlags, m *node.Member) (c *client.Client, end func(), err error) {
	if strings.HasPrefix(r.registrar, "/") {
		info, err := a.parsePeer(r.registrar)
		if err != nil {
			return nil, nil, a.badValue("--registrar", r.registrar, a.text.T("it needs an address, then /p2p/ and the peer's ID"))
		}
		h, err := libp2p.New(libp2p.Identity(m.Key()), libp2p.NoListenAddrs, libp2p.DisableMetrics())
		if err != nil {
			return nil, nil, client.ErrUnreachable.With(err)
		}
		if err := h.Connect(ctx, *info); err != nil {
			_ = h.Close()
			return nil, nil, client.ErrUnreachable.With(err)
		}
		c := client.OverStream(h, info.ID, m.Network().Tag)
		return c, func() { c.Close(); _ = h.Close() }, nil
	}
	fingerprint, err := a.fingerprint(r, m)
	if err != nil {
		return nil, nil, err
	}
	c = client.OverTLS(r.registrar, fingerprint)
	return c, c.Close, nil
}

// fingerprint is that of the flag, else of the invite; nil: none.
func (a *app) fingerprint(r *registerFlags, m *node.Member) (*[32]byte, error) {
	if r.fingerprint == "" && r.named != [32]byte{} {
		return &r.named, nil // the directory may remember an older one
	}
	if r.fingerprint == "" {
		return m.Fingerprint(), nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(r.fingerprint, ":", ""))
	if err != nil || len(b) != 32 {
		return nil, a.badValue("--fingerprint", r.fingerprint, a.text.T("it is 64 hex digits, as parley registrar prints them"))
	}
	return (*[32]byte)(b), nil
}
