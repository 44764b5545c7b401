package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: what is accepted has exactly one encoding, and stays acceptable in every
// way it may be served: alone, erased, sealed again.
//
// spec: 03-events M1
func FuzzDecode(f *testing.F) {
	for _, p := range vectorPayloads(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b, err := Decode(bytes.Clone(p))
		if err != nil {
			if reasons(err) != 1 {
				t.Fatalf("an error with %d reasons: %v", reasons(err), err)
			}
			return
		}
		if !bytes.Equal(reencode(b), p) || !bytes.Equal(b.Payload(), p) {
			t.Fatal("decoded and written again, it is not the same")
		}
		if err := b.Verify(); err != nil && !errors.Is(err, ErrSignature) {
			t.Fatal(err)
		}
		checkServed(t, b)
		checkResealed(t, b)
	})
}

func reasons(err error) (n int) {
	for _, sentinel := range reasonErrors {
		if errors.Is(err, sentinel) {
			n++
		}
	}
	return n
}

// checkServed checks that each event of b can be served alone and erased.
func checkServed(t *testing.T, b *Batch) {
	root := b.root()
	for i := range b.Events {
		for _, form := range []func(int) ([]byte, error){b.Single, b.Erase} {
			p, err := form(i)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(p)
			if errors.Is(err, ErrTooLarge) && len(p) > MaxBatchBytes {
				continue // a lone event at the limit has no room for a path
			}
			if err != nil || again.root() != root {
				t.Fatalf("event %d: %v", i, err)
			}
		}
	}
}

// checkResealed seals the decoded parts again and expects the same bytes, where that is
// ours to do: plain content, our version, all events there.
func checkResealed(t *testing.T, b *Batch) {
	first := &b.Events[0]
	var drafts []Draft
	var last ID
	for i := range b.Events {
		e := &b.Events[i]
		if e.Version != Version || e.KeyEpoch != nil || e.Content == nil || b.single() {
			return
		}
		d := Draft{HLC: e.HLC, Parents: e.Parents, Kind: e.Kind, Expiry: e.Expiry, Payload: e.Payload()}
		d.Salt = [SaltSize]byte(e.Content)
		if e.Seq > 1 {
			d.Parents = e.Parents[1:]
		}
		drafts = append(drafts, d)
	}
	if first.Seq > 1 {
		last = first.Parents[0]
	}
	again, err := Seal(first.Log, first.Author, first.Seq-1, last, drafts, func([]byte) []byte { return b.sig })
	if err != nil {
		if len(b.payload)+ackGap > MaxBatchBytes {
			return
		}
		t.Fatal(err)
	}
	if b.AckWanted {
		again.WantAck()
	}
	plain := b.encode(b.Events, 0, nil)
	if b.AckWanted {
		plain = append(append(plain[:66:66], fieldFlags<<3, flagAckWanted), plain[66:]...)
	}
	if !bytes.Equal(again.Payload(), plain) {
		t.Fatal("decoded parts, sealed again, are not the same")
	}
}

// FuzzContent: payloads of the known kinds never do worse than fail, and what this
// package wrote it reads.
//
// spec: 03-events M25, M26
func FuzzContent(f *testing.F) {
	m, _ := Message{Type: TypeText, Data: []byte("hello")}.Encode()
	f.Add(m)
	f.Fuzz(func(t *testing.T, p []byte) {
		if m, err := DecodeMessage(p); err == nil {
			again, err := m.Encode()
			if err != nil && !errors.Is(err, ErrTooLarge) || !bytes.HasPrefix(p, again) {
				t.Fatalf("message: %v", err)
			}
		}
		if pr, err := DecodeProfile(p); err == nil {
			again, err := pr.Encode()
			if err != nil || !bytes.HasPrefix(p, again) {
				t.Fatalf("profile: %v", err)
			}
		}
	})
}

// FuzzRoomKey: a key is its own key, so that a room can be named by it.
//
// spec: 03-events M5
func FuzzRoomKey(f *testing.F) {
	for _, s := range []string{"Lobby", " Ａ  b", "ΰ", "İ", "ﷺ", "ẛ̣", "ϓ", "\u1e9b\u0323", "ǰ", "㎭"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key, err := RoomKey(name)
		if err != nil {
			return
		}
		n := utf8.RuneCountInString(key)
		if n < 1 || n > MaxRoomName || !utf8.ValidString(key) {
			t.Fatalf("%q: key %q", name, key)
		}
		if again, err := RoomKey(key); err != nil || again != key {
			t.Fatalf("%q: key %q has key %q: %v", name, key, again, err)
		}
	})
}

// vectorPayloads returns the payloads of all vectors, as seeds.
func vectorPayloads(f *testing.F) (out [][]byte) {
	f.Helper()
	for _, name := range []string{"valid.json", "invalid.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		var file vectorFile[struct{ Payload string }]
		if err := json.Unmarshal(b, &file); err != nil {
			f.Fatal(err)
		}
		for _, v := range file.Vectors {
			out = append(out, le(v.Payload))
		}
	}
	return out
}
