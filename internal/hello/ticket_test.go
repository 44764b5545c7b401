package hello

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
)

// sides are two who have tickets, which are texts here: what a ticket says is not
// this package's matter.
func sides() (a, b Config) {
	a, b = config(nil, nil, 0xa2), config(nil, nil, 0xb2)
	ka, kb := ed25519.NewKeyFromSeed(alice[6:]), ed25519.NewKeyFromSeed(bob[6:])
	equip := func(c *Config, own, other ed25519.PrivateKey, ticket, expect string) {
		key := own.Public().(ed25519.PublicKey)
		c.Local = append(bytes.Clone(alice[:6]), key...)
		c.Remote = append(bytes.Clone(alice[:6]), other.Public().(ed25519.PublicKey)...)
		c.RemoteKey = [32]byte(other.Public().(ed25519.PublicKey))
		c.Ticket = []byte(ticket)
		c.Sign = func(msg []byte) []byte { return ed25519.Sign(own, msg) }
		c.CheckTicket = func(signed []byte) error {
			if string(signed) != expect {
				return errors.New("another ticket")
			}
			return nil
		}
	}
	equip(&a, ka, kb, "alice may", "bob may")
	equip(&b, kb, ka, "bob may", "alice may")
	return a, b
}

// spec: 02-hello M25
func TestTicketsAdmit(t *testing.T) {
	a, b := sides()
	o := play(t, a, b, nil)
	if !o.initDone || !o.respDone || o.initiator.Epoch != 0 {
		t.Fatalf("%+v", o)
	}
	if bytes.Contains(o.messages[0], a.Ticket) {
		t.Error("the initiator shows its ticket to whoever answers")
	}
}

// spec: 02-hello M25
func TestATicketThatDoesNotHold(t *testing.T) {
	a, b := sides()
	b.Ticket = []byte("bob was expelled")
	if o := play(t, a, b, nil); !errors.Is(o.initErr, ErrTicket) || o.respDone {
		t.Errorf("the responder's: %v, %v", o.initErr, o.respErr)
	}
	a, b = sides()
	a.Ticket = []byte("alice was expelled")
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrTicket) || o.initDone {
		t.Errorf("the initiator's: %v, %v", o.initErr, o.respErr)
	}
}

// Who has copied a ticket does not have the key.
//
// spec: 02-hello M26
func TestAStolenTicket(t *testing.T) {
	thief := ed25519.NewKeyFromSeed(eve[6:])
	a, b := sides()
	b.Sign = func(msg []byte) []byte { return ed25519.Sign(thief, msg) }
	b.CheckTicket = func([]byte) error { return nil }
	if o := play(t, a, b, nil); !errors.Is(o.initErr, ErrProof) {
		t.Errorf("the responder's: %v", o.initErr)
	}
	a, b = sides()
	a.Sign = func(msg []byte) []byte { return ed25519.Sign(thief, msg) }
	if o := play(t, a, b, nil); !errors.Is(o.respErr, ErrProof) {
		t.Errorf("the initiator's: %v", o.respErr)
	}
}

// spec: 02-hello M26
func TestEveryBitOfATicketHandshakeCounts(t *testing.T) {
	a, b := sides()
	for n, m := range play(t, a, b, nil).messages {
		for bit := range 8 * len(m) {
			o := play(t, a, b, func(at int, m []byte) []byte {
				if at == n {
					m[bit/8] ^= 1 << (bit % 8)
				}
				return m
			})
			if o.initDone || n < 3 && o.respDone {
				t.Fatalf("message %d, bit %d altered: still admitted", n+1, bit)
			}
			checkSilent(t, o)
		}
	}
}

// A network that becomes certified has members of both kinds for a while.
//
// spec: 02-hello M24
func TestTicketBeforeSecret(t *testing.T) {
	both := func(c Config) Config { c.Secrets = []Secret{secret1}; return c }
	bare := func(c Config) Config { c.Ticket, c.Secrets = nil, []Secret{secret1}; return c }
	a, b := sides()
	if o := play(t, both(a), both(b), nil); !o.initDone || o.initiator.Epoch != 0 {
		t.Errorf("both have both: %+v", o)
	}
	if o := play(t, both(a), bare(b), nil); !o.initDone || o.initiator.Epoch != 1 {
		t.Errorf("the responder has a secret alone: %+v", o)
	}
	if o := play(t, bare(a), both(b), nil); !o.initDone || o.initiator.Epoch != 1 {
		t.Errorf("the initiator has a secret alone: %+v", o)
	}
	if o := play(t, bare(a), b, nil); !errors.Is(o.respErr, ErrMethod) {
		t.Errorf("a secret where tickets alone count: %v", o.respErr)
	}
	// Who claims to have chosen the other way is not followed.
	if o := play(t, bare(a), bare(b), func(n int, m []byte) []byte {
		if n == 1 {
			return second(with(challengeBody(), 12, uint64(2)))
		}
		return m
	}); !errors.Is(o.initErr, ErrMethod) {
		t.Errorf("a ticket where none was offered: %v", o.initErr)
	}
}

func TestATicketNeedsItsTools(t *testing.T) {
	a, _ := sides()
	a.Sign = nil
	if _, _, err := Initiate(a, start); err == nil {
		t.Error("a ticket without a key to sign with")
	}
}
