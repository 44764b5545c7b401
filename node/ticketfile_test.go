package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/ticket"
)

// A registrar that the root takes out: its tickets end at once where that is known,
// those of others stay, and the older record changes nothing back.
//
// spec: 11-registrars M3
func TestTicketsOfARemovedRegistrarEndAtOnce(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		root, invite := ministry(t, net)
		stolen := simNode(t, net, 1, invited(invite))
		f, err := AddRegistrar(root.Dir(), stolen.ID())
		if err != nil {
			t.Fatal(err)
		}
		before := f.Record
		if err := root.takeRecord(before); err != nil {
			t.Fatal(err)
		}
		kept, lost := simNode(t, net, 2, invited(invite), peersOf(root)), simNode(t, net, 3, invited(invite), peersOf(root))
		for n, registrar := range map[*Node]*Node{kept: root, lost: stolen} {
			if err := n.SetTicket(before, issue(t, registrar, n.ID(), asIs)); err != nil {
				t.Fatal(err)
			}
			waitAdmitted(t, n, root)
			waitAdmitted(t, root, n)
		}
		if f, err = RemoveRegistrar(root.Dir(), stolen.ID(), 0, [32]byte{}); err != nil {
			t.Fatal(err)
		}
		if err := root.takeRecord(f.Record); err != nil {
			t.Fatal(err)
		}
		time.Sleep(45 * time.Second)
		if root.gate.Admitted(lost.ID()) {
			t.Error("a ticket of the removed registrar still counts")
		}
		if !root.gate.Admitted(kept.ID()) {
			t.Error("another's ticket counts no more")
		}
		if err := root.takeRecord(before); err != nil || !bytes.Equal(root.Record(), f.Record) {
			t.Errorf("an older record is taken again: %v", err)
		}
		own, _ := lost.Ticket()
		if err := root.checkTicket(lost.ID(), own.Signed); !errors.Is(err, ticket.ErrIssuer) {
			t.Errorf("after the older record: %v", err)
		}
	})
}

// Whom a registrar or an invite has only named was not admitted here: its ticket
// has no grace.
func TestWhoWasOnlyNamedHasNoGrace(t *testing.T) {
	dir := t.TempDir()
	book := openPeerBook(dir, nil)
	named, met := somePeer(t, 1, "/ip4/192.0.2.1/tcp/1"), somePeer(t, 2, "/ip4/192.0.2.2/tcp/1")
	book.introduce(named)
	book.remember(met)
	if err := book.flush(); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*peerBook{book, openPeerBook(dir, nil)} {
		if b.knows(named.ID) || !b.knows(met.ID) || len(b.all()) != 2 {
			t.Errorf("knows the named %v, the met %v, of %d", b.knows(named.ID), b.knows(met.ID), len(b.all()))
		}
	}
	book.remember(named)
	if !book.knows(named.ID) {
		t.Error("who was met then is not known")
	}
}

// A command that brings a ticket does not write beside who changes the record: it
// would undo the change.
func TestSaveTicketUndoesNoRotation(t *testing.T) {
	dir, record, signed := enrolled(t)
	lock, err := lockIn(dir, networkLock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SaveTicket(dir, record, signed); !errors.Is(err, ErrDirBusy) {
		t.Errorf("while another changes the record: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := SaveTicket(dir, record, signed); err != nil {
		t.Error(err)
	}
}

// A node looks at the record at any moment. A command that comes just then waits
// instead of saying that another Parley runs.
func TestWhoChangesTheRecordWaitsForAMoment(t *testing.T) {
	dir, record, signed := enrolled(t)
	lock, err := lockIn(dir, networkLock)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*lockPause, func() { _ = lock.Close() })
	if _, err := SaveTicket(dir, record, signed); err != nil {
		t.Error(err)
	}
}

// A damaged ticket, one of another node, or one that others could write is told at
// the start, with what to do.
func TestADamagedTicketIsTold(t *testing.T) {
	dir, record, signed := enrolled(t)
	_, _, foreign := enrolled(t)
	if _, err := SaveTicket(dir, record, foreign); !errors.Is(err, ErrTicket) {
		t.Errorf("another's is saved: %v", err)
	}
	for name, data := range map[string][]byte{
		"cut": signed[:len(signed)-1], "empty": {}, "another's": foreign, "huge": make([]byte, 1<<20),
	} {
		if err := os.WriteFile(filepath.Join(dir, ticketFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := Start(t.Context(), Config{Dir: dir, NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
		if err == nil {
			_ = n.Close()
		}
		if !errors.Is(err, ErrTicket) && !errors.Is(err, ErrDir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SaveTicket(dir, record, signed); err != nil {
		t.Errorf("a good one does not mend it: %v", err)
	}
}

// enrolled makes a directory in a certified network, whose root and registrar it
// is, and a ticket for it.
func enrolled(t *testing.T) (dir string, record, signed []byte) {
	t.Helper()
	dir = t.TempDir()
	if _, err := CreateNetwork(dir, "Ministry", ModeCertified); err != nil {
		t.Fatal(err)
	}
	m, err := OpenMember(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := AddRegistrar(dir, m.ID())
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{id: m.id, net: f, cfg: Config{Now: time.Now}}
	return dir, f.Record, issue(t, n, m.ID(), asIs)
}
