// Package heartbeat is what a node tells the registrars of its network while it
// runs: that it is there, where, and how busy it is. A heartbeat is a signal: signed,
// short-lived, never stored. It says itself whose it is, so registrars pass it on
// among each other as it came.
//
//	data := h.Encode(network, sign)
//	h, err := heartbeat.Decode(network, data)
//
// The package is pure. Whether a heartbeat is newer than another and whether its
// author is a member is for who takes it.
//
// spec: 11-registrars §6.1
package heartbeat

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/wire"
)

// Limits of a heartbeat. spec: 11-registrars §6.1
const (
	MaxSize    = 2 << 10 // bytes of an encoded heartbeat, signature included
	MaxAddrs   = 8
	MaxAddr    = 192 // bytes of one address
	MaxZone    = 64  // bytes
	MaxVersion = 64  // bytes
	MaxLoad    = 100 // percent

	MinInterval = time.Second
	MaxInterval = time.Minute

	maxTime = 1 << 48 // so that differences of two do not overflow
)

// Why a heartbeat is refused: what is wrong for everyone.
var (
	ErrForm      = errors.New("heartbeat malformed")
	ErrSignature = errors.New("heartbeat signature wrong")
)

// Heartbeat is what a node tells of itself.
type Heartbeat struct {
	Author   [32]byte       // raw Ed25519 key
	Time     int64          // the author's clock, Unix ms
	Seq      uint64         // at least 1; rises with each heartbeat of the author, over restarts too
	Interval time.Duration  // the next one comes within about this; whole ms, MinInterval to MaxInterval
	Zone     string         // may be empty
	Addrs    []ma.Multiaddr // the most useful first, without /p2p
	Version  string         // of the program; may be empty
	Load     uint8          // of the machine's processors, in percent of all of them
	Goodbye  bool           // the author is closing
}

// Encoded layout, known fields strict, unknown ones skipped:
//
//	Envelope { bytes body = 1; bytes signature = 2 }
//	Body     { bytes author = 1; uint64 time = 2; uint64 seq = 3; uint64 interval_ms = 4; string zone = 5;
//	           repeated bytes addrs = 6; string version = 7; uint64 load = 8; uint64 flags = 9 }
//
// spec: 11-registrars §6.1
const (
	domain      = "parley/heartbeat/1"
	flagGoodbye = 1
)

// signed returns what the author signs.
func signed(network [32]byte, body []byte) []byte {
	b := make([]byte, 0, len(domain)+len(network)+len(body))
	b = append(append(b, domain...), network[:]...)
	return append(b, body...)
}

// Encode signs h for a network and returns its envelope. Addresses beyond the first
// MaxAddrs, and those that are too long, are left out.
func (h *Heartbeat) Encode(network [32]byte, sign func([]byte) []byte) []byte {
	body := h.body()
	return wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, sign(signed(network, body)))
}

func (h *Heartbeat) body() []byte {
	b := wire.AppendBytes(nil, 1, h.Author[:])
	b = wire.AppendUint(b, 2, uint64(h.Time))
	b = wire.AppendUint(b, 3, h.Seq)
	b = wire.AppendUint(b, 4, uint64(h.Interval.Milliseconds()))
	b = wire.AppendBytes(b, 5, []byte(h.Zone))
	told := 0
	for _, a := range h.Addrs {
		if raw := a.Bytes(); told < MaxAddrs && len(raw) <= MaxAddr {
			b = wire.AppendBytes(b, 6, raw)
			told++
		}
	}
	b = wire.AppendBytes(b, 7, []byte(h.Version))
	b = wire.AppendUint(b, 8, uint64(h.Load))
	if h.Goodbye {
		b = wire.AppendUint(b, 9, flagGoodbye)
	}
	return b
}

// Decode reads and verifies an envelope: form, limits, and the signature of the
// author it names. It keeps nothing of data. Errors: ErrForm, ErrSignature.
func Decode(network [32]byte, data []byte) (*Heartbeat, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrForm, len(data))
	}
	body, signature, err := wire.Envelope(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	h, err := decode(body)
	if err != nil {
		return nil, err
	}
	if len(signature) != ed25519.SignatureSize || !ed25519.Verify(h.Author[:], signed(network, body), signature) {
		return nil, ErrSignature
	}
	return h, nil
}

func decode(body []byte) (*Heartbeat, error) {
	h := new(Heartbeat)
	var author []byte
	var interval, load uint64
	err := wire.Fields(body, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			author = v
		case 2:
			h.Time = int64(n)
		case 3:
			h.Seq = n
		case 4:
			interval = n
		case 5:
			h.Zone = string(v)
		case 6:
			return h.addAddr(v)
		case 7:
			h.Version = string(v)
		case 8:
			load = n
		case 9:
			h.Goodbye = n&flagGoodbye != 0
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	switch {
	case len(author) != len(h.Author):
		return nil, fmt.Errorf("%w: author of %d bytes", ErrForm, len(author))
	case h.Time <= 0 || h.Time > maxTime || h.Seq == 0:
		return nil, fmt.Errorf("%w: time %d, sequence number %d", ErrForm, h.Time, h.Seq)
	case interval < uint64(MinInterval.Milliseconds()) || interval > uint64(MaxInterval.Milliseconds()):
		return nil, fmt.Errorf("%w: interval of %d ms", ErrForm, interval)
	case load > MaxLoad:
		return nil, fmt.Errorf("%w: load of %d %%", ErrForm, load)
	case !seen(h.Zone, MaxZone) || !seen(h.Version, MaxVersion):
		return nil, fmt.Errorf("%w: text", ErrForm)
	}
	h.Author, h.Load = [32]byte(author), uint8(load)
	h.Interval = time.Duration(interval) * time.Millisecond
	return h, nil
}

func (h *Heartbeat) addAddr(b []byte) error {
	if len(h.Addrs) == MaxAddrs || len(b) > MaxAddr {
		return errors.New("addresses")
	}
	a, err := ma.NewMultiaddrBytes(b)
	if err != nil {
		return err
	}
	if !seen(a.String(), 8*MaxAddr) {
		return errors.New("an address that cannot be shown")
	}
	h.Addrs = append(h.Addrs, a)
	return nil
}

// seen reports whether a text may be shown: a terminal does as it is told.
func seen(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
