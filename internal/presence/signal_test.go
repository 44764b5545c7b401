package presence

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/wire"
)

var testNetwork = [32]byte{1, 2, 3}

// signer returns a key pair made of one byte.
func signer(seed byte) (author [32]byte, sign func([]byte) []byte) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return [32]byte(key.Public().(ed25519.PublicKey)), func(m []byte) []byte { return ed25519.Sign(key, m) }
}

func sample(author [32]byte) *Signal {
	return &Signal{
		Author: author, Time: 1_700_000_000_123, Seq: 7, Interval: 5 * time.Second,
		Nick: "Ada 你好", Total: 3,
		Rooms: []Room{
			{Name: "lobby", Seq: 4, Complete: true, Heads: [][32]byte{{9}, {8}}},
			{Name: "empty"},
		},
	}
}

// spec: 05-presence M6
func TestSignalsRoundTrip(t *testing.T) {
	author, sign := signer(1)
	want := sample(author)
	got, err := Decode(testNetwork, want.Encode(testNetwork, sign))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// spec: 05-presence M4
func TestUnknownFieldsOfASignalAreSkipped(t *testing.T) {
	author, sign := signer(1)
	body := sample(author).body()
	body = wire.AppendUint(body, 90, 5)
	body = wire.AppendBytes(body, 91, []byte("later"))
	data := wire.AppendBytes(nil, 1, body)
	data = wire.AppendBytes(data, 2, sign(signed(testNetwork, body)))
	if _, err := Decode(testNetwork, wire.AppendBytes(data, 17, []byte("x"))); err != nil {
		t.Fatal(err)
	}
}

// spec: 05-presence M3, M9
func TestForgedSignalsAreRefused(t *testing.T) {
	author, sign := signer(1)
	good := sample(author).Encode(testNetwork, sign)
	if _, err := Decode([32]byte{4}, good); !errors.Is(err, ErrSignature) {
		t.Errorf("of another network: %v", err)
	}
	_, other := signer(2)
	if _, err := Decode(testNetwork, sample(author).Encode(testNetwork, other)); !errors.Is(err, ErrSignature) {
		t.Errorf("signed by another: %v", err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if s, err := Decode(testNetwork, bad); err == nil {
			t.Errorf("byte %d changed, and it passed as %+v", i, s)
		}
	}
}

// spec: 05-presence M5
func TestSignalsOverALimitAreRefused(t *testing.T) {
	author, sign := signer(1)
	for name, change := range map[string]func(*Signal){
		"nick":     func(s *Signal) { s.Nick = strings.Repeat("x", MaxName+1) },
		"control":  func(s *Signal) { s.Nick = "a\x1b[2J" },
		"bidi":     func(s *Signal) { s.Nick = "a\u202eb" },
		"utf8":     func(s *Signal) { s.Nick = "\xff" },
		"room":     func(s *Signal) { s.Rooms[0].Name = "" },
		"rooms":    func(s *Signal) { s.Rooms = slices.Repeat([]Room{{Name: "a"}}, MaxRooms+1) },
		"name":     func(s *Signal) { s.Rooms[0].Name = strings.Repeat("x", MaxName+1) },
		"heads":    func(s *Signal) { s.Rooms[0].Heads = make([][32]byte, MaxHeads+1) },
		"chains":   func(s *Signal) { s.Rooms[0].Chains = make([]Chain, MaxChains+1) },
		"interval": func(s *Signal) { s.Interval = time.Hour + time.Millisecond },
		"never":    func(s *Signal) { s.Interval = 0 },
	} {
		s := sample(author)
		change(s)
		if _, err := Decode(testNetwork, s.Encode(testNetwork, sign)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(testNetwork, make([]byte, MaxSignal+1)); !errors.Is(err, ErrForm) {
		t.Errorf("size: %v", err)
	}
}

// spec: 05-presence M6
func TestSignalsAtTheLimitsAreTaken(t *testing.T) {
	author, sign := signer(1)
	full := Room{Name: "full", Heads: make([][32]byte, 8), Chains: make([]Chain, 8)}
	for name, change := range map[string]func(*Signal){
		"nick and name": func(s *Signal) { s.Nick, s.Rooms[0].Name = strings.Repeat("x", 256), strings.Repeat("y", 256) },
		"rooms":         func(s *Signal) { s.Rooms = slices.Repeat([]Room{{Name: "a"}}, 64) },
		"heads, chains": func(s *Signal) { s.Rooms = []Room{full} },
		"interval":      func(s *Signal) { s.Interval = time.Hour },
	} {
		s := sample(author)
		change(s)
		if _, err := Decode(testNetwork, s.Encode(testNetwork, sign)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := sample(author).Encode(testNetwork, sign)
	// The rest is a field of the envelope that nobody knows.
	padded := func(size int) []byte {
		return wire.AppendBytes(bytes.Clone(whole), 15, make([]byte, size-len(whole)-3))
	}
	if b := padded(16 << 10); len(b) != 16<<10 {
		t.Fatalf("%d bytes", len(b))
	}
	if _, err := Decode(testNetwork, padded(16<<10)); err != nil {
		t.Errorf("16 KiB: %v", err)
	}
	if _, err := Decode(testNetwork, padded(16<<10+1)); !errors.Is(err, ErrForm) {
		t.Errorf("a byte more: %v", err)
	}
}

// spec: 05-presence M6
func FuzzDecodeSignal(f *testing.F) {
	author, sign := signer(1)
	f.Add(sample(author).Encode(testNetwork, sign))
	f.Add(sample(author).body())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Decode(testNetwork, data); err == nil && len(s.Rooms) > MaxRooms {
			t.Fatal("too many rooms")
		}
		var s Signal // and without the signature in the way
		if err := s.decode(data); err != nil {
			return
		}
		again := new(Signal)
		if err := again.decode(s.body()); err != nil {
			t.Fatalf("what was read is not read again: %v", err)
		}
		if !bytes.Equal(again.body(), s.body()) {
			t.Fatal("read differently the second time")
		}
	})
}
