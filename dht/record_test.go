package dht

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/wire"
)

var (
	netID  = [32]byte{1, 2, 3}
	moment = time.UnixMilli(1_750_000_000_000)
)

// anna is a node with a key of her own.
func anna(seed byte) (peer.ID, func([]byte) []byte) {
	key := ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, 32))
	return wire.PeerID([32]byte(key.Public().(ed25519.PublicKey))), func(b []byte) []byte { return ed25519.Sign(key, b) }
}

func recordOf(id peer.ID) Record {
	return Record{
		ID: id, Made: moment, Expiry: moment.Add(time.Hour), Nick: "anna", Zone: "ward 3", Version: "1.2.3",
		Addrs: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7/udp/7330/quic-v1"), ma.StringCast("/ip4/10.0.0.7/tcp/7330")},
	}
}

func encoded(t testing.TB, r Record, sign func([]byte) []byte) []byte {
	t.Helper()
	b, err := r.encode(netID, sign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsRoundTrip(t *testing.T) {
	id, sign := anna(1)
	r := recordOf(id)
	got, err := decodeRecord(netID, encoded(t, r, sign))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != r.ID || !got.Made.Equal(r.Made) || !got.Expiry.Equal(r.Expiry) || got.Nick != r.Nick || got.Zone != r.Zone ||
		got.Version != r.Version || !slices.EqualFunc(got.Addrs, r.Addrs, ma.Multiaddr.Equal) {
		t.Errorf("%+v became %+v", r, *got)
	}
}

// spec: 09-dht M5, M7
func TestBadRecordsAreRefused(t *testing.T) {
	id, sign := anna(1)
	_, forger := anna(2)
	change := func(f func(*Record)) []byte {
		r := recordOf(id)
		f(&r)
		return encoded(t, r, sign)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":             {nil, errForm},
		"no protobuf":         {[]byte{0xff}, errForm},
		"another's signature": {encoded(t, recordOf(id), forger), errSignature},
		"a long nick":         {change(func(r *Record) { r.Nick = strings.Repeat("n", maxText+1) }), errForm},
		"a nick that steers":  {change(func(r *Record) { r.Nick = "a\u202eb" }), errForm},
		"a long zone":         {change(func(r *Record) { r.Zone = strings.Repeat("z", maxZone+1) }), errForm},
		"a long version":      {change(func(r *Record) { r.Version = strings.Repeat("1", maxVersion+1) }), errForm},
		"a life too long":     {change(func(r *Record) { r.Expiry = r.Made.Add(maxLife + time.Millisecond) }), errForm},
		"a life that ended":   {change(func(r *Record) { r.Expiry = r.Made.Add(-time.Millisecond) }), errForm},
		"a long address": {change(func(r *Record) {
			r.Addrs = []ma.Multiaddr{ma.StringCast("/dns4/" + strings.Repeat("a", maxAddr) + "/tcp/1")}
		}), errForm},
		"too long": {make([]byte, maxRecord+1), errForm},
	} {
		if _, err := decodeRecord(netID, c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
	}
	if _, err := decodeRecord([32]byte{9}, encoded(t, recordOf(id), sign)); !errors.Is(err, errSignature) {
		t.Errorf("in another network: %v", err)
	}
}

// spec: 09-dht M1, M7
func TestRecordsAreGoodByKeyAndTime(t *testing.T) {
	id, sign := anna(1)
	other, _ := anna(2)
	key, err := peerKey(id)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := peerKey(other)
	if err != nil {
		t.Fatal(err)
	}
	data := encoded(t, recordOf(id), sign)
	at := func(now time.Time) validator { return validator{netID, func() time.Time { return now }} }
	for _, c := range []struct {
		what, key string
		now       time.Time
		want      error
	}{
		{"in its life", key, moment.Add(time.Minute), nil},
		{"by a clock that is behind", key, moment.Add(-maxAhead), nil},
		{"before its time", key, moment.Add(-maxAhead - time.Second), errTime},
		{"after its life", key, moment.Add(time.Hour + time.Second), errTime},
		{"under another's key", otherKey, moment, errKey},
		{"under a key in capitals", strings.ToUpper(key), moment, errKey},
		{"in another namespace", strings.Replace(key, "peer", "pk", 1), moment, errKey},
		{"under a short key", key[:len(key)-2], moment, errKey},
	} {
		if err := at(c.now).Validate(c.key, data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.what, err, c.want)
		}
	}
}

// spec: 09-dht M8
func TestTheLatestRecordIsTheBest(t *testing.T) {
	id, sign := anna(1)
	key, _ := peerKey(id)
	v := validator{netID, func() time.Time { return moment }}
	made := func(d time.Duration) []byte {
		r := recordOf(id)
		r.Made = moment.Add(d)
		return encoded(t, r, sign)
	}
	best, err := v.Select(key, [][]byte{made(-time.Minute), []byte("junk"), made(time.Minute), made(0), made(time.Hour / 2)})
	if err != nil || best != 2 {
		t.Errorf("%d, %v", best, err)
	}
	if _, err := v.Select(key, [][]byte{[]byte("junk")}); err == nil {
		t.Error("junk is the best")
	}
}

func FuzzDecodeRecord(f *testing.F) {
	id, sign := anna(1)
	f.Add(encoded(f, recordOf(id), sign))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(netID, data)
		if err != nil {
			return
		}
		if key, err := peerKey(r.ID); err != nil || len(r.Addrs) > maxAddrs || len(r.Nick) > maxText {
			t.Errorf("%s %v: %+v", key, err, r)
		}
	})
}

// padded is an envelope with a field that nobody knows, of size bytes.
func padded(t *testing.T, envelope []byte, size int) []byte {
	t.Helper()
	for fill := size - len(envelope); fill >= 0; fill-- {
		if b := wire.AppendBytes(slices.Clone(envelope), 15, make([]byte, fill)); len(b) == size {
			return b
		}
	}
	t.Fatalf("no record of %d bytes", size)
	return nil
}

// spec: 09-dht M6
func TestRecordsOfLaterVersionsAreTaken(t *testing.T) {
	id, sign := anna(1)
	r := recordOf(id)
	envelope := encoded(t, r, sign)
	var body []byte
	err := wire.Fields(envelope, func(num protowire.Number, _ uint64, v []byte) error {
		if num == 1 {
			body = wire.AppendBytes(slices.Clone(v), 90, []byte("later"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	later := wire.AppendBytes(wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, sign(signed(netID, body))), 90, []byte("later"))
	if got, err := decodeRecord(netID, later); err != nil || got.Nick != r.Nick {
		t.Errorf("%+v, %v", got, err)
	}
}

// spec: 09-dht M7
func TestRecordsAtTheLimitsAreTaken(t *testing.T) {
	id, sign := anna(1)
	long := func(n int) ma.Multiaddr {
		a := ma.StringCast("/ip4/10.0.0.7/tcp/1/tls/sni/" + strings.Repeat("x", 200))
		a = ma.StringCast("/ip4/10.0.0.7/tcp/1/tls/sni/" + strings.Repeat("x", 200+n-len(a.Bytes())))
		if len(a.Bytes()) != n {
			t.Fatalf("%d bytes", len(a.Bytes()))
		}
		return a
	}
	short := ma.StringCast("/ip4/10.0.0.7/tcp/1")
	for name, c := range map[string]struct{ at, above func(*Record) }{
		"nick":    {func(r *Record) { r.Nick = strings.Repeat("n", 256) }, func(r *Record) { r.Nick = strings.Repeat("n", 257) }},
		"zone":    {func(r *Record) { r.Zone = strings.Repeat("z", 64) }, func(r *Record) { r.Zone = strings.Repeat("z", 65) }},
		"version": {func(r *Record) { r.Version = strings.Repeat("1", 64) }, func(r *Record) { r.Version = strings.Repeat("1", 65) }},
		"address": {func(r *Record) { r.Addrs = []ma.Multiaddr{long(256)} }, func(r *Record) { r.Addrs = []ma.Multiaddr{long(257)} }},
		"life":    {func(r *Record) { r.Expiry = r.Made.Add(48 * time.Hour) }, func(r *Record) { r.Expiry = r.Made.Add(48*time.Hour + time.Millisecond) }},
	} {
		at, above := recordOf(id), recordOf(id)
		c.at(&at)
		c.above(&above)
		if _, err := decodeRecord(netID, encoded(t, at, sign)); err != nil {
			t.Errorf("%s, at the limit: %v", name, err)
		}
		if _, err := decodeRecord(netID, encoded(t, above, sign)); !errors.Is(err, errForm) {
			t.Errorf("%s, above it: %v", name, err)
		}
	}
	// The encoder leaves more addresses out.
	var r Record
	for n := range 17 {
		if err := r.addAddr(short.Bytes()); (err != nil) != (n == 16) {
			t.Errorf("address %d: %v", n+1, err)
		}
	}
	envelope := encoded(t, recordOf(id), sign)
	if _, err := decodeRecord(netID, padded(t, envelope, 4096)); err != nil {
		t.Errorf("4,096 bytes: %v", err)
	}
	if _, err := decodeRecord(netID, padded(t, envelope, 4097)); !errors.Is(err, errForm) {
		t.Errorf("4,097 bytes: %v", err)
	}
}
