package node

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/wire"
)

func testAddr(t testing.TB, addr string) *peer.AddrInfo {
	t.Helper()
	id, err := makeIdentity(seq(0), seq(0x80))
	if err != nil {
		t.Fatal(err)
	}
	return &peer.AddrInfo{ID: id.ID(), Addrs: []ma.Multiaddr{ma.StringCast(addr)}}
}

func testInvites(t testing.TB) map[string]Invite {
	return map[string]Invite{
		"open":            {Network: seq(1), Mode: ModeOpen},
		"secret":          {Network: seq(1), Mode: ModeSecret, Epoch: 1, Secret: seq(2)},
		"late epoch":      {Network: seq(1), Mode: ModeSecret, Epoch: 300, Secret: seq(2)},
		"certified":       {Network: seq(1), Mode: ModeCertified, Addr: testAddr(t, "/ip4/10.0.0.1/udp/7330/quic-v1")},
		"a registrar's":   {Network: seq(1), Mode: ModeCertified, Fingerprint: seq(3)},
		"ad hoc":          {Network: seq(1), Mode: ModeAdHoc, Epoch: 1, Secret: seq(2)},
		"secret, address": {Network: seq(1), Mode: ModeSecret, Epoch: 1, Secret: seq(2), Addr: testAddr(t, "/ip6/fd00::1/tcp/7330")},
	}
}

// spec: 01-network M23
func TestInviteComesBack(t *testing.T) {
	for name, v := range testInvites(t) {
		text := v.String()
		for _, form := range []string{text, strings.ToLower(text), " " + text[:20] + "\r\n" + text[20:] + "\n"} {
			got, err := ParseInvite(form)
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, err, got, v)
			}
		}
		if strings.ContainsAny(text[len(invitePrefix):], "0189=abcdefghijklmnopqrstuvwxyz") || !strings.HasPrefix(text, "PARLEY:") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Every wrong, missing or swapped letter is noticed: a joiner would else wait
// for ever for a network that does not exist.
//
// spec: 01-network M27
func TestTypingErrorsAreFound(t *testing.T) {
	text := testInvites(t)["secret, address"].String()
	for i := len(invitePrefix); i < len(text); i++ {
		for _, c := range "AZ27" {
			if bad := text[:i] + string(c) + text[i+1:]; bad != text {
				refuseInvite(t, bad)
			}
		}
		refuseInvite(t, text[:i])
		refuseInvite(t, text[:i]+text[i+1:])
		if i+1 < len(text) && text[i] != text[i+1] {
			refuseInvite(t, text[:i]+text[i+1:i+2]+text[i:i+1]+text[i+2:])
		}
	}
	for _, bad := range []string{"", "PARLEY", "PARLEY:", "HTTPS://X", text + "A", text + "=", text + text, "x" + text, text[:30] + "1" + text[31:], strings.Repeat("A", 5000)} {
		refuseInvite(t, bad)
	}
	_, err := ParseInvite("PARLEY:ABC0")
	if err == nil || !strings.Contains(err.Error(), `character 11 of the invite, '0'`) {
		t.Errorf("a wrong letter is told as %v", err)
	}
}

// The last character may have bits that stand for nothing: one text, one invite.
//
// spec: 01-network M24
func TestSpareBitsAreZero(t *testing.T) {
	for name, v := range testInvites(t) {
		text := v.String()
		last := len(text) - 1
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" {
			if _, err := ParseInvite(text[:last] + string(c)); (err == nil) != (c == rune(text[last])) {
				t.Errorf("%s: ending in %c: %v", name, c, err)
			}
		}
	}
}

func refuseInvite(t *testing.T, text string) {
	t.Helper()
	if v, err := ParseInvite(text); err == nil {
		t.Fatalf("%q gave %+v", text, v)
	} else if !errors.Is(err, ErrInvite) && !errors.Is(err, ErrInviteVersion) {
		t.Fatalf("%q: %v", text, err)
	}
}

// body makes an invite's text of any bytes, with a right check.
func inviteText(body []byte) string {
	return invitePrefix + inviteBase32.EncodeToString(append(body, inviteSum(body)...))
}

// spec: 01-network M24, M25, M26
func TestMalformedInvites(t *testing.T) {
	net, secret := seq(1), seq(2)
	head := func(mode byte, rest ...byte) []byte {
		return append(append([]byte{1, mode}, net[:]...), rest...)
	}
	withSecret := func(epoch ...byte) []byte { return head(2, append(epoch, secret[:]...)...) }
	addr := testAddr(t, "/ip4/10.0.0.1/tcp/7330")
	key, _ := wire.Author(addr.ID)
	at := func(a string) []byte { return head(1, append(key[:], ma.StringCast(a).Bytes()...)...) }
	for name, body := range map[string][]byte{
		"version 0":             append([]byte{0, 1}, net[:]...),
		"mode 0":                head(0),
		"mode 9":                head(9),
		"no secret":             head(2),
		"half a secret":         head(2, append([]byte{1}, secret[:16]...)...),
		"epoch 0":               withSecret(0),
		"an epoch in two bytes": withSecret(0x81, 0),
		"an endless epoch":      withSecret(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"a key and no address":  head(1, key[:]...),
		"rubbish after it":      head(1, 0),
		"no multiaddr":          head(1, append(key[:], 0xff)...),
		"half a multiaddr":      head(1, append(key[:], addr.Addrs[0].Bytes()[:5]...)...),
		"a name to look up":     at("/dns4/example.org/tcp/1"),
		"a relay":               at("/p2p/" + addr.ID.String() + "/p2p-circuit"),
		"a peer ID inside":      at("/ip4/10.0.0.1/tcp/1/p2p/" + addr.ID.String()),
		"a long address":        head(1, append(key[:], make([]byte, maxInviteAddr+1)...)...),
	} {
		if v, err := ParseInvite(inviteText(body)); !errors.Is(err, ErrInvite) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	if _, err := ParseInvite(inviteText(append([]byte{2, 1}, net[:]...))); !errors.Is(err, ErrInviteVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

// spec: 01-network M24, M25
func TestInvitesAtTheLimits(t *testing.T) {
	key, net := seq(5), seq(1)
	// A name at its end fills the address up.
	withAddr := func(size int) string {
		addr := ma.StringCast("/ip4/10.0.0.1/tcp/1/tls/sni/" + strings.Repeat("x", 100))
		fill := size - len(addr.Bytes()) + 100
		addr = ma.StringCast("/ip4/10.0.0.1/tcp/1/tls/sni/" + strings.Repeat("x", fill))
		if len(addr.Bytes()) != size {
			t.Fatalf("%d bytes, not %d", len(addr.Bytes()), size)
		}
		return inviteText(append(append(append([]byte{1, 1}, net[:]...), key[:]...), addr.Bytes()...))
	}
	if v, err := ParseInvite(withAddr(128)); err != nil || v.Addr == nil {
		t.Errorf("an address of 128 bytes: %+v, %v", v, err)
	}
	if _, err := ParseInvite(withAddr(129)); !errors.Is(err, ErrInvite) {
		t.Errorf("an address of 129 bytes: %v", err)
	}
	text := testInvites(t)["secret, address"].String()
	if _, err := ParseInvite(text + strings.Repeat(" ", 4096-len(text))); err != nil {
		t.Errorf("a text of 4,096 bytes: %v", err)
	}
	if _, err := ParseInvite(text + strings.Repeat(" ", 4097-len(text))); !errors.Is(err, ErrInvite) {
		t.Errorf("a text of 4,097 bytes: %v", err)
	}
}

func TestQRTextFitsASmallTerminal(t *testing.T) {
	for name, v := range testInvites(t) {
		text := v.QRText()
		if len(text) > qrChars {
			t.Errorf("%s: %d characters", name, len(text))
		}
		got, err := ParseInvite(text)
		if err != nil || got.Network != v.Network || got.Secret != v.Secret {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if keeps := len(v.String()) <= qrChars; keeps != (text == v.String()) {
			t.Errorf("%s: the address is left out: %v", name, !keeps)
		}
	}
	if v := testInvites(t)["secret, address"]; len(v.String()) <= qrChars || v.Addr == nil {
		t.Error("the test has no invite that is too long")
	}
}

type inviteVector struct {
	Text    string `json:"text"`
	Network string `json:"network"`
	Mode    string `json:"mode"`
	Epoch   uint64 `json:"epoch"`
	Secret  string `json:"secret"`
	TLS     string `json:"fingerprint,omitempty"`
	Peer    string `json:"peer"`
	Addr    string `json:"addr"`
}

// spec: 01-network M25
func TestInviteVectors(t *testing.T) {
	vectors := map[string]inviteVector{}
	for name, v := range testInvites(t) {
		w := inviteVector{Text: v.String(), Network: hexID(v.Network), Mode: v.Mode.String(), Epoch: v.Epoch}
		if v.Mode.hasSecret() {
			w.Secret = hexID(v.Secret)
		}
		if v.Fingerprint != [32]byte{} {
			w.TLS = hexID(v.Fingerprint)
		}
		if v.Addr != nil {
			w.Peer, w.Addr = v.Addr.ID.String(), v.Addr.Addrs[0].String()
		}
		vectors[name] = w
	}
	checkVectors(t, "testdata/invites.json", vectors)
}

// checkVectors compares with a file of vectors, or writes it when asked.
func checkVectors(t *testing.T, file string, have any) {
	t.Helper()
	data, err := json.MarshalIndent(have, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	if *update {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != string(want) {
		t.Errorf("%s: the vectors changed:\n%s", file, data)
	}
}

// spec: 01-network M25
func FuzzParseInvite(f *testing.F) {
	for _, v := range testInvites(f) {
		f.Add(v.String())
	}
	f.Add("PARLEY:")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseInvite(text)
		if err != nil {
			return
		}
		flat := strings.ToUpper(strings.Join(strings.Fields(text), ""))
		if v.String() != flat {
			t.Fatalf("%q came back as %q", flat, v.String())
		}
	})
}

// The body is fuzzed beneath the check, which a fuzzer cannot guess.
//
// spec: 01-network M25
func FuzzInviteBody(f *testing.F) {
	for _, v := range testInvites(f) {
		raw, err := inviteBytes(v.String())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:len(raw)-inviteCheck])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1000 {
			return
		}
		text := inviteText(body)
		if v, err := ParseInvite(text); err == nil && v.String() != text {
			t.Fatalf("%x came back as %s", body, v.String())
		}
	})
}
