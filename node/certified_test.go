package node

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// issue has one node's registrar key sign a ticket for another.
func issue(t *testing.T, registrar *Node, p peer.ID, change func(*ticket.Ticket)) []byte {
	t.Helper()
	key, err := wire.Author(p)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := wire.Author(registrar.ID())
	if err != nil {
		t.Fatal(err)
	}
	now := registrar.Now()
	tk := ticket.Ticket{
		Network: registrar.Network().ID, Peer: key, Issuer: issuer, Role: 1,
		Short: ticket.ShortOf("", ticket.CodeOf([]byte(p))), NotBefore: now.Add(-ticket.Backdate), NotAfter: now.Add(ticket.Life),
	}
	change(&tk)
	signed, err := tk.Sign(registrar.Sign)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func asIs(*ticket.Ticket) {}

// ministry starts a certified network's first node on host 0: its root and its
// registrar.
func ministry(t *testing.T, net *testnet.Net, change ...func(*Config)) (registrar *Node, invite Invite) {
	t.Helper()
	dir := t.TempDir()
	if _, err := CreateNetwork(dir, "Ministry", ModeCertified); err != nil {
		t.Fatal(err)
	}
	id, err := openIdentity(dir, orSilent(nil))
	if err != nil {
		t.Fatal(err)
	}
	f, err := AddRegistrar(dir, id.ID())
	if err != nil {
		t.Fatal(err)
	}
	registrar = simNode(t, net, 0, append(change, func(c *Config) { c.Dir = dir })...)
	if err := registrar.SetTicket(nil, issue(t, registrar, registrar.ID(), asIs)); err != nil {
		t.Fatal(err)
	}
	return registrar, f.Invite(nil)
}

// enrol hands a node a ticket as registration does.
func enrol(t *testing.T, registrar, n *Node, change func(*ticket.Ticket)) {
	t.Helper()
	if err := n.SetTicket(registrar.networkFile().Record, issue(t, registrar, n.ID(), change)); err != nil {
		t.Fatal(err)
	}
}

func TestTicketsAdmitToACertifiedNetwork(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		registrar, invite := ministry(t, net)
		b := simNode(t, net, 1, invited(invite))
		c := simNode(t, net, 2, invited(invite))
		enrol(t, registrar, b, asIs)
		enrol(t, registrar, c, asIs)
		// Nobody needs the registrar for it.
		if err := registrar.Close(); err != nil {
			t.Fatal(err)
		}
		c.dialer.add(peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}, fromConfig)
		waitAdmitted(t, b, c)
		waitAdmitted(t, c, b)
		gossips(t, b, c, "x")
		if got := b.Network(); got.Name != "Ministry" || got.Mode != ModeCertified {
			t.Errorf("%+v", got)
		}
		again, found, err := LoadTicket(b.Dir())
		if err != nil || !found || again.Registrar != registrar.ID() {
			t.Errorf("kept %+v, %v, %v", again, found, err)
		}
	})
}

// notAdmitted waits until b, which dials a, was refused, for the reason that a
// counts.
func notAdmitted(t *testing.T, a, b *Node, reason string) {
	t.Helper()
	b.dialer.add(peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}, fromConfig)
	time.Sleep(45 * time.Second)
	synctest.Wait()
	if len(a.Peers()) > 0 || len(b.Peers()) > 0 {
		t.Error("admitted")
	}
	if got := a.Status().Hello; got[reason] == 0 {
		t.Errorf("counted %v, want some %s", got, reason)
	}
}

func TestWhoHasNoGoodTicketIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ticket.Ticket)
		reason string
	}{
		"expired": {func(tk *ticket.Ticket) { tk.NotBefore, tk.NotAfter = tk.NotBefore.Add(-ticket.Life), tk.NotBefore }, "ticket"},
		"not yet": {func(tk *ticket.Ticket) {
			tk.NotBefore, tk.NotAfter = tk.NotBefore.Add(ticket.Life), tk.NotAfter.Add(ticket.Life)
		}, "ticket"},
		"none": {nil, "method"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
				registrar, invite := ministry(t, net)
				b := simNode(t, net, 1, invited(invite))
				if test.change != nil {
					enrol(t, registrar, b, test.change)
				} else {
					b.netMu.Lock() // who has a secret of old
					f := *b.net
					f.Epochs, f.Mode = []Epoch{{1, [32]byte{1}}}, ModeSecret
					b.net = &f
					b.netMu.Unlock()
				}
				notAdmitted(t, registrar, b, test.reason)
			})
		})
	}
}

// A ticket of one whom the root did not make a registrar counts nowhere.
func TestATicketOfNoRegistrarIsRefused(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		registrar, invite := ministry(t, net)
		b := simNode(t, net, 1, invited(invite))
		enrol(t, registrar, b, asIs)
		self := issue(t, b, b.ID(), asIs)
		if err := b.SetTicket(nil, self); err != nil {
			t.Fatal(err)
		}
		notAdmitted(t, registrar, b, "ticket")
	})
}

// Whom one has known before is admitted for a week more when its ticket has ended,
// for the registrars may be gone; a stranger is not.
//
// spec: 11-registrars M5
func TestGraceIsForThoseWhoAreKnown(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		var ahead atomic.Int64 // of the registrar's clock
		registrar, invite := ministry(t, net, func(c *Config) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		b := simNode(t, net, 1, invited(invite))
		short := func(tk *ticket.Ticket) { tk.NotAfter = tk.NotBefore.Add(ticket.Backdate + time.Hour) }
		enrol(t, registrar, b, short)
		signed, _ := b.Ticket()
		ahead.Add(int64(2 * time.Hour))
		if err := registrar.checkTicket(b.ID(), signed.Signed); !errors.Is(err, ticket.ErrExpired) {
			t.Errorf("a stranger's: %v", err)
		}
		registrar.book.remember(peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()})
		if err := registrar.checkTicket(b.ID(), signed.Signed); err != nil {
			t.Errorf("a known one's: %v", err)
		}
		ahead.Add(int64(ticket.Grace))
		if err := registrar.checkTicket(b.ID(), signed.Signed); !errors.Is(err, ticket.ErrExpired) {
			t.Errorf("after the grace: %v", err)
		}
	})
}

// A closed network becomes certified: who has a secret and no ticket talks with
// the others until the root ends it.
func TestASecretNetworkBecomesCertified(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme Ltd")
		id := a.Network().ID
		if _, err := Certify(a.Dir(), false); !errors.Is(err, ErrRegistrar) {
			t.Errorf("without a registrar: %v", err)
		}
		b := simNode(t, net, 1, invited(invite), peersOf(a))
		waitAdmitted(t, b, a)
		if _, err := AddRegistrar(a.Dir(), a.ID()); err != nil {
			t.Fatal(err)
		}
		f, err := Certify(a.Dir(), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.takeRecord(f.Record); err != nil {
			t.Fatal(err)
		}
		if err := a.SetTicket(nil, issue(t, a, a.ID(), asIs)); err != nil {
			t.Fatal(err)
		}
		if a.Network().ID != id || a.Network().Mode != ModeCertified {
			t.Errorf("%+v", a.Network())
		}
		c := simNode(t, net, 2, invited(invite), peersOf(a))
		waitAdmitted(t, c, a)
		if f, err = Certify(a.Dir(), true); err != nil {
			t.Fatal(err)
		}
		if err := a.takeRecord(f.Record); err != nil {
			t.Fatal(err)
		}
		d := simNode(t, net, 3, invited(invite), peersOf(a))
		time.Sleep(45 * time.Second)
		if len(d.Peers()) > 0 {
			t.Error("a secret admits after it was ended")
		}
		if err := d.SetTicket(f.Record, issue(t, a, d.ID(), asIs)); err != nil {
			t.Fatal(err)
		}
		waitAdmitted(t, d, a)
	})
}

func TestTheRegistrarSetIsTheRoots(t *testing.T) {
	dir := t.TempDir()
	if _, err := CreateNetwork(dir, "Ministry", ModeCertified); err != nil {
		t.Fatal(err)
	}
	one, two := wire.PeerID([32]byte{1}), wire.PeerID([32]byte{2})
	for _, p := range []peer.ID{two, one, two} {
		if _, err := AddRegistrar(dir, p); err != nil {
			t.Fatal(err)
		}
	}
	f, err := LoadNetwork(dir)
	if err != nil {
		t.Fatal(err)
	}
	if set, version := f.Registrars(); len(set) != 2 || set[0] != one || version != 2 {
		t.Errorf("%v, version %d", set, version)
	}
	if f, err = RemoveRegistrar(dir, one, 0, [32]byte{}); err != nil {
		t.Fatal(err)
	}
	if set, version := f.Registrars(); len(set) != 1 || set[0] != two || version != 3 {
		t.Errorf("%v, version %d", set, version)
	}
	if _, err := RemoveRegistrar(dir, one, 0, [32]byte{}); !errors.Is(err, ErrRegistrar) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := AddRegistrar(t.TempDir(), one); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("in no network: %v", err)
	}
}
