package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"log/slog"
	"strings"
	"unicode"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/wire"
)

// Invite lets its reader into a network. Whoever sees the text of one with a
// secret can join: it is handed over like a key, and never logged.
type Invite struct {
	Network [32]byte
	Mode    Mode
	Epoch   uint64   // of Secret; 0 without one
	Secret  [32]byte // in ModeSecret and ModeAdHoc
	// Fingerprint is SHA-256 of the certificate with which a registrar serves over
	// TLS, in ModeCertified; zero: none is named.
	Fingerprint [32]byte
	// Addr is one peer with one address to begin with; nil when there is none.
	Addr *peer.AddrInfo
}

// The text is "PARLEY:" and upper-case base32 (RFC 4648 §6) without padding of
//
//	1 byte    version, 1
//	1 byte    mode
//	32 bytes  network ID
//	          in modes 2 and 4:
//	varint      number of the secret's epoch, from 1
//	32 bytes    secret
//	          in mode 3:
//	32 bytes    SHA-256 of the registrar's TLS certificate, or zeros
//	          and if there is an address:
//	32 bytes    Ed25519 public key of the peer there
//	1…128 bytes its multiaddr in binary, without /p2p
//	4 bytes   SHA-256("parley/invite/1" ‖ all of the above)[:4]
//
// The last four bytes find typing errors. Without them a wrong letter would
// name a network or a secret that nobody has: the joiner would wait for ever
// and never learn why.
//
// spec: 01-network §6
const (
	invitePrefix  = "PARLEY:"
	inviteVersion = 1
	inviteDomain  = "parley/invite/1"
	inviteCheck   = 4
	maxInviteAddr = 128

	// qrChars is what a QR code of version 5, level L holds: the largest that
	// fits a terminal of 24 lines.
	qrChars = 154
)

var inviteBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// String returns the invite's text, which holds its secret.
func (v Invite) String() string {
	b := []byte{inviteVersion, byte(v.Mode)}
	b = append(b, v.Network[:]...)
	if v.Mode.hasSecret() {
		b = binary.AppendUvarint(b, v.Epoch)
		b = append(b, v.Secret[:]...)
	}
	if v.Mode == ModeCertified {
		b = append(b, v.Fingerprint[:]...)
	}
	if v.Addr != nil {
		b = append(b, v.addrBytes()...)
	}
	return invitePrefix + inviteBase32.EncodeToString(append(b, inviteSum(b)...))
}

// QRText returns the text for a QR code: without the address when the whole
// does not fit a code that a small terminal can show.
func (v Invite) QRText() string {
	if text := v.String(); len(text) <= qrChars {
		return text
	}
	v.Addr = nil
	return v.String()
}

// LogValue keeps the secret out of logs.
func (v Invite) LogValue() slog.Value { return slog.StringValue("invite to " + tagOf(v.Network)) }

// addrBytes returns the peer's key and address, or nothing if they do not
// have the form an invite carries.
func (v Invite) addrBytes() []byte {
	if len(v.Addr.Addrs) == 0 {
		return nil
	}
	key, err := wire.Author(v.Addr.ID)
	raw := v.Addr.Addrs[0].Bytes()
	if err != nil || len(raw) == 0 || len(raw) > maxInviteAddr {
		return nil
	}
	return append(key[:], raw...)
}

func inviteSum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte(inviteDomain), b...))
	return sum[:inviteCheck]
}

// ParseInvite reads an invite's text. White space and the difference between
// small letters and capitals are ignored, since people paste and type it; all
// else must be exactly as String writes it. Errors: ErrInvite,
// ErrInviteVersion.
func ParseInvite(text string) (Invite, error) {
	raw, err := inviteBytes(text)
	if err != nil {
		return Invite{}, err
	}
	if len(raw) < 2+32+inviteCheck {
		return Invite{}, ErrInvite.Withf("the invite is cut short")
	}
	body, sum := raw[:len(raw)-inviteCheck], raw[len(raw)-inviteCheck:]
	if body[0] > inviteVersion {
		return Invite{}, ErrInviteVersion
	}
	if !bytes.Equal(sum, inviteSum(body)) {
		return Invite{}, ErrInvite.Withf("the invite has a typing error or is cut short")
	}
	v, ok := parseInviteBody(body)
	if !ok {
		return Invite{}, ErrInvite.Withf("the invite is malformed")
	}
	return v, nil
}

func inviteBytes(text string) ([]byte, error) {
	const maxText = 4096
	if len(text) > maxText {
		return nil, ErrInvite.Withf("the invite is too long")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, text)
	code, found := strings.CutPrefix(text, invitePrefix)
	if !found {
		return nil, ErrInvite.Withf("an invite begins with %s", invitePrefix)
	}
	for i, r := range code {
		if !('A' <= r && r <= 'Z' || '2' <= r && r <= '7') {
			return nil, ErrInvite.Withf("character %d of the invite, %q, is neither a letter nor 2 to 7", len(invitePrefix)+i+1, r)
		}
	}
	raw, err := inviteBase32.DecodeString(code)
	if err != nil || inviteBase32.EncodeToString(raw) != code { // the last bits must be zero
		return nil, ErrInvite.Withf("the invite has a typing error or is cut short")
	}
	return raw, nil
}

// parseInviteBody reads what stands before the check bytes.
func parseInviteBody(b []byte) (v Invite, ok bool) {
	v.Mode = Mode(b[1])
	if _, known := modeNames[v.Mode]; !known || b[0] != inviteVersion {
		return v, false
	}
	v.Network, b = [32]byte(b[2:34]), b[34:]
	if v.Mode.hasSecret() {
		epoch, n := binary.Uvarint(b)
		if n <= 0 || n != len(binary.AppendUvarint(nil, epoch)) || epoch == 0 || len(b) < n+32 {
			return v, false
		}
		v.Epoch, v.Secret, b = epoch, [32]byte(b[n:n+32]), b[n+32:]
	}
	if v.Mode == ModeCertified {
		if len(b) < len(v.Fingerprint) {
			return v, false
		}
		v.Fingerprint, b = [32]byte(b[:32]), b[32:]
	}
	if len(b) == 0 {
		return v, true
	}
	v.Addr, ok = parseInviteAddr(b)
	return v, ok
}

func parseInviteAddr(b []byte) (*peer.AddrInfo, bool) {
	if len(b) < 32+1 || len(b) > 32+maxInviteAddr {
		return nil, false
	}
	addr, err := ma.NewMultiaddrBytes(b[32:])
	if err != nil || !listenable(addr) || !bytes.Equal(addr.Bytes(), b[32:]) {
		return nil, false
	}
	if _, err := addr.ValueForProtocol(ma.P_P2P); err == nil {
		return nil, false
	}
	return &peer.AddrInfo{ID: wire.PeerID([32]byte(b[:32])), Addrs: []ma.Multiaddr{addr}}, true
}
