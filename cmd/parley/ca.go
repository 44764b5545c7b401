package main

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/internal/certs"
)

// How long certificates hold, in days.
const (
	caDays   = 3650
	leafDays = 365
	mostDays = 36500
)

// caBackdate is how far a certificate's beginning lies back, for machines whose clocks differ.
const caBackdate = 5 * time.Minute

// caMade is what ca init prints.
type caMade struct {
	Name      string    `json:"name"`
	Algorithm string    `json:"algorithm"`
	Until     time.Time `json:"until"`
	Dir       string    `json:"dir"`
}

func (a *app) caCommand() *cobra.Command {
	c := a.groupCommand("ca", a.text.T("issue certificates by which registrars admit nodes, and revoke them"), a.text.T("it needs a command: init, issue, revoke or list"))
	c.AddCommand(a.caInitCommand(), a.caIssueCommand(), a.caRevokeCommand(), a.caListCommand())
	return c
}

func (a *app) caInitCommand() *cobra.Command {
	var algorithm, name string
	var days int
	c := a.command(&cobra.Command{
		Use:   "init",
		Short: a.text.T("make a CA in DIR/ca"),
		Long:  a.text.T("make a CA in DIR/ca: its certificate ca.crt and its list of revoked certificates crl.pem are for the registrars; its key ca.key, which is not encrypted, is for nobody else: whoever has it can let anybody in."),
		Example: `  parley ca init --name "Ward 7" --dir ~/ca
  parley ca init --algorithm sm2`,
		Args: a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if !printableName(name) {
				return a.badValue("--name", name, a.text.T("it is 1 to 64 characters that can be seen"))
			}
			return a.caInit(certs.Algorithm(algorithm), name, days)
		},
	})
	settle := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		typed := name // the nick that the environment or the file gives a node is no CA's name
		defer func() { name = typed }()
		return settle(cmd, args)
	}
	c.Flags().StringVar(&algorithm, "algorithm", string(certs.Ed25519), a.text.T("`KIND` of key: ed25519, p256, p384, sm2"))
	c.Flags().StringVar(&name, "name", "Parley CA", a.text.T("`NAME` that the CA's certificate says"))
	c.Flags().IntVar(&days, "days", caDays, a.text.T("`N` days until the CA's certificate ends, and all that it issued with it"))
	complete(c, "algorithm", string(certs.Ed25519), string(certs.P256), string(certs.P384), string(certs.SM2))
	return c
}

func (a *app) caInit(algorithm certs.Algorithm, name string, days int) error {
	switch algorithm {
	case certs.Ed25519, certs.P256, certs.P384, certs.SM2:
	default:
		return a.badValue("--algorithm", string(algorithm), a.text.T("it is ed25519, p256, p384 or sm2"))
	}
	now, err := a.caNow(days)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(a.caDir()); !errors.Is(err, fs.ErrNotExist) {
		return a.said(errCAExists, a.text.T("there is a CA in %s already", a.caDir()), a.text.T("use it, or choose another --dir"))
	}
	ca, err := certs.NewAuthority(rand.Reader, algorithm, name, now.Add(-caBackdate), now.AddDate(0, 0, days))
	if err != nil {
		return err
	}
	if err := a.caWrite(ca, now); err != nil {
		return err
	}
	err = a.print(caMade{name, string(algorithm), ca.NotAfter(), a.caDir()}, "made a CA in %s, valid until %s", a.caDir(), day(ca.NotAfter()))
	if err != nil || a.json {
		return err
	}
	return errors.Join(
		a.note("ca.crt and crl.pem are for the registrars. Keep ca.key, and a backup of it: whoever has it can let anybody in."),
		a.note("registrars take both: parley registrar --ca %s --ca %s", quote(filepath.Join(a.caDir(), caCertFile)), quote(filepath.Join(a.caDir(), caListFile))),
	)
}

// caWrite puts a new CA in its place, whole or not at all.
func (a *app) caWrite(ca *certs.Authority, now time.Time) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return errFile.With(err)
	}
	made, err := os.MkdirTemp(a.dir, ".ca-") // 0700
	if err != nil {
		return errFile.With(err)
	}
	defer os.RemoveAll(made) // nothing is there any more after the rename
	key, err := ca.KeyPEM()
	if err != nil {
		return err
	}
	s := &caState{dir: made, authority: ca}
	if err := s.save(now); err != nil {
		return err
	}
	for name, text := range map[string][]byte{caKeyFile: key, caCertFile: ca.CertificatePEM()} {
		if err := writeSecret(filepath.Join(made, name), string(text)); err != nil {
			return err
		}
	}
	if err := os.Rename(made, a.caDir()); err != nil {
		return errFile.With(err)
	}
	return nil
}

// caNow checks a number of days and returns the time they count from, in the seconds of certificates.
func (a *app) caNow(days int) (time.Time, error) {
	if days < 1 || days > mostDays {
		return time.Time{}, a.badValue("--days", strconv.Itoa(days), a.text.T("it is 1 to %d", mostDays))
	}
	return time.Now().UTC().Truncate(time.Second), nil
}

// day is a date for people.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// printableName tells whether a text is 1 to 64 characters that can be seen, as X.520 has names.
func printableName(s string) bool {
	unseen := func(r rune) bool { return !unicode.IsPrint(r) }
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= 64 && !strings.ContainsFunc(s, unseen)
}
