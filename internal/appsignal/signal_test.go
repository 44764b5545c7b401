package appsignal

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

var (
	testNetwork = [32]byte{1, 2, 3}
	testLog     = event.LogID{4, 5}
)

// signer returns a key pair made of one byte.
func signer(seed byte) (author event.Author, sign func([]byte) []byte) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return event.Author(key.Public().(ed25519.PublicKey)), func(m []byte) []byte { return ed25519.Sign(key, m) }
}

func sample(author event.Author) *Signal {
	return &Signal{
		Author: author, Time: 1_700_000_000_123, Seq: 7, Type: "com.example.cursor", Data: []byte{0, 12, 0, 80},
	}
}

// spec: 10-signals M4
func TestAppSignalsRoundTrip(t *testing.T) {
	author, sign := signer(1)
	for _, want := range []*Signal{
		sample(author),
		{Author: author, Type: "typing"},
		{Author: author, Seq: 1<<64 - 1, Type: strings.Repeat("x", event.MaxType), Data: make([]byte, MaxData)},
	} {
		got, err := Decode(testNetwork, testLog, want.Encode(testNetwork, testLog, sign))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

// spec: 10-signals M2, M5
func TestForgedAppSignalsAreRefused(t *testing.T) {
	author, sign := signer(1)
	_, other := signer(2)
	good := sample(author).Encode(testNetwork, testLog, sign)
	for name, c := range map[string]struct {
		network [32]byte
		log     event.LogID
		b       []byte
	}{
		"of another network": {[32]byte{9}, testLog, good},
		"of another room":    {testNetwork, event.LogID{9}, good},
		"by another hand":    {testNetwork, testLog, sample(author).Encode(testNetwork, testLog, other)},
		"altered":            {testNetwork, testLog, bytes.Replace(good, []byte("cursor"), []byte("cursos"), 1)},
		"without signature":  {testNetwork, testLog, sample(author).Encode(testNetwork, testLog, func([]byte) []byte { return nil })},
	} {
		if _, err := Decode(c.network, c.log, c.b); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spec: 10-signals M4
func TestAppSignalsOverALimitAreRefused(t *testing.T) {
	author, sign := signer(1)
	for name, s := range map[string]*Signal{
		"no type":          {Author: author, Data: []byte("x")},
		"type too long":    {Author: author, Type: strings.Repeat("x", event.MaxType+1)},
		"type of words":    {Author: author, Type: "two words"},
		"type of no ASCII": {Author: author, Type: "grün"},
		"data too long":    {Author: author, Type: "x", Data: make([]byte, MaxData+1)},
		"over everything":  {Author: author, Type: "x", Data: make([]byte, maxEnvelope)},
	} {
		if _, err := Decode(testNetwork, testLog, s.Encode(testNetwork, testLog, sign)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := ParseFrame(Frame(s.Type, s.Data)); !errors.Is(err, ErrForm) {
			t.Errorf("%s, as a frame: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, {0}, {5, 'x'}, {255}} {
		if _, _, err := ParseFrame(b); !errors.Is(err, ErrForm) {
			t.Errorf("frame %x: %v", b, err)
		}
	}
}

// spec: 10-signals M3
func TestUnknownFieldsOfAnAppSignalAreSkipped(t *testing.T) {
	author, sign := signer(1)
	body := wire.AppendUint(wire.AppendBytes(wire.AppendBytes(nil, 1, author[:]), 4, []byte("x")), 90, 5)
	b := wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, sign(signed(testNetwork, testLog, body)))
	if _, err := Decode(testNetwork, testLog, wire.AppendBytes(b, 17, []byte("x"))); err != nil {
		t.Fatal(err)
	}
}

// A number counts once, whatever the order, unless it is too far behind: a set
// of all numbers taken says so as well.
//
// spec: 10-signals M6
func TestNumbersCountOnce(t *testing.T) {
	var w window
	taken := make(map[uint64]bool)
	var top uint64
	for i, seq := range []uint64{5, 5, 3, 4, 3, 68, 5, 4, 6, 69, 1000, 937, 936, 937, 1001, 1 << 63, 1<<63 - 63, 1<<63 - 64, 1<<64 - 1, 0} {
		want := !taken[seq] && (seq > top || top-seq < windowWidth)
		if got := w.take(seq); got != want {
			t.Errorf("%d. number, %d after %d: %v", i+1, seq, top, got)
		}
		taken[seq], top = true, max(top, seq)
	}
}

// spec: 10-signals M4
func FuzzDecodeAppSignal(f *testing.F) {
	author, sign := signer(1)
	f.Add(sample(author).Encode(testNetwork, testLog, sign))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(testNetwork, testLog, b)
		if err == nil && Check(s.Type, s.Data) != nil {
			t.Errorf("taken: %+v", s)
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	f.Add(Frame("typing", []byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		typ, data, err := ParseFrame(b)
		if err == nil && !bytes.Equal(Frame(typ, data), b) {
			t.Errorf("%x is taken and written as %x", b, Frame(typ, data))
		}
	})
}

// spec: 10-signals M4
func TestAppSignalsAtTheLimitsAreTaken(t *testing.T) {
	author, sign := signer(1)
	s := &Signal{Author: author, Type: strings.Repeat("x", 64), Data: make([]byte, 768)}
	whole := s.Encode(testNetwork, testLog, sign)
	if _, err := Decode(testNetwork, testLog, whole); err != nil {
		t.Error(err)
	}
	if _, _, err := ParseFrame(Frame(s.Type, s.Data)); err != nil {
		t.Error(err)
	}
	// The rest is a field that nobody knows, with a tag of one byte and a length of two.
	padded := func(size int) []byte {
		return wire.AppendBytes(bytes.Clone(whole), 15, make([]byte, size-len(whole)-3))
	}
	if b := padded(2048); len(b) != 2048 {
		t.Fatalf("%d bytes", len(b))
	}
	if _, err := Decode(testNetwork, testLog, padded(2048)); err != nil {
		t.Errorf("2,048 bytes: %v", err)
	}
	if _, err := Decode(testNetwork, testLog, padded(2049)); !errors.Is(err, ErrForm) {
		t.Errorf("2,049 bytes: %v", err)
	}
}
