package node

import (
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Member is a data directory's identity and network while no node need run on it:
// what registers before a node can be admitted.
type Member struct {
	dir  string
	id   *Identity
	file *NetworkFile
}

// OpenMember makes the directory and its identity, if they are absent, and joins
// the network of the invite, if one is given. Errors: as [Start].
func OpenMember(dir string, invite *Invite) (*Member, error) {
	log := orSilent(nil)
	if err := prepareDir(dir, log); err != nil {
		return nil, err
	}
	id, err := openIdentity(dir, log)
	if err != nil {
		return nil, err
	}
	f, err := openNetwork(dir, NetworkConfig{Invite: invite}, log)
	if err != nil {
		return nil, err
	}
	m := &Member{dir: dir, id: id, file: f}
	if invite != nil && invite.Addr != nil {
		return m, m.Remember([]peer.AddrInfo{*invite.Addr})
	}
	return m, nil
}

// ID returns the peer ID.
func (m *Member) ID() peer.ID { return m.id.ID() }

// Key returns the key of the peer ID, to make a host with.
func (m *Member) Key() crypto.PrivKey { return m.id.libp2pKey() }

// Sign signs msg, which must begin with a tag that names what it is.
func (m *Member) Sign(msg []byte) []byte { return m.id.Sign(msg) }

// Network returns the network that the directory is in.
func (m *Member) Network() Network { return m.file.Network }

// Fingerprint is SHA-256 of the certificate of the registrar that the invite named;
// nil if it named none.
func (m *Member) Fingerprint() *[32]byte {
	if m.file.Fingerprint == [32]byte{} {
		return nil
	}
	f := m.file.Fingerprint
	return &f
}

// Remember takes note of peers to dial at the next start. A node that runs on the
// directory meanwhile keeps its own book.
func (m *Member) Remember(peers []peer.AddrInfo) error {
	book := openPeerBook(m.dir, orSilent(nil))
	for _, p := range peers {
		if p.ID != m.ID() {
			book.introduce(p)
		}
	}
	return book.flush()
}
