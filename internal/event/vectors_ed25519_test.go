package event

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

type ed25519Vector struct {
	Name      string `json:"name"`
	Valid     bool   `json:"valid"`
	PublicKey string `json:"public_key"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
}

var ed25519Fields = map[string]string{
	"valid":      "what Go's crypto/ed25519 says, and so every implementation of Parley must",
	"public_key": "hex, A",
	"message":    "hex, M",
	"signature":  "hex, R and S",
}

// groupOrder is the prime order L of Ed25519's base point.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// Points of small order, as they are written on the wire.
var (
	identity       = le("0100000000000000000000000000000000000000000000000000000000000000")
	order2         = le("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
	order4         = le("0000000000000000000000000000000000000000000000000000000000000000")
	order8         = le("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
	identityLong   = le("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") // y = p + 1
	identitySigned = le("0100000000000000000000000000000000000000000000000000000000000080") // x = -0
	order4Long     = le("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") // y = p
	offCurve       = le("0200000000000000000000000000000000000000000000000000000000000000")
)

func le(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// scalar turns 32 bytes, least significant first, into a number, and back.
func scalar(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func scalarBytes(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// challenge is k = SHA-512(R ‖ A ‖ M) mod L.
func challenge(r, a, m []byte) *big.Int {
	sum := sha512.Sum512(slices.Concat(r, a, m))
	return new(big.Int).Mod(scalar(sum[:]), groupOrder)
}

// secretScalar is the secret scalar of a key. RFC 8032 §5.1.5
func secretScalar(key ed25519.PrivateKey) *big.Int {
	h := sha512.Sum512(key.Seed())
	h[0] &= 248
	h[31] = h[31]&127 | 64
	return scalar(h[:32])
}

// grind returns the first message "n" for which R, A and S = 0 are valid or not, as wanted.
func grind(r, a []byte, want bool) (message, sig []byte) {
	sig = append(slices.Clone(r), make([]byte, 32)...)
	for n := byte(0); ; n++ {
		if ed25519.Verify(a, []byte{n}, sig) == want {
			return []byte{n}, sig
		}
	}
}

func edgeSignatures() []ed25519Vector {
	var out []ed25519Vector
	add := func(name string, key, message, sig []byte) {
		out = append(out, ed25519Vector{
			name, ed25519.Verify(key, message, sig),
			hex.EncodeToString(key), hex.EncodeToString(message), hex.EncodeToString(sig),
		})
	}
	ground := func(name string, r, a []byte, want bool) {
		m, sig := grind(r, a, want)
		add(name, a, m, sig)
	}
	public, m := testAuthor[:], []byte("parley")
	sig := testSign(m)
	r, s := sig[:32], scalar(sig[32:])
	add("ordinary", public, m, sig)
	add("S + L: the same signature again, not reduced", public, m, append(slices.Clone(r), scalarBytes(new(big.Int).Add(s, groupOrder))...))
	add("S = L", public, m, append(slices.Clone(r), scalarBytes(groupOrder)...))
	add("S with its highest bit set", public, m, append(slices.Clone(sig[:63]), sig[63]|0x80))
	zeroR := new(big.Int).Mul(challenge(identity, public, m), secretScalar(testKey))
	add("R is the identity, honest key", public, m, append(slices.Clone(identity), scalarBytes(zeroR.Mod(zeroR, groupOrder))...))
	add("R of order 8 added: holds only when multiplied by the cofactor", public, m, func() []byte {
		k := new(big.Int).Mul(challenge(order8, public, m), secretScalar(testKey))
		return append(slices.Clone(order8), scalarBytes(k.Mod(k, groupOrder))...)
	}())
	ground("A is the identity", identity, identity, true)
	ground("A of order 2, k even", identity, order2, true)
	ground("A of order 2, k odd: holds only when multiplied by the cofactor", identity, order2, false)
	ground("A of order 8, k divisible by 8", identity, order8, true)
	ground("A of order 8, k not divisible by 8: holds only when multiplied by the cofactor", identity, order8, false)
	ground("A of order 4, k divisible by 4", identity, order4, true)
	ground("A of order 4 written as y = p, k divisible by 4", identity, order4Long, true)
	ground("A is the identity written as y = p + 1", identity, identityLong, true)
	ground("A is the identity written with x = -0", identity, identitySigned, true)
	ground("R is the identity written as y = p + 1", identityLong, identity, false)
	ground("R is the identity written with x = -0", identitySigned, identity, false)
	ground("A is not on the curve", identity, offCurve, false)
	return out
}

// spec: 03-events M31
func TestVectorsEd25519(t *testing.T) {
	kept := keep(t, "ed25519.json", vectorFile[ed25519Vector]{
		About:   "Edge cases of Ed25519: Parley's rule is Go's crypto/ed25519. docs/protocol/03-events.md",
		Fields:  ed25519Fields,
		Vectors: edgeSignatures(),
	})
	valid := 0
	for _, v := range kept {
		got := ed25519.Verify(unhex(t, v.PublicKey), unhex(t, v.Message), unhex(t, v.Signature))
		if got != v.Valid {
			t.Errorf("%s: valid is %v", v.Name, got)
		}
		if v.Valid {
			valid++
		}
	}
	if valid == 0 || valid == len(kept) {
		t.Errorf("%d of %d are valid: they show no edge", valid, len(kept))
	}
}

// A key of small order is an author like any other: the rule has no exception, and two
// implementations that disagreed here would split a room.
//
// spec: 03-events M31
func TestSmallOrderAuthorFollowsTheRule(t *testing.T) {
	good, bad := 0, 0
	for n := range uint64(64) {
		it := text(n+1, ID{1})
		it.header = with(it.header, 3, order8)
		sig := append(bytes.Clone(identity), make([]byte, 32)...)
		b, err := Decode(enc(with(payload(it), 1, sig)...))
		if err != nil {
			t.Fatal(err)
		}
		want := ed25519.Verify(order8, slowSigned([]item{it}), sig)
		if got := b.Verify() == nil; got != want {
			t.Fatalf("seq %d: %v, want %v", n+1, got, want)
		}
		if want {
			good++
		} else {
			bad++
		}
	}
	if good == 0 || bad == 0 {
		t.Fatal("both outcomes should have appeared")
	}
}
