package main

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/internal/certs"
)

// caGiven is what ca issue prints.
type caGiven struct {
	Serial      string    `json:"serial"`
	Peer        string    `json:"peer"`
	Until       time.Time `json:"until"`
	Certificate string    `json:"certificate"`
	Key         string    `json:"key,omitempty"` // there is none if a request was given
}

// caWanted is what ca issue was asked for.
type caWanted struct {
	peer, prefix, request string
	days                  int
	fewer                 bool // days are a default: as many as the CA's own certificate has left will do
}

func (a *app) caIssueCommand() *cobra.Command {
	var w caWanted
	c := a.command(&cobra.Command{
		Use:   "issue PEER --out PREFIX",
		Short: a.text.T("issue a certificate for a node"),
		Long:  a.text.T("issue a certificate for the node with that peer ID (parley id prints it) and a new key, not encrypted, as PREFIX.crt and PREFIX.key. With --csr the key stays where it is: the request is made there, and only PREFIX.crt is written."),
		Example: `  parley ca issue 12D3KooW… --out ada
  parley ca issue 12D3KooW… --csr ada.csr --out ada --days 90`,
		Args: a.args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := peer.Decode(args[0])
			if err != nil {
				return a.badValue("PEER", args[0], a.text.T("it is not a peer ID"))
			}
			if w.prefix == "" {
				return a.usage(cmd.CommandPath(), "it needs --out PREFIX")
			}
			w.peer, w.fewer = id.String(), !cmd.Flags().Changed("days")
			return a.caIssue(w)
		},
	})
	c.Flags().StringVar(&w.prefix, "out", "", a.text.T("write `PREFIX`.crt and PREFIX.key, readable by you alone"))
	c.Flags().StringVar(&w.request, "csr", "", a.text.T("`FILE` with a certificate request in PEM, whose key the certificate is for"))
	c.Flags().IntVar(&w.days, "days", leafDays, a.text.T("`N` days until the certificate ends"))
	_ = c.MarkFlagFilename("csr") // fails only for a flag that is not there
	return c
}

func (a *app) caIssue(w caWanted) error {
	now, err := a.caNow(w.days)
	if err != nil {
		return err
	}
	out := caGiven{Peer: w.peer, Certificate: w.prefix + ".crt"}
	if w.request == "" {
		out.Key = w.prefix + ".key"
	}
	for _, path := range []string{out.Certificate, out.Key} {
		if _, err := os.Lstat(path); path != "" && !errors.Is(err, fs.ErrNotExist) {
			return a.said(errTaken, a.text.T("%s is there already", path), a.text.T("remove it or choose another --out"))
		}
	}
	s, done, err := a.caOpen()
	if err != nil {
		return err
	}
	defer done()
	public, key, err := caKeys(w.request, s.authority.Algorithm())
	if err != nil {
		return err
	}
	until := now.AddDate(0, 0, w.days)
	if end := s.authority.NotAfter(); w.fewer && until.After(end) {
		until = end
	}
	issued, err := s.authority.Issue(rand.Reader, w.peer, public, now.Add(-caBackdate), until)
	if err != nil {
		return err
	}
	out.Serial, out.Until = issued.Serial, issued.NotAfter
	// What is remembered and not written harms nobody; what is not remembered is hard to revoke.
	s.record.Issued = append(s.record.Issued, caIssued{Serial: issued.Serial, Peer: w.peer, Until: issued.NotAfter})
	if err := s.remember(); err != nil {
		return err
	}
	if out.Key != "" {
		if err := writeSecret(out.Key, string(key)); err != nil {
			return err
		}
	}
	if err := writeSecret(out.Certificate, string(issued.PEM)); err != nil {
		return err
	}
	if err := a.print(out, "issued %s for %s, valid until %s", out.Certificate, w.peer, day(out.Until)); err != nil || a.json {
		return err
	}
	file := cmp.Or(out.Key, "FILE")
	return a.note("on that node: parley register --registrar ADDR --cert %s --key %s", quote(out.Certificate), quote(file))
}

// caKeys reads the key that a request is for, or makes one like the CA's, with its PEM.
func caKeys(request string, algorithm certs.Algorithm) (public crypto.PublicKey, text []byte, err error) {
	if request != "" {
		csr, err := os.ReadFile(request)
		if err != nil {
			return nil, nil, errFile.With(err)
		}
		public, err = certs.ParseRequest(csr)
		return public, nil, err
	}
	key, err := certs.GenerateKey(rand.Reader, algorithm)
	if err != nil {
		return nil, nil, err
	}
	text, err = certs.KeyPEM(key)
	return key.Public(), text, err
}
