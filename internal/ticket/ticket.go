// Package ticket is what a registrar hands to a node that it admits: a signed
// statement that a peer belongs to a network, in a role and a zone, for a while.
// Whoever knows the network's registrars can check it without asking anybody.
// docs/protocol/11-registrars.md is its specification.
//
// The package is pure: it is told the time and signs through a function. All of
// it is safe for concurrent use.
package ticket

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/parley-chat/parley/internal/strict"
)

// Limits and times. spec: 11-registrars §2
const (
	MaxSize = 512 // bytes of a signed ticket
	MaxZone = 64  // bytes

	// Life is how long a ticket is valid from its issue on. It is renewed from
	// a third of it on.
	Life = 30 * 24 * time.Hour
	// Backdate is how far before its issue a ticket begins to be valid: clocks
	// of machines may differ by that much and it still holds everywhere.
	Backdate = 2 * time.Hour
	// Grace is how long after its end a ticket still admits a peer that was
	// known before, where no registrar was there to renew it.
	Grace = 7 * 24 * time.Hour

	version1 = 0x0100 // major<<8 | minor
	domain   = "parley/ticket/1"
)

// What can be wrong with a ticket; every error of this package wraps one of them.
var (
	ErrForm      = errors.New("ticket: malformed")
	ErrNetwork   = errors.New("ticket: of another network")
	ErrPeer      = errors.New("ticket: of another peer")
	ErrIssuer    = errors.New("ticket: not issued by a registrar of the network")
	ErrSignature = errors.New("ticket: signature does not hold")
	ErrNotYet    = errors.New("ticket: not valid yet")
	ErrExpired   = errors.New("ticket: expired")
)

// Ticket says that a registrar admits a peer to a network.
type Ticket struct {
	Network [32]byte // its ID
	Peer    [32]byte // raw Ed25519 key of the node
	Issuer  [32]byte // that of the registrar
	Role    uint32   // as hello's: 1 node, 2 registrar
	Zone    string   // at most MaxZone bytes that can be seen; may be empty
	Short   Short
	// The ticket holds from NotBefore until before NotAfter, in whole seconds.
	NotBefore, NotAfter time.Time
	// Final is when what the node registered with ends: no ticket that follows
	// from this one holds longer. Zero: never.
	Final time.Time
}

// Short is a node's short address: four bytes of its zone, four of its own.
//
// spec: 11-registrars §2.3
type Short [8]byte

// ShortOf is the short address in a zone of the node with this code.
func ShortOf(zone string, code [4]byte) (s Short) {
	sum := sha256.Sum256([]byte(zone))
	copy(s[:4], sum[:4])
	copy(s[4:], code[:])
	return s
}

// CodeOf is the code of a node that no registrar assigned one, given its peer ID
// in binary.
func CodeOf(peerID []byte) (code [4]byte) {
	sum := sha256.Sum256(peerID)
	copy(code[:], sum[:4])
	return code
}

// RenewAt is when the ticket is to be renewed: after a third of its life.
func (t *Ticket) RenewAt() time.Time {
	issued := t.NotBefore.Add(Backdate)
	return issued.Add(t.NotAfter.Sub(issued) / 3)
}

// Field numbers of the signed form and of the ticket; never reused.
const (
	fieldBody      = 1
	fieldSignature = 2

	fieldVersion   = 1
	fieldNetwork   = 2
	fieldPeer      = 3
	fieldIssuer    = 4
	fieldRole      = 5
	fieldZone      = 6
	fieldShort     = 7
	fieldNotBefore = 8
	fieldNotAfter  = 9
	fieldFinal     = 10
)

// Sign returns the ticket as it travels. sign is the issuer's.
func (t *Ticket) Sign(sign func(msg []byte) []byte) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	body := t.encode()
	out := strict.AppendBytes(nil, fieldBody, body)
	return strict.AppendBytes(out, fieldSignature, sign(append([]byte(domain), body...))), nil
}

func (t *Ticket) encode() []byte {
	b := strict.AppendUint(nil, fieldVersion, version1)
	b = strict.AppendBytes(b, fieldNetwork, t.Network[:])
	b = strict.AppendBytes(b, fieldPeer, t.Peer[:])
	b = strict.AppendBytes(b, fieldIssuer, t.Issuer[:])
	b = strict.AppendUint(b, fieldRole, uint64(t.Role))
	if t.Zone != "" {
		b = strict.AppendBytes(b, fieldZone, []byte(t.Zone))
	}
	b = strict.AppendBytes(b, fieldShort, t.Short[:])
	b = strict.AppendUint(b, fieldNotBefore, uint64(t.NotBefore.Unix()))
	b = strict.AppendUint(b, fieldNotAfter, uint64(t.NotAfter.Unix()))
	if !t.Final.IsZero() {
		b = strict.AppendUint(b, fieldFinal, uint64(t.Final.Unix()))
	}
	return b
}

// check holds what issuer and reader keep to.
func (t *Ticket) check() error {
	from, to := t.NotBefore.Unix(), t.NotAfter.Unix()
	switch {
	case t.Role == 0:
		return fmt.Errorf("%w: no role", ErrForm)
	case !zoneFits(t.Zone):
		return fmt.Errorf("%w: zone", ErrForm)
	case from <= 0 || to <= from || to >= 1<<40:
		return fmt.Errorf("%w: valid from %d to %d", ErrForm, from, to)
	case t.NotAfter.Sub(t.NotBefore) > Life+Backdate:
		return fmt.Errorf("%w: valid for %v", ErrForm, t.NotAfter.Sub(t.NotBefore))
	case !t.Final.IsZero() && (t.Final.Before(t.NotAfter) || t.Final.Unix() >= 1<<40):
		return fmt.Errorf("%w: valid beyond its end", ErrForm)
	}
	return nil
}

func zoneFits(zone string) bool {
	if len(zone) > MaxZone || !utf8.ValidString(zone) {
		return false
	}
	for _, r := range zone {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Parse reads a signed ticket and checks that its issuer signed it, whoever that
// is. Errors: ErrForm, ErrSignature.
func Parse(signed []byte) (Ticket, error) {
	if len(signed) > MaxSize {
		return Ticket{}, fmt.Errorf("%w: %d bytes", ErrForm, len(signed))
	}
	s := strict.Scanner{Rest: signed}
	body, sig := s.Bytes(fieldBody), s.Bytes(fieldSignature)
	if s.Bad || len(s.Rest) > 0 || len(sig) != ed25519.SignatureSize {
		return Ticket{}, fmt.Errorf("%w: envelope", ErrForm)
	}
	t, err := decode(body)
	if err != nil {
		return Ticket{}, err
	}
	if !ed25519.Verify(t.Issuer[:], append([]byte(domain), body...), sig) {
		return Ticket{}, ErrSignature
	}
	return t, nil
}

func decode(body []byte) (t Ticket, err error) {
	s := strict.Scanner{Rest: body}
	version := s.Uint(fieldVersion)
	s.Fixed(fieldNetwork, t.Network[:])
	s.Fixed(fieldPeer, t.Peer[:])
	s.Fixed(fieldIssuer, t.Issuer[:])
	role := s.Uint(fieldRole)
	if s.Next(fieldZone) {
		t.Zone = string(s.Bytes(fieldZone))
	}
	s.Fixed(fieldShort, t.Short[:])
	from, to := s.Uint(fieldNotBefore), s.Uint(fieldNotAfter)
	if s.Next(fieldFinal) {
		t.Final = moment(s.Uint(fieldFinal))
	}
	if s.Bad || len(s.Rest) > 0 || version != version1 || role > 1<<32-1 {
		return Ticket{}, fmt.Errorf("%w: fields", ErrForm)
	}
	t.Role, t.NotBefore, t.NotAfter = uint32(role), moment(from), moment(to)
	if err := t.check(); err != nil {
		return Ticket{}, err
	}
	if !bytes.Equal(t.encode(), body) { // numbers that are not in their shortest form
		return Ticket{}, fmt.Errorf("%w: not in strict form", ErrForm)
	}
	return t, nil
}

// moment is a time in seconds; one beyond what a ticket may hold becomes the first
// that it may not.
func moment(seconds uint64) time.Time { return time.Unix(int64(min(seconds, 1<<40)), 0).UTC() }

// Rules are what a reader of tickets goes by.
type Rules struct {
	Network [32]byte
	// Registrar reports whether the network's root made this key a registrar.
	Registrar func(key [32]byte) bool
	Now       time.Time
	// Grace is how long after its end a ticket is still taken.
	Grace time.Duration
}

// Verify checks that the signed ticket admits peer (a raw Ed25519 key) by these
// rules, and returns it. It returns the ticket with ErrExpired and ErrNotYet too.
func (r Rules) Verify(signed []byte, peer [32]byte) (Ticket, error) {
	t, err := Parse(signed)
	switch {
	case err != nil:
		return Ticket{}, err
	case t.Network != r.Network:
		return Ticket{}, ErrNetwork
	case t.Peer != peer:
		return Ticket{}, ErrPeer
	case !r.Registrar(t.Issuer):
		return Ticket{}, ErrIssuer
	case r.Now.Before(t.NotBefore):
		return t, fmt.Errorf("%w: until %s", ErrNotYet, t.NotBefore.Format(time.RFC3339))
	case !r.Now.Before(t.NotAfter.Add(r.Grace)):
		return t, fmt.Errorf("%w: since %s", ErrExpired, t.NotAfter.Format(time.RFC3339))
	}
	return t, nil
}
