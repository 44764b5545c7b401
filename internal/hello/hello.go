// Package hello is the handshake by which two nodes prove to each other that they
// belong to one network, before anything else is said. docs/protocol/02-hello.md is its
// specification. Four messages, the first from the initiator:
//
//	initiator                         responder
//	   new ── hello ─────────────────▶ Challenge
//	 Prove ◀────────────── challenge ── challenged
//	proved ── proof ─────────────────▶ Admit: admitted
//	Finish ◀─────────────────── ack ──
//	admitted
//
// The package is pure: it takes and gives byte slices and is told nonces and times. The
// caller frames the messages, sets deadlines, counts the reason of every failure
// (Reason) and closes the stream without a word. Each step can be taken once, in order,
// and after an error none: a handshake that failed admits nobody. Initiator and
// Responder are not safe for concurrent use.
package hello

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits and sizes of the protocol. spec: 02-hello §2
const (
	MaxMessage = 1 << 10 // bytes of one message, its length prefix not counted
	MaxEpochs  = 8       // secret epochs that one node may offer
	NonceSize  = 32
	maxPeerID  = 128
)

// Version is the newest version of Parley's protocols that this package speaks.
const Version uint32 = 1

// Role is what a node says it does in the network. It is a claim, proven by nothing.
type Role uint32

// The known roles; others may come and are kept as they are.
const (
	RoleNode      Role = 1
	RoleRegistrar Role = 2
)

// Secret is what a member knows: the network's secret of one epoch.
type Secret struct {
	Epoch uint64 // from 1; 0 only in open networks
	Key   [32]byte
}

// Open returns the secret of an open network, which proves nothing but the name.
// spec: 02-hello §5
func Open(network [32]byte) Secret {
	return Secret{Key: sha256.Sum256(append([]byte("parley/open/1"), network[:]...))}
}

// Config is one node's side of one handshake.
type Config struct {
	Network  [32]byte // network ID
	Secrets  []Secret // at most MaxEpochs, in any order, no epoch twice; open networks: Open(Network) alone
	Local    []byte   // own peer ID, binary
	Remote   []byte   // the other's, as the secured connection tells it
	Nonce    [NonceSize]byte
	Min, Max uint32 // versions spoken; both 0 = Version alone
	Features uint64 // bits of optional abilities
	Role     Role   // 0 = RoleNode
	// Revoked names the newest revocation in the registry that the node has; zero: none.
	Revoked [32]byte

	// Ticket is the own signed ticket, where the network has registrars; nil: none, and
	// then a secret has to be there. The three below come with it.
	Ticket []byte
	// RemoteKey is the raw Ed25519 key of the other's peer ID.
	RemoteKey [32]byte
	// Sign signs with the key of the own peer ID.
	Sign func(msg []byte) []byte
	// CheckTicket says what is wrong with a ticket that the other shows, if anything:
	// that it is not this peer's too. It is given whatever came, and called only for
	// who has signed with the key of RemoteKey.
	CheckTicket func(signed []byte) error
}

// Admitted is what a finished handshake says about the other side.
type Admitted struct {
	Version  uint32        // the version both use
	Features uint64        // abilities of both
	Role     Role          // the other's, as it claims
	Epoch    uint64        // the secret epoch that was proven; 0 = open network, or a ticket
	Ticket   string        // the other's signed ticket; empty: a secret proved
	Revoked  [32]byte      // the newest revocation that the other has; zero: none
	Skew     time.Duration // the other's clock minus ours, as far as messages show; a claim
}

// check normalises the configuration and reports what the caller did wrong.
func (c *Config) check() error {
	if c.Min == 0 && c.Max == 0 {
		c.Min, c.Max = Version, Version
	}
	if c.Role == 0 {
		c.Role = RoleNode
	}
	switch {
	case len(c.Secrets) > MaxEpochs || len(c.Secrets) == 0 && c.Ticket == nil:
		return fmt.Errorf("hello: %d secrets", len(c.Secrets))
	case c.Ticket != nil && (c.Sign == nil || c.CheckTicket == nil):
		return errors.New("hello: a ticket without what signs and checks")
	case len(c.Local) == 0 || len(c.Local) > maxPeerID || len(c.Remote) == 0 || len(c.Remote) > maxPeerID:
		return fmt.Errorf("hello: peer IDs of %d and %d bytes", len(c.Local), len(c.Remote))
	case c.Min == 0 || c.Min > c.Max:
		return fmt.Errorf("hello: versions %d to %d", c.Min, c.Max)
	case c.Nonce == [NonceSize]byte{}:
		return errors.New("hello: no nonce")
	case bytes.Equal(c.Local, c.Remote):
		return fmt.Errorf("%w: the peer ID is our own", ErrReflected)
	}
	return c.checkSecrets()
}

// checkSecrets sorts the secrets newest first. Epoch 0 is accepted only as the one
// secret of an open network: a closed one must never fall back to it.
func (c *Config) checkSecrets() error {
	c.Secrets = slices.Clone(c.Secrets)
	slices.SortFunc(c.Secrets, func(a, b Secret) int { return cmp.Compare(b.Epoch, a.Epoch) })
	for i, s := range c.Secrets {
		if i > 0 && s.Epoch == c.Secrets[i-1].Epoch {
			return fmt.Errorf("hello: epoch %d twice", s.Epoch)
		}
		if s.Epoch == 0 && s != Open(c.Network) {
			return errors.New("hello: epoch 0 is for open networks")
		}
	}
	if n := len(c.Secrets); n > 1 && c.Secrets[n-1].Epoch == 0 {
		return errors.New("hello: a network is open or has secrets, not both")
	}
	return nil
}
