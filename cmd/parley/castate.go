package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/fault"
)

// The files of a CA, in DIR/ca.
const (
	caCertFile = "ca.crt"
	caKeyFile  = "ca.key"
	caListFile = "crl.pem"
	caKnowFile = "issued.json"
	caLockFile = "lock" // there while a command changes the others
)

// caState is a CA and what it remembers.
type caState struct {
	dir       string
	authority *certs.Authority
	record    caRecord
}

// caRecord is issued.json.
type caRecord struct {
	List   int64      `json:"crl_number"` // of the newest CRL
	Issued []caIssued `json:"issued"`     // in the order they were issued
}

// caIssued is a certificate that was issued, and what ca list prints of it.
type caIssued struct {
	Serial  string     `json:"serial"`
	Peer    string     `json:"peer"`
	Until   time.Time  `json:"until"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

func (a *app) caDir() string { return filepath.Join(a.dir, "ca") }

// caOpen reads the CA of the directory and keeps other commands from changing it until done is
// called.
func (a *app) caOpen() (s *caState, done func(), err error) {
	s = &caState{dir: a.caDir()}
	if s.record, err = a.caRead(); err != nil {
		return nil, nil, err
	}
	lock := filepath.Join(s.dir, caLockFile)
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, nil, a.said(errTaken, a.text.T("another parley ca works on %s, or was interrupted", s.dir), a.text.T("repeat it; if none runs, remove %s", lock))
	case err != nil:
		return nil, nil, errFile.With(err)
	}
	f.Close()
	done = func() { os.Remove(lock) }
	if err := a.caLoad(s); err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}

// caLoad reads what is behind the lock.
func (a *app) caLoad(s *caState) (err error) {
	var text [2][]byte
	for i, name := range []string{caCertFile, caKeyFile} {
		if text[i], err = os.ReadFile(filepath.Join(s.dir, name)); err != nil {
			return errFile.With(err)
		}
	}
	if s.authority, err = certs.LoadAuthority(text[0], text[1]); err != nil {
		return a.caDamaged(err)
	}
	s.record, err = a.caRead()
	return err
}

// caRead reads what the CA remembers.
func (a *app) caRead() (r caRecord, err error) {
	b, err := os.ReadFile(filepath.Join(a.caDir(), caKnowFile))
	switch _, gone := os.Stat(filepath.Join(a.caDir(), caCertFile)); {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(gone, fs.ErrNotExist):
		return r, a.said(errNoCA, a.text.T("there is no CA in %s", a.dir), a.text.T("make one with: %s", a.shell(" ca init")))
	case errors.Is(err, fs.ErrNotExist):
		return r, a.caDamaged(err)
	case err != nil:
		return r, errFile.With(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, a.caDamaged(err)
	}
	return r, nil
}

func (a *app) caDamaged(err error) error {
	why := err.Error()
	if f, ok := fault.As(err); ok {
		why = f.What
	}
	return a.said(errCADamaged, a.text.T("the CA in %s is damaged: %s", a.caDir(), why), a.text.T("restore it from a backup, or make another one in a fresh --dir"))
}

// remember writes issued.json.
func (s *caState) remember() error {
	b, err := json.MarshalIndent(s.record, "", "  ")
	if err != nil {
		return err
	}
	return writeSecret(filepath.Join(s.dir, caKnowFile), string(b)+"\n")
}

// save writes issued.json and a CRL of all that it says are revoked.
func (s *caState) save(now time.Time) error {
	s.record.List++
	if err := s.remember(); err != nil {
		return err
	}
	var all []certs.Revocation
	for _, i := range s.record.Issued {
		if i.Revoked != nil {
			all = append(all, certs.Revocation{Serial: i.Serial, At: *i.Revoked})
		}
	}
	text, err := s.authority.Revoke(rand.Reader, all, s.record.List, now)
	if err != nil {
		return err
	}
	return writeSecret(filepath.Join(s.dir, caListFile), string(text))
}

// find is a certificate of that serial number, nil if none is remembered.
func (s *caState) find(serial string) *caIssued {
	i := slices.IndexFunc(s.record.Issued, func(c caIssued) bool { return c.Serial == serial })
	if i < 0 {
		return nil
	}
	return &s.record.Issued[i]
}
