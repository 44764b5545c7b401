package heartbeat

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/wire"
)

var testNetwork = [32]byte{1, 2, 3}

// signer returns a key pair made of one byte.
func signer(seed byte) (author [32]byte, sign func([]byte) []byte) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return [32]byte(key.Public().(ed25519.PublicKey)), func(m []byte) []byte { return ed25519.Sign(key, m) }
}

func sample(author [32]byte) *Heartbeat {
	return &Heartbeat{
		Author: author, Time: 1_700_000_000_123, Seq: 7, Interval: 1500 * time.Millisecond, Zone: "ward 3 北",
		Addrs:   []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7/tcp/7330"), ma.StringCast("/ip6/fd00::7/udp/7330/quic-v1")},
		Version: "v1.2.3", Load: 42,
	}
}

// spec: 11-registrars M14
func TestHeartbeatsRoundTrip(t *testing.T) {
	author, sign := signer(1)
	bye := sample(author)
	bye.Goodbye, bye.Zone, bye.Version, bye.Addrs, bye.Load = true, "", "", nil, 0
	for _, want := range []*Heartbeat{sample(author), bye} {
		got, err := Decode(testNetwork, want.Encode(testNetwork, sign))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

// The largest that the fields allow is within the limit, and what there is no room
// for is left out by who writes it.
//
// spec: 11-registrars M16
func TestTheLargestHeartbeatFits(t *testing.T) {
	author, sign := signer(1)
	h := sample(author)
	h.Time, h.Seq, h.Interval, h.Load = maxTime, 1<<64-1, MaxInterval, MaxLoad
	h.Zone, h.Version = strings.Repeat("z", MaxZone), strings.Repeat("v", MaxVersion)
	long := ma.StringCast("/dns4/" + strings.Repeat("n", MaxAddr-3))
	tooLong := ma.StringCast("/dns4/" + strings.Repeat("n", MaxAddr-2))
	h.Addrs = []ma.Multiaddr{tooLong}
	for range MaxAddrs + 3 {
		h.Addrs = append(h.Addrs, long)
	}
	data := h.Encode(testNetwork, sign)
	got, err := Decode(testNetwork, data)
	if err != nil || len(got.Addrs) != MaxAddrs || !got.Addrs[0].Equal(long) {
		t.Errorf("%d bytes: %v, %+v", len(data), err, got)
	}
}

// spec: 11-registrars M15
func TestForgedHeartbeatsAreRefused(t *testing.T) {
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
		if h, err := Decode(testNetwork, bad); err == nil {
			t.Errorf("byte %d changed, and it passed as %+v", i, h)
		}
	}
}

// spec: 11-registrars M15
func TestUnknownFieldsOfAHeartbeatAreSkipped(t *testing.T) {
	author, sign := signer(1)
	body := sample(author).body()
	body = wire.AppendUint(body, 90, 5)
	body = wire.AppendBytes(body, 91, []byte("later"))
	if _, err := Decode(testNetwork, wire.AppendBytes(envelope(body, sign), 17, []byte("x"))); err != nil {
		t.Fatal(err)
	}
}

func envelope(body []byte, sign func([]byte) []byte) []byte {
	return wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, sign(signed(testNetwork, body)))
}

// spec: 11-registrars M16
func TestWhatIsOverALimitIsRefused(t *testing.T) {
	author, sign := signer(1)
	for name, body := range badBodies(author) {
		if _, err := Decode(testNetwork, envelope(body, sign)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(testNetwork, make([]byte, MaxSize+1)); !errors.Is(err, ErrForm) {
		t.Errorf("too long: %v", err)
	}
}

// badBodies are bodies with one thing wrong: what is appended counts, being last.
func badBodies(author [32]byte) map[string][]byte {
	good := func() []byte { return sample(author).body() }
	many := good()
	for range MaxAddrs {
		many = wire.AppendBytes(many, 6, ma.StringCast("/ip4/1.2.3.4").Bytes())
	}
	return map[string][]byte{
		"no author":                    sample(author).body()[34:],
		"a short author":               wire.AppendBytes(good(), 1, author[:31]),
		"no sequence number":           (&Heartbeat{Author: author, Time: 1, Interval: MinInterval}).body(),
		"no time":                      (&Heartbeat{Author: author, Seq: 1, Interval: MinInterval}).body(),
		"a time too far":               wire.AppendUint(good(), 2, maxTime+1),
		"a time below zero":            wire.AppendUint(good(), 2, 1<<63),
		"an interval of 999 ms":        wire.AppendUint(good(), 4, 999),
		"an interval of over a minute": wire.AppendUint(good(), 4, 60_001),
		"a zone too long":              wire.AppendBytes(good(), 5, bytes.Repeat([]byte("z"), MaxZone+1)),
		"a zone with an escape":        wire.AppendBytes(good(), 5, []byte("\x1b[2J")),
		"a zone that is not UTF-8":     wire.AppendBytes(good(), 5, []byte{0xff}),
		"too many addresses":           many,
		"an address that is none":      wire.AppendBytes(good(), 6, []byte("x")),
		"a long address":               wire.AppendBytes(good(), 6, ma.StringCast("/dns4/"+strings.Repeat("n", MaxAddr)).Bytes()),
		"an address with an escape":    wire.AppendBytes(good(), 6, append([]byte{54, 4}, "\x1b[2J"...)),
		"a version too long":           wire.AppendBytes(good(), 7, bytes.Repeat([]byte("v"), MaxVersion+1)),
		"a version with a newline":     wire.AppendBytes(good(), 7, []byte("1\n2")),
		"a load of 101 %":              wire.AppendUint(good(), 8, 101),
		"not protobuf":                 append(good(), 0xff),
	}
}

func FuzzDecodeHeartbeat(f *testing.F) {
	author, sign := signer(1)
	f.Add(sample(author).Encode(testNetwork, sign))
	f.Add(sample(author).body())
	f.Add([]byte{})
	for _, body := range badBodies(author) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := Decode(testNetwork, data); err == nil && len(h.Addrs) > MaxAddrs {
			t.Fatal("too many addresses")
		}
		h, err := decode(data) // and without the signature in the way
		if err != nil {
			return
		}
		again, err := decode(h.body())
		if err != nil {
			t.Fatalf("what was read is not read again: %v", err)
		}
		if !bytes.Equal(again.body(), h.body()) {
			t.Fatal("read differently the second time")
		}
	})
}
