package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar"
)

// registrarFlags are what a registrar needs beside the flags of run.
type registrarFlags struct {
	api, tlsCert, tlsKey string
	ca                   []string
	suspect, offline     float64
}

func (a *app) registrarCommand() *cobra.Command {
	var flags *runFlags
	r := &registrarFlags{}
	c := a.command(&cobra.Command{
		Use:   "registrar",
		Short: a.text.T("run a node that admits others to its certified network"),
		Long:  a.text.T("run a node that admits others to its certified network, by certificates or one-time codes, until it is interrupted. The network's root has to make it a registrar first. It prints the same line as run, with the address it serves on and the fingerprint of its certificate, and keeps an audit log."),
		Example: `  parley registrar --dir ~/ministry --ca ca.crt
  parley registrar --api 0.0.0.0:7331 --tls-cert fullchain.pem --tls-key key.pem`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := flags.logger(a)
			if err != nil {
				return err
			}
			flags.registrar = r
			return a.run(cmd.Context(), flags, log)
		},
	})
	flags = a.runFlags(c)
	f, t := c.Flags(), a.text.T
	f.StringVar(&r.api, "api", ":7331", t("serve registration on `ADDR`"))
	f.StringVar(&r.tlsCert, "tls-cert", "", t("`FILE` with the certificate for TLS, in PEM (default: one made by itself)"))
	f.StringVar(&r.tlsKey, "tls-key", "", t("`FILE` with its private key, in PEM"))
	f.Float64Var(&r.suspect, "suspect", 2.5, t("say that a node is suspect after `N` times the time between two heartbeats, a second in small networks"))
	f.Float64Var(&r.offline, "offline", 4, t("say that it is offline after `N` times that"))
	f.StringArrayVar(&r.ca, "ca", nil, t("`FILE` with certificates of CAs that admit, and their CRLs, in PEM; may be repeated"))
	for _, name := range []string{"tls-cert", "tls-key", "ca"} {
		_ = c.MarkFlagFilename(name) // fails only for a flag that is not there
	}
	return c
}

// office is a running registrar and where it answers.
type office struct {
	*registrar.Registrar
	addr        net.Addr
	fingerprint [32]byte
}

func (r *registrarFlags) open(a *app, d *daemon, log *slog.Logger) (*office, error) {
	cfg := registrar.Config{Logger: log, Suspect: r.suspect, Offline: r.offline}
	err := r.checkTimes(a)
	if err != nil {
		return nil, err
	}
	if cfg.Roots, err = r.roots(); err != nil {
		return nil, err
	}
	cert, err := registrar.Certificate(a.dir, r.tlsCert, r.tlsKey, time.Now())
	if err != nil {
		return nil, err
	}
	o := &office{fingerprint: registrar.Fingerprint(cert)}
	if o.Registrar, err = registrar.Open(d.node, d.chat, cfg); err != nil {
		return nil, a.notYet(err, d)
	}
	d.closers = append(d.closers, o)
	l, err := net.Listen("tcp", r.api)
	if err != nil {
		return nil, registrar.ErrServe.With(err)
	}
	o.addr = l.Addr()
	return o, o.Serve(l, cert)
}

// checkTimes holds what makes sense of a node's silence: one heartbeat may be late.
func (r *registrarFlags) checkTimes(a *app) error {
	const least, most = 1.5, 3600
	switch {
	case !(r.suspect >= least && r.suspect <= most):
		return a.badValue("--suspect", fmt.Sprint(r.suspect), a.text.T("it is 1.5 to 3600"))
	case !(r.offline >= r.suspect && r.offline <= most):
		return a.badValue("--offline", fmt.Sprint(r.offline), a.text.T("it is at least --suspect, and at most 3600"))
	}
	return nil
}

// notYet says what a node that is no registrar, as far as it knows, has to do: where
// the root key is that is a command, elsewhere it may be one already and not have heard.
func (a *app) notYet(err error, d *daemon) error {
	id, network := d.node.ID().String(), d.node.Network().ID
	switch {
	case !errors.Is(err, registrar.ErrNotRegistrar):
		return err
	case node.HasRootKey(a.dir, network):
		return a.said(registrar.ErrNotRegistrar, a.text.T("this node is not a registrar of its network"),
			a.text.T("make it one with: %s", a.shell(" registrars add "+id)))
	default:
		return a.said(registrar.ErrNotRegistrar, a.text.T("this node does not know of being a registrar of its network"),
			a.text.T("the network's root adds it (parley registrars add %s); then register it with a registrar that runs, which tells it: %s",
				id, a.shell(" register --registrar ADDR --code-file FILE")))
	}
}

// roots are the certificate authorities of all files; nil where there is none.
func (r *registrarFlags) roots() (*certs.Roots, error) {
	if len(r.ca) == 0 {
		return nil, nil
	}
	var texts [][]byte
	for _, path := range r.ca {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, errFile.With(err)
		}
		texts = append(texts, text)
	}
	return certs.ParseRoots(texts...)
}

// about is what ready tells of a registrar.
func (o *office) about() *readyRegistrar {
	if o == nil {
		return nil
	}
	return &readyRegistrar{API: o.addr.String(), Fingerprint: hex.EncodeToString(o.fingerprint[:])}
}
