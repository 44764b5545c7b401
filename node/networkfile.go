package node

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/disk"
	"github.com/parley-chat/parley/internal/hello"
)

// Epoch is a secret of a closed network and its number, from 1.
type Epoch struct {
	Number uint64
	Secret [32]byte
}

// NetworkFile is what a data directory remembers of its network, in
// DIR/network.json. It is a value: methods that change something return
// another one.
type NetworkFile struct {
	Network
	// Epochs are the secrets known here, by rising number, at most 16. Empty
	// in open networks; certified ones have them only while they are new.
	Epochs []Epoch
	// Record is the network's record as the root signed it; empty where there
	// is none or a joiner does not have it yet.
	Record []byte
	// Fingerprint is SHA-256 of the certificate with which the registrar that the
	// invite named serves; zero: none.
	Fingerprint [32]byte
}

// LogValue keeps the secrets out of logs.
func (f *NetworkFile) LogValue() slog.Value { return slog.StringValue(f.Name + " " + f.Tag) }

// Epoch returns the newest epoch; zero where there is no secret.
func (f *NetworkFile) Epoch() Epoch {
	if len(f.Epochs) == 0 {
		return Epoch{}
	}
	return f.Epochs[len(f.Epochs)-1]
}

// helloSecrets are the secrets to offer in hello: the newest epochs, or the one
// of an open network.
//
// spec: 01-network §2.4
func (f *NetworkFile) helloSecrets() []hello.Secret {
	if f.Mode == ModeOpen {
		return []hello.Secret{hello.Open(f.ID)}
	}
	if f.Mode == ModeCertified && len(f.record().Epochs) == 0 {
		return nil
	}
	var out []hello.Secret
	for _, e := range f.Epochs[max(0, len(f.Epochs)-hello.MaxEpochs):] {
		out = append(out, hello.Secret{Epoch: e.Number, Key: e.Secret})
	}
	return out
}

// SecretAdmits reports whether a secret admits to the network as far as is known
// here: not in open networks, nor in certified ones whose root has ended that.
func (f *NetworkFile) SecretAdmits() bool { return f.Mode != ModeOpen && len(f.helloSecrets()) > 0 }

// Invite returns an invite to the network. addr is a peer with one address to
// begin with, or nil.
func (f *NetworkFile) Invite(addr *peer.AddrInfo) Invite {
	e := f.Epoch()
	v := Invite{Network: f.ID, Mode: f.Mode, Epoch: e.Number, Secret: e.Secret, Fingerprint: f.Fingerprint}
	if addr != nil && len(addr.Addrs) > 0 {
		v.Addr = &peer.AddrInfo{ID: addr.ID, Addrs: []ma.Multiaddr{addr.Addrs[0]}}
		if v.addrBytes() == nil {
			v.Addr = nil
		}
	}
	return v
}

// withRecord returns the file with a newer record that a peer served. changed
// is false, and the file the same, when the record is not newer than the one
// known. The error is ErrNetworkRecord; networks without a root have none.
func (f *NetworkFile) withRecord(signed []byte) (file *NetworkFile, changed bool, err error) {
	if !f.Mode.hasRoot() {
		return f, false, ErrNetworkRecord.Withf("a network record in a network of mode %v", f.Mode)
	}
	r, err := verifyRecord(signed, f.ID)
	if err != nil {
		return f, false, err
	}
	if len(f.Record) > 0 {
		if old, err := verifyRecord(f.Record, f.ID); err == nil && old.Sequence >= r.Sequence {
			return f, false, nil
		}
	}
	g := *f
	g.Name, g.Mode, g.Record = r.Name, r.Mode, bytes.Clone(signed)
	g.Epochs = acceptedEpochs(f.Epochs, r.Epochs)
	return &g, true, nil
}

// acceptedEpochs leaves out the secrets that the record no longer accepts. One
// newer than all it names came by an invite ahead of its record, and stays. If
// nothing would be left, all stay: a node whose secret is outdated needs a new
// invite, and says so by its failing hello.
func acceptedEpochs(known []Epoch, accepted []uint64) []Epoch {
	var left []Epoch
	for _, e := range known {
		if len(accepted) == 0 || slices.Contains(accepted, e.Number) || e.Number > accepted[len(accepted)-1] {
			left = append(left, e)
		}
	}
	if len(left) == 0 {
		return known
	}
	return left
}

// withEpoch returns the file with one more secret.
func (f *NetworkFile) withEpoch(e Epoch) (*NetworkFile, error) {
	for _, known := range f.Epochs {
		switch {
		case known == e:
			return f, nil
		case known.Number == e.Number:
			return f, ErrInvite.Withf("the invite's secret is not the one this directory knows for epoch %d", e.Number)
		}
	}
	g := *f
	g.Epochs = append(slices.Clone(f.Epochs), e)
	slices.SortFunc(g.Epochs, func(a, b Epoch) int { return cmp.Compare(a.Number, b.Number) })
	if len(g.Epochs) > maxEpochs {
		g.Epochs = g.Epochs[1:]
	}
	return &g, nil
}

// CreateNetwork makes a closed network: a root key in DIR/root.key, the first
// signed record in DIR/network.json and, in ModeSecret, the first secret; in
// ModeCertified registrars admit, which are to be added. The directory must not
// belong to a network yet. Errors: ErrNetworkName, ErrOtherNetwork, ErrDir,
// ErrPermissions.
func CreateNetwork(dir, name string, mode Mode) (*NetworkFile, error) {
	name, err := networkName(name)
	if err != nil {
		return nil, err
	}
	if err := prepareDir(dir, orSilent(nil)); err != nil {
		return nil, err
	}
	if f, err := LoadNetwork(dir); err == nil {
		return nil, otherNetwork(f, "a new network")
	} else if !errors.Is(err, ErrNoNetwork) {
		return nil, err
	}
	// The root key first: a network.json without its root key could never
	// rotate, a root key without a network harms nobody.
	root, err := foundingKey(dir)
	if err != nil {
		return nil, err
	}
	f, err := foundNetwork(name, mode, root)
	if err != nil {
		return nil, err
	}
	if err := f.create(dir); err != nil {
		return nil, err
	}
	return f, nil
}

func foundNetwork(name string, mode Mode, root ed25519.PrivateKey) (*NetworkFile, error) {
	id := [32]byte(root.Public().(ed25519.PublicKey))
	f := &NetworkFile{Network: makeNetwork(id, name, mode)}
	r := networkRecord{
		Version: recordV1, Network: id, Name: name, Mode: mode, Sequence: 1, WireMin: wireVersion, WireMax: wireVersion,
	}
	if mode.hasSecret() {
		first := Epoch{Number: 1}
		_, _ = rand.Read(first.Secret[:])
		f.Epochs, r.Epochs = []Epoch{first}, []uint64{first.Number}
	}
	var err error
	f.Record, err = signRecord(r, root)
	return f, err
}

// wireVersion is the version of the wire protocol spoken here, major<<8 | minor.
const wireVersion = 0x0100

// LoadNetwork reads what a directory remembers and changes nothing. Errors:
// ErrNoNetwork, ErrNetworkCorrupt, ErrPermissions, ErrDir.
func LoadNetwork(dir string) (*NetworkFile, error) {
	data, err := readFile(filepath.Join(dir, networkFile), 64<<10, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoNetwork
	case errors.Is(err, ErrPermissions):
		return nil, err
	case err != nil:
		return nil, ErrDir.With(err)
	}
	f, err := parseNetworkFile(data)
	if err != nil {
		return nil, ErrNetworkCorrupt.With(err)
	}
	return f, nil
}

func (f *NetworkFile) create(dir string) error {
	err := createFile(filepath.Join(dir, networkFile), f.encode())
	if errors.Is(err, fs.ErrExist) {
		return ErrOtherNetwork
	}
	if err != nil {
		return ErrDir.With(err)
	}
	return nil
}

// save replaces DIR/network.json.
func (f *NetworkFile) save(dir string) error {
	if err := disk.Replace(filepath.Join(dir, networkFile), f.encode()); err != nil {
		return ErrDir.With(err)
	}
	return nil
}
