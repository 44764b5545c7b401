package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/certs"
)

func (a *app) caRevokeCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "revoke FILE.crt|SERIAL",
		Short: a.text.T("take back a certificate that was issued"),
		Long:  a.text.T("take back a certificate that was issued, for good: DIR/ca/crl.pem is written anew. Registrars refuse the certificate once they were started with that file."),
		Example: `  parley ca revoke ada.crt
  parley ca revoke 5f3a…   # parley ca list tells the serial numbers`,
		Args: a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, done, err := a.caOpen()
			if err != nil {
				return err
			}
			defer done()
			return a.caRevoke(s, args[0])
		},
	})
}

func (a *app) caRevoke(s *caState, which string) error {
	c, err := a.caFind(s, which)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	if c.Revoked == nil {
		c.Revoked = &now
	}
	if err := s.save(now); err != nil { // again, too: an earlier one may have been interrupted
		return err
	}
	if err := a.print(c, "revoked the certificate %s of %s", c.Serial, c.Peer); err != nil || a.json {
		return err
	}
	return a.note("hand %s to the registrars and start them again", filepath.Join(s.dir, caListFile))
}

// caFind finds a certificate by its serial number, or by its file, which need not be remembered: a
// CA that was restored from a backup can still revoke what it issued.
func (a *app) caFind(s *caState, which string) (*caIssued, error) {
	if c := s.find(strings.ToLower(strings.ReplaceAll(which, ":", ""))); c != nil {
		return c, nil
	}
	text, err := os.ReadFile(which)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, a.said(errNotIssued, a.text.T("%q is neither a file nor the serial number of a certificate that was issued here", which),
			a.text.T("%s tells those that were", a.shell(" ca list")))
	}
	if err != nil {
		return nil, errFile.With(err)
	}
	issued, err := s.authority.Issued(text)
	switch {
	case errors.Is(err, certs.ErrAuthority):
		return nil, a.said(errNotIssued, a.text.T("this CA did not issue %s", which), a.text.T("%s tells those that were", a.shell(" ca list")))
	case err != nil:
		return nil, err
	}
	if c := s.find(issued.Serial); c != nil {
		return c, nil
	}
	s.record.Issued = append(s.record.Issued, caIssued{Serial: issued.Serial, Peer: issued.Peer, Until: issued.NotAfter})
	return s.find(issued.Serial), nil
}

func (a *app) caListCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "list",
		Short: a.text.T("list the certificates that were issued"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			r, err := a.caRead()
			if err != nil {
				return err
			}
			return a.caList(r.Issued)
		},
	})
}

func (a *app) caList(issued []caIssued) error {
	var rows [][]string
	for _, c := range issued {
		if a.json {
			if err := show.JSON(a.out, c); err != nil {
				return err
			}
			continue
		}
		revoked := ""
		if c.Revoked != nil {
			revoked = day(*c.Revoked)
		}
		rows = append(rows, []string{c.Serial, c.Peer, day(c.Until), revoked})
	}
	switch t := a.text.T; {
	case a.json:
		return nil
	case len(rows) == 0:
		return a.note("no certificates yet; issue one with: %s", a.shell(" ca issue PEER --out PREFIX"))
	default:
		return show.Table(a.out, []string{t("SERIAL NUMBER"), t("PEER"), t("UNTIL"), t("REVOKED")}, rows)
	}
}
