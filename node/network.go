package node

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// defaultNetwork is the open network of nodes that are told nothing else.
const defaultNetwork = "lan"

// Mode says how membership in a network is proven.
type Mode uint8

// The modes; the values stand in invites and network records and are only
// appended to.
const (
	ModeOpen      Mode = 1 // whoever knows the name
	ModeSecret    Mode = 2 // a secret carried by the invite; the root key signs the record
	ModeCertified Mode = 3 // a registrar's ticket; the root key signs the record
	ModeAdHoc     Mode = 4 // a name and a secret, without root key and record
)

var modeNames = map[Mode]string{
	ModeOpen: "open", ModeSecret: "secret", ModeCertified: "certified", ModeAdHoc: "adhoc",
}

// String returns the name of the mode as files and outputs show it.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// hasSecret reports whether members share a secret.
func (m Mode) hasSecret() bool { return m == ModeSecret || m == ModeAdHoc }

// hasRoot reports whether the network ID is a root's public key.
func (m Mode) hasRoot() bool { return m == ModeSecret || m == ModeCertified }

// Network names a network.
type Network struct {
	ID   [32]byte
	Name string // empty until a joiner has the signed record
	Mode Mode
	Tag  string // 8 hex digits derived from ID, in the names of protocols and topics
}

func makeNetwork(id [32]byte, name string, mode Mode) Network {
	return Network{ID: id, Name: name, Mode: mode, Tag: tagOf(id)}
}

// tagOf returns the 8 hex digits that protocol IDs, topics and the mDNS service
// of a network carry.
//
// spec: 01-network §3
func tagOf(id [32]byte) string {
	sum := sha256.Sum256(append([]byte("parley/tag/1"), id[:]...))
	return hex.EncodeToString(sum[:4])
}

// openNetworkID returns the ID of the open network of a name: its SHA-256.
//
// spec: 01-network §2.1
func openNetworkID(name string) ([32]byte, error) {
	name, err := networkName(name)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256([]byte(name)), nil
}

// adHocNetworkID returns the ID of the closed network made of a name and a
// secret. It depends on the name's comparison key, so capitals do not matter.
//
// spec: 01-network §2.3
func adHocNetworkID(name string, secret [32]byte) ([32]byte, error) {
	name, err := networkName(name)
	if err != nil {
		return [32]byte{}, err
	}
	key, err := precis.Nickname.CompareKey(name)
	if err != nil {
		return [32]byte{}, ErrNetworkName.With(err)
	}
	buf := append([]byte("parley/adhoc/1"), key...)
	return sha256.Sum256(append(buf, secret[:]...)), nil
}

// networkName returns a name in the form in which it is hashed, stored and
// shown: RFC 8266 enforcement, which trims and merges spaces and applies NFKC
// so that names that look alike are alike, and keeps capitals.
//
// spec: 01-network §2.1
func networkName(name string) (string, error) {
	if len(name) > 1024 { // before any work on it
		return "", ErrNetworkName
	}
	enforced, err := precis.Nickname.String(name)
	if err != nil {
		return "", ErrNetworkName.With(err)
	}
	if n := utf8.RuneCountInString(enforced); n < 1 || n > 64 {
		return "", ErrNetworkName.Withf("a network's name of %d characters", n)
	}
	return enforced, nil
}

// sameName compares names as RFC 8266 does.
func sameName(a, b string) bool {
	ka, errA := precis.Nickname.CompareKey(a)
	kb, errB := precis.Nickname.CompareKey(b)
	return errA == nil && errB == nil && ka == kb
}
