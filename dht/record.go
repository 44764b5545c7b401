package dht

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/wire"
)

// Limits of a record. spec: 09-dht §3
const (
	maxRecord  = 4 << 10 // bytes, signature included
	maxText    = 256     // bytes of a nick
	maxZone    = 64      // bytes
	maxVersion = 64      // bytes
	maxAddrs   = 16
	maxAddr    = 256 // bytes of one address
	maxLife    = 48 * time.Hour
	maxAhead   = 5 * time.Minute // of the clock of who made it
)

// Why a record is refused.
var (
	errForm      = errors.New("record malformed")
	errSignature = errors.New("record signature wrong")
	errKey       = errors.New("record of another node")
	errTime      = errors.New("record out of time")
)

// Record is what a node tells of itself to all who look for it.
type Record struct {
	ID      peer.ID
	Made    time.Time // whole ms; of two records the later one counts
	Expiry  time.Time // whole ms; at most 48 hours after Made
	Nick    string    // may be empty
	Zone    string    // may be empty
	Addrs   []ma.Multiaddr
	Version string // of the software
}

// Encoded layout, as signals have it:
//
//	Envelope { bytes body = 1; bytes signature = 2 }
//	Body     { bytes author = 1; uint64 made_ms = 2; uint64 expiry_ms = 3; string nick = 4; string zone = 5;
//	           repeated bytes addrs = 6; string version = 7 }
//
// spec: 09-dht §3
const domain = "parley/peer/1"

func signed(network [32]byte, body []byte) []byte {
	b := append(make([]byte, 0, len(domain)+len(network)+len(body)), domain...)
	return append(append(b, network[:]...), body...)
}

// encode signs r for a network. Errors: an ID that holds no Ed25519 key.
func (r *Record) encode(network [32]byte, sign func([]byte) []byte) ([]byte, error) {
	author, err := wire.Author(r.ID)
	if err != nil {
		return nil, err
	}
	b := wire.AppendBytes(nil, 1, author[:])
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(r.Made.UnixMilli()))
	b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(r.Expiry.UnixMilli()))
	b = wire.AppendBytes(wire.AppendBytes(b, 4, []byte(r.Nick)), 5, []byte(r.Zone))
	for _, a := range r.Addrs[:min(len(r.Addrs), maxAddrs)] {
		b = wire.AppendBytes(b, 6, a.Bytes())
	}
	b = wire.AppendBytes(b, 7, []byte(r.Version))
	return wire.AppendBytes(wire.AppendBytes(nil, 1, b), 2, sign(signed(network, b))), nil
}

// decodeRecord reads and verifies a record: form, limits, and the signature of
// the node it names.
func decodeRecord(network [32]byte, data []byte) (*Record, error) {
	if len(data) > maxRecord {
		return nil, fmt.Errorf("%w: %d bytes", errForm, len(data))
	}
	body, signature, err := wire.Envelope(data)
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	r := new(Record)
	author, err := r.read(body)
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	if !ed25519.Verify(author, signed(network, body), signature) {
		return nil, errSignature
	}
	return r, nil
}

func (r *Record) read(body []byte) (author ed25519.PublicKey, err error) {
	err = wire.Fields(body, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			author = v
		case 2:
			r.Made = milliseconds(n)
		case 3:
			r.Expiry = milliseconds(n)
		case 4:
			r.Nick = string(v)
		case 5:
			r.Zone = string(v)
		case 6:
			return r.addAddr(v)
		case 7:
			r.Version = string(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(author) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("author of %d bytes", len(author))
	case !readable(r.Nick, maxText) || !readable(r.Zone, maxZone) || !readable(r.Version, maxVersion):
		return nil, errors.New("text")
	case r.Expiry.Before(r.Made) || r.Expiry.Sub(r.Made) > maxLife:
		return nil, errors.New("life")
	}
	r.ID = wire.PeerID([32]byte(author))
	return author, nil
}

// milliseconds bounds times so that differences of two do not overflow.
func milliseconds(n uint64) time.Time { return time.UnixMilli(int64(min(n, 1<<48))) }

func (r *Record) addAddr(b []byte) error {
	if len(r.Addrs) == maxAddrs || len(b) > maxAddr {
		return errors.New("addresses")
	}
	a, err := ma.NewMultiaddrBytes(b)
	if err != nil {
		return err
	}
	r.Addrs = append(r.Addrs, a)
	return nil
}

// readable reports whether s may be shown: UTF-8 without control characters
// and marks of writing direction.
func readable(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return false
		}
	}
	return true
}
