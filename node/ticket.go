package node

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/disk"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// ticketFile is DIR/ticket: the signed ticket as it came, nothing else.
const ticketFile = "ticket"

// TicketInfo is what a ticket says of the node it was handed to.
type TicketInfo struct {
	Registrar peer.ID // who signed it
	Zone      string
	Short     [8]byte   // the short address
	From, To  time.Time // when it holds
	Renew     time.Time // from when on it is to be renewed
	Signed    []byte    // the ticket as others are shown it
}

// SaveTicket puts into a data directory, for the next start, what a registrar
// handed out: a ticket for the directory's identity and network, and the network's
// record, without which a joiner would not know the other registrars. Errors:
// ErrTicket, ErrNetworkRecord, ErrDir, ErrNoIdentity, those of LoadNetwork, and
// ErrDirBusy while another changes the network's record.
func SaveTicket(dir string, record, signed []byte) (TicketInfo, error) {
	id, err := LoadIdentity(dir)
	if err != nil {
		return TicketInfo{}, err
	}
	lock, err := lockNetwork(dir) // what a rotation writes must not be undone
	if err != nil {
		return TicketInfo{}, err
	}
	defer lock.Close()
	f, err := LoadNetwork(dir)
	if err != nil {
		return TicketInfo{}, err
	}
	info, err := ownTicket(signed, f.ID, id.ID())
	if err != nil {
		return TicketInfo{}, err
	}
	if g, changed, err := f.withRecord(record); err != nil {
		return TicketInfo{}, err
	} else if changed {
		if err := g.save(dir); err != nil {
			return TicketInfo{}, err
		}
	}
	return info, saveTicket(dir, signed)
}

func saveTicket(dir string, signed []byte) error {
	if err := disk.Replace(filepath.Join(dir, ticketFile), signed); err != nil {
		return ErrDir.With(err)
	}
	return nil
}

// LoadTicket reads the ticket of a data directory; found is false where there is
// none. Errors: ErrTicket for one that is damaged or another's, and those of
// SaveTicket.
func LoadTicket(dir string) (t TicketInfo, found bool, err error) {
	id, err := LoadIdentity(dir)
	if err != nil {
		return TicketInfo{}, false, err
	}
	f, err := LoadNetwork(dir)
	if err != nil {
		return TicketInfo{}, false, err
	}
	return readTicket(dir, f.ID, id.ID())
}

func readTicket(dir string, network [32]byte, p peer.ID) (t TicketInfo, found bool, err error) {
	signed, err := readFile(filepath.Join(dir, ticketFile), ticket.MaxSize, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return TicketInfo{}, false, nil
	case errors.Is(err, ErrPermissions):
		return TicketInfo{}, false, err
	case err != nil:
		return TicketInfo{}, false, ErrDir.With(err)
	}
	t, err = ownTicket(signed, network, p)
	return t, err == nil, err
}

// ownTicket checks whose ticket it is. When it holds and who signed it is for
// others to judge: the registrar set may be news that has not come.
func ownTicket(signed []byte, network [32]byte, p peer.ID) (TicketInfo, error) {
	t, err := ticket.Parse(signed)
	if err != nil {
		return TicketInfo{}, ErrTicket.With(err)
	}
	if t.Network != network || wire.PeerID(t.Peer) != p {
		return TicketInfo{}, ErrTicket.Withf("the ticket is of another node or network")
	}
	return TicketInfo{
		Registrar: wire.PeerID(t.Issuer), Zone: t.Zone, Short: t.Short,
		From: t.NotBefore, To: t.NotAfter, Renew: t.RenewAt(), Signed: signed,
	}, nil
}

// Ticket returns the ticket that the node shows; found is false where it has none.
func (n *Node) Ticket() (t TicketInfo, found bool) {
	n.netMu.Lock()
	defer n.netMu.Unlock()
	return n.ticket, n.ticket.Signed != nil
}

// SetTicket has the node show another ticket from now on, and keeps it and the
// record that came with it, which may be nil, in the data directory. Errors:
// ErrTicket, ErrNetworkRecord, ErrDir.
func (n *Node) SetTicket(record, signed []byte) error {
	t, err := ownTicket(signed, n.networkFile().ID, n.ID())
	if err != nil {
		return err
	}
	if err := n.takeRecord(record); err != nil {
		return err
	}
	n.netMu.Lock()
	defer n.netMu.Unlock()
	if err := saveTicket(n.cfg.Dir, signed); err != nil {
		return err
	}
	n.ticket = t
	return nil
}

// lookAtTicket takes over the ticket that a command has put into the directory.
func (n *Node) lookAtTicket() {
	n.netMu.Lock()
	defer n.netMu.Unlock()
	t, found, err := readTicket(n.cfg.Dir, n.net.ID, n.ID())
	if err != nil || !found {
		return // the next start says what is wrong with it
	}
	if !bytes.Equal(t.Signed, n.ticket.Signed) {
		n.ticket = t
		n.log.Info("the node has a ticket", "until", t.To)
	}
}

// Registrars are the peers that the network's root made registrars.
func (n *Node) Registrars() []peer.ID {
	set, _ := n.networkFile().Registrars()
	return set
}

// Former are those who were registrars before.
func (n *Node) Former() []Former { return n.networkFile().Former() }

// Record returns the network's record as its root signed it, the newest that a
// command has put into the directory: who was just added registers to be told. It
// is nil where there is none or it is not known yet.
func (n *Node) Record() []byte {
	if n.Network().Mode.hasRoot() {
		n.lookAtFile()
	}
	return n.networkFile().Record
}

// Spare keeps the node from closing the connections with p, which is not admitted
// yet, until release is called: one of the two is registering with the other.
func (n *Node) Spare(p peer.ID) (release func()) { return n.door.Spare(p) }

// PublicHost returns the real host, on which strangers are too. It is for what
// admits them, and for nothing else: everything on it must bear the hostile.
func (n *Node) PublicHost() host.Host { return n.host }

// checkTicket says what is wrong with the ticket that p shows, if anything. Whom
// we know was admitted before: where no registrar is left to renew its ticket it is
// admitted a while longer.
//
// spec: 11-registrars §4
func (n *Node) checkTicket(p peer.ID, signed []byte) error {
	key, err := wire.Author(p)
	if err != nil {
		return err
	}
	f := n.networkFile()
	rules := ticket.Rules{Network: f.ID, Registrar: f.isRegistrar, Now: n.Now()}
	if n.book.knows(p) {
		rules.Grace = ticket.Grace
	}
	_, err = rules.Verify(signed, key)
	return err
}
