package audit

import (
	"crypto/ed25519"
	"errors"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/note"
)

// namePrefix begins the name of a log and of whoever signs. The first line of a
// checkpoint is such a name: so a peer's key signs with it what is a checkpoint
// and nothing else.
const namePrefix = "parley/audit/1/"

var errName = errors.New("it is not the name of a registrar's log")

// logName is the name of a registrar's log, and of his key in notes.
//
// spec: 12-audit §4
func logName(tag string, id peer.ID) string { return namePrefix + tag + "/" + id.String() }

// parseName reads a name in its one form.
func parseName(name string) (tag string, id peer.ID, err error) {
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok || len(name) > 128 {
		return "", "", errName
	}
	tag, text, _ := strings.Cut(rest, "/")
	id, err = peer.Decode(text)
	if err != nil || !isTag(tag) || logName(tag, id) != name {
		return "", "", errName
	}
	return tag, id, nil
}

// isTag reports the eight hex digits that name a network.
func isTag(tag string) bool {
	return len(tag) == 8 && strings.Trim(tag, "0123456789abcdef") == ""
}

// signer signs notes with a registrar's peer key.
type signer struct {
	note.Verifier
	sign func([]byte) []byte
}

func (s signer) Sign(msg []byte) ([]byte, error) { return s.sign(msg), nil }

// NewSigner returns what signs checkpoints in the name of a registrar: public is
// the Ed25519 key of his peer ID and sign signs with it; tag is his network's.
func NewSigner(tag string, public [32]byte, sign func(msg []byte) []byte) (note.Signer, error) {
	key, err := crypto.UnmarshalEd25519PublicKey(public[:])
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return nil, err
	}
	if !isTag(tag) {
		return nil, errName
	}
	v, err := verifierOf(logName(tag, id), id)
	if err != nil {
		return nil, err
	}
	return signer{v, sign}, nil
}

// verifierOf checks signatures of the key that a peer ID holds.
func verifierOf(name string, id peer.ID) (note.Verifier, error) {
	key, err := id.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return nil, errName
	}
	raw, err := key.Raw()
	if err != nil {
		return nil, err
	}
	text, err := note.NewEd25519VerifierKey(name, ed25519.PublicKey(raw))
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// byName finds the key of whoever is named: it is in the name. Whether he is
// trusted is another matter. Signatures by names of other kinds are passed over.
type byName struct{}

func (byName) Verifier(name string, hash uint32) (note.Verifier, error) {
	_, id, err := parseName(name)
	if err != nil {
		return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
	}
	v, err := verifierOf(name, id)
	if err != nil || v.KeyHash() != hash {
		return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
	}
	return v, nil
}
