package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Identity is what makes a node itself: its Ed25519 key, whose public half is
// its peer ID and the author of its events, and the key under which its store
// is encrypted. It lies in DIR/identity.key, 0600, unsealed.
type Identity struct {
	key   ed25519.PrivateKey
	id    peer.ID
	store [32]byte
}

// ID returns the peer ID of the identity's public key.
func (i *Identity) ID() peer.ID { return i.id }

// Author returns the raw Ed25519 public key.
func (i *Identity) Author() [32]byte { return [32]byte(i.key.Public().(ed25519.PublicKey)) }

// Sign signs msg, which must begin with a tag that names what it is.
func (i *Identity) Sign(msg []byte) []byte { return ed25519.Sign(i.key, msg) }

// StoreKey returns the key of the store's encryption at rest.
func (i *Identity) StoreKey() [32]byte { return i.store }

// LogValue keeps the keys out of logs.
func (i *Identity) LogValue() slog.Value { return slog.StringValue(i.id.String()) }

// libp2pKey returns the key in the form a libp2p host takes.
func (i *Identity) libp2pKey() crypto.PrivKey {
	key, err := crypto.UnmarshalEd25519PrivateKey(i.key)
	if err != nil {
		panic(err) // i.key has the right length by construction
	}
	return key
}

// LoadIdentity reads the identity of a data directory and changes nothing.
// Errors: ErrNoIdentity, ErrPermissions, ErrIdentityCorrupt, ErrDir.
func LoadIdentity(dir string) (*Identity, error) {
	data, err := readFile(filepath.Join(dir, identityFile), 4<<10, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoIdentity
	case errors.Is(err, ErrPermissions):
		return nil, err
	case err != nil:
		return nil, ErrDir.With(err)
	}
	return parseIdentity(data)
}

// OpenIdentity reads the identity of a data directory, and makes both where
// they are absent. A damaged identity is reported and never replaced.
func OpenIdentity(dir string) (*Identity, error) { return openIdentity(dir, orSilent(nil)) }

func openIdentity(dir string, log *slog.Logger) (*Identity, error) {
	if err := prepareDir(dir, log); err != nil {
		return nil, err
	}
	id, err := LoadIdentity(dir)
	if !errors.Is(err, ErrNoIdentity) {
		return id, err
	}
	id, err = newIdentity()
	if err != nil {
		return nil, err
	}
	err = createFile(filepath.Join(dir, identityFile), id.encode())
	if errors.Is(err, fs.ErrExist) { // another process was faster: its identity counts
		return LoadIdentity(dir)
	}
	if err != nil {
		return nil, ErrDir.With(err)
	}
	return id, nil
}

func newIdentity() (*Identity, error) {
	var seed, store [32]byte
	_, _ = rand.Read(seed[:]) // crypto/rand never fails
	_, _ = rand.Read(store[:])
	return makeIdentity(seed, store)
}

func makeIdentity(seed, store [32]byte) (*Identity, error) {
	i := &Identity{key: ed25519.NewKeyFromSeed(seed[:]), store: store}
	id, err := peer.IDFromPublicKey(i.libp2pKey().GetPublic())
	if err != nil {
		return nil, fmt.Errorf("peer ID: %w", err)
	}
	i.id = id
	return i, nil
}

// The file is text, so that it survives copying, mailing and printing:
//
//	# a comment, always this one
//	parley-identity 1
//	key   base64 of the Ed25519 seed, 32 bytes
//	store base64 of the store's key, 32 bytes
//	check hex of SHA-256(all lines above)[:8]
//
// The check tells damage from another identity: a seed with one wrong bit is
// a valid key of somebody else.
const identityHead = "# Parley identity. Keep it secret: who has it is you and can read your history.\nparley-identity 1\n"

func (i *Identity) encode() []byte {
	b := []byte(identityHead)
	b = fmt.Appendf(b, "key %s\n", base64.StdEncoding.EncodeToString(i.key.Seed()))
	b = fmt.Appendf(b, "store %s\n", base64.StdEncoding.EncodeToString(i.store[:]))
	return fmt.Appendf(b, "check %s\n", identityCheck(b))
}

func identityCheck(above []byte) string {
	sum := sha256.Sum256(above)
	return hex.EncodeToString(sum[:8])
}

// parseIdentity accepts exactly what encode writes.
func parseIdentity(data []byte) (*Identity, error) {
	lines := strings.Split(strings.TrimPrefix(string(data), identityHead), "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, ErrIdentityCorrupt.Withf("identity.key does not have the lines of version 1")
	}
	seed, err := identityLine(lines[0], "key ")
	if err != nil {
		return nil, err
	}
	store, err := identityLine(lines[1], "store ")
	if err != nil {
		return nil, err
	}
	id, err := makeIdentity(seed, store)
	if err != nil {
		return nil, ErrIdentityCorrupt.With(err)
	}
	if !bytes.Equal(id.encode(), data) {
		return nil, ErrIdentityCorrupt.Withf("identity.key does not match its check line")
	}
	return id, nil
}

func identityLine(line, name string) (key [32]byte, err error) {
	text, found := strings.CutPrefix(line, name)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !found || err != nil || len(raw) != len(key) {
		return key, ErrIdentityCorrupt.Withf("identity.key has no valid line %q", strings.TrimSpace(name))
	}
	return [32]byte(raw), nil
}
