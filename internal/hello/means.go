package hello

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"fmt"
)

// means is how the two sides of one handshake prove their membership: by the secret
// they share, or each by its ticket and a signature of its peer key.
// spec: 02-hello §5, §7
type means struct {
	method uint64
	key    [32]byte // of the secret; unused with tickets
	config *Config
}

// methods is the bit set of what a node can prove and check.
func (c *Config) methods() (m uint64) {
	if len(c.Secrets) > 0 {
		m |= methodSecret
	}
	if c.Ticket != nil {
		m |= methodTicket
	}
	return m
}

// newestRevoked is the field for the newest revocation, empty where there is none.
func (c *Config) newestRevoked() []byte {
	if c.Revoked == [32]byte{} {
		return nil
	}
	return c.Revoked[:]
}

// prove proves to the other side, over the transcript so far.
func (m *means) prove(t *transcript, label string) []byte {
	if m.method == methodTicket {
		return m.config.Sign(t.signed(label))
	}
	return t.prove(m.key, label)
}

// check checks the other side's proof.
func (m *means) check(t *transcript, label string, proof []byte) error {
	ok := false
	if m.method == methodTicket {
		ok = ed25519.Verify(m.config.RemoteKey[:], t.signed(label), proof)
	} else {
		ok = hmac.Equal(t.prove(m.key, label), proof)
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrProof, label)
	}
	return nil
}

// ticket is what to show the other side, which goes into the transcript; nothing where
// a secret proves.
func (m *means) ticket(t *transcript) []byte {
	if m.method != methodTicket {
		return nil
	}
	t.add(m.config.Ticket)
	return m.config.Ticket
}

// shown takes the ticket that the other side shows into the transcript.
func (m *means) shown(t *transcript, ticket []byte) {
	if m.method == methodTicket {
		t.add(bytes.Clone(ticket))
	}
}

// examine checks it and returns it.
func (m *means) examine(ticket []byte) (string, error) {
	if m.method != methodTicket {
		return "", nil
	}
	if err := m.config.CheckTicket(ticket); err != nil {
		return "", fmt.Errorf("%w: %w", ErrTicket, err)
	}
	return string(ticket), nil
}
