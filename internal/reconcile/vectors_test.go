package reconcile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vectors is testdata/vectors.json. Its replies were compared with those of
// github.com/nbd-wtf/go-nostr v0.38.2 nip77/negentropy to the same messages:
// equal byte for byte. testdata/reference.json holds whole transcripts between
// two sides of that implementation.
type vectors struct {
	Varints []struct {
		Value uint64 `json:"value"`
		Bytes string `json:"bytes"`
	} `json:"varints"`
	Bounds []struct {
		Previous uint64 `json:"previous"` // second of the bound before
		Second   uint64 `json:"second"`
		Prefix   string `json:"prefix"`
		Infinity bool   `json:"infinity"`
		Bytes    string `json:"bytes"`
	} `json:"bounds"`
	Fingerprints []struct {
		IDs         []string `json:"ids"`
		Fingerprint string   `json:"fingerprint"`
	} `json:"fingerprints"`
	Malformed   []string     `json:"malformed"` // whole messages
	Transcripts []transcript `json:"transcripts"`
}

// transcript is a run. Item i has the second 1,700,000,000 + i/3, rounded down,
// and as id the SHA-256 of i as 8 bytes, big-endian. Messages alternate, the
// asker's first; need and have are how many items only the peer has, only the asker.
type transcript struct {
	Asker    [][2]int `json:"asker"` // from, to: numbers of items, to is not within
	Peer     [][2]int `json:"peer"`
	Now      uint64   `json:"now,omitempty"` // the asker's second
	Limit    int      `json:"limit"`         // bytes of a reply
	Need     int      `json:"need"`
	Have     int      `json:"have"`
	Messages []string `json:"messages"`
}

func vectorItems(ranges [][2]int) Slice {
	var items []Item
	for _, r := range ranges {
		for i := r[0]; i < r[1]; i++ {
			id := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
			items = append(items, Item{1_700_000_000 + uint64(i)/3, id})
		}
	}
	return NewSlice(items)
}

// run lets an Asker ask, and writes down what is said.
func (tr *transcript) run(t *testing.T) {
	a := NewAsker(vectorItems(tr.Asker), At(0), At(Infinity), tr.Now, 0)
	peer := vectorItems(tr.Peer)
	tr.Messages, tr.Need, tr.Have = nil, 0, 0
	for {
		msg, err := a.Next(32<<10, tr.Limit)
		if err != nil {
			t.Fatal(err)
		}
		if msg == nil {
			return
		}
		reply, _, err := Answer(peer, At(0), msg, tr.Limit)
		if err != nil {
			t.Fatal(err)
		}
		f, err := a.Take(reply)
		if err != nil {
			t.Fatal(err)
		}
		tr.Need, tr.Have = tr.Need+len(f.Need), tr.Have+f.Have
		tr.Messages = append(tr.Messages, hex.EncodeToString(msg), hex.EncodeToString(reply))
	}
}

func readVectors(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors hold: they change with -update only.
//
// spec: 06-sync M7, M8, M9
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	var v vectors
	readVectors(t, "vectors.json", &v)
	for _, x := range v.Varints {
		b := unhex(t, x.Bytes)
		d := decoder{b: b}
		if got, ok := d.varint(); !ok || got != x.Value || len(d.b) != 0 || !bytes.Equal(appendVarint(nil, x.Value), b) {
			t.Errorf("varint %d: %d, %x", x.Value, got, appendVarint(nil, x.Value))
		}
	}
	for _, x := range v.Bounds {
		b, want := unhex(t, x.Bytes), Bound{x.Second, unhex(t, x.Prefix)}
		if x.Infinity {
			want = At(Infinity)
		}
		d, e := decoder{b: b, last: x.Previous}, encoder{last: x.Previous}
		got, ok := d.bound()
		if e.bound(want); !ok || got.Compare(want) != 0 || len(d.b) != 0 || !bytes.Equal(e.b, b) {
			t.Errorf("bound %+v: %+v, %x", x, got, e.b)
		}
	}
	for _, x := range v.Fingerprints {
		var s Sum
		for _, id := range x.IDs {
			s.Add((*[32]byte)(unhex(t, id)))
		}
		if f := s.Fingerprint(); hex.EncodeToString(f[:]) != x.Fingerprint {
			t.Errorf("fingerprint of %d ids: %x", len(x.IDs), f)
		}
	}
	for _, m := range v.Malformed {
		if parts, err := decode(unhex(t, m)); err == nil {
			t.Errorf("%s: %+v", m, parts)
		}
	}
	for i, want := range v.Transcripts {
		got := want
		if got.run(t); !reflect.DeepEqual(got, want) {
			t.Errorf("transcript %d differs", i)
		}
	}
}

// What the other implementation asked is answered as it answered itself.
//
// spec: 06-sync M7, M9, M10
func TestRepliesEqualThoseOfAnotherImplementation(t *testing.T) {
	var v struct {
		Transcripts []transcript `json:"transcripts"`
	}
	readVectors(t, "reference.json", &v)
	if len(v.Transcripts) == 0 {
		t.Fatal("none")
	}
	for i, tr := range v.Transcripts {
		peer := vectorItems(tr.Peer)
		for m := 0; m+1 < len(tr.Messages); m += 2 {
			reply, _, err := Answer(peer, At(0), unhex(t, tr.Messages[m]), 1<<30)
			if err != nil || !bytes.Equal(reply, unhex(t, tr.Messages[m+1])) {
				t.Errorf("transcript %d, message %d: %v, %d bytes", i, m, err, len(reply))
			}
		}
	}
}

func writeVectors(t *testing.T) {
	var v vectors
	for _, x := range []uint64{0, 1, 127, 128, 129, 16383, 16384, 1_700_000_001, 1<<63 - 1, 1<<64 - 1} {
		v.Varints = append(v.Varints, struct {
			Value uint64 `json:"value"`
			Bytes string `json:"bytes"`
		}{x, hex.EncodeToString(appendVarint(nil, x))})
	}
	for _, x := range []struct {
		previous, second uint64
		prefix           []byte
	}{
		{0, 0, nil},
		{0, 1_700_000_000, nil},
		{1_700_000_000, 1_700_000_000, []byte{0xab}},
		{1_700_000_000, 1_700_000_127, bytes.Repeat([]byte{7}, 32)},
		{5, Infinity, nil},
	} {
		e := encoder{last: x.previous}
		e.bound(Bound{x.second, x.prefix})
		inf := x.second == Infinity
		if inf {
			x.second = 0
		}
		v.Bounds = append(v.Bounds, struct {
			Previous uint64 `json:"previous"` // second of the bound before
			Second   uint64 `json:"second"`
			Prefix   string `json:"prefix"`
			Infinity bool   `json:"infinity"`
			Bytes    string `json:"bytes"`
		}{x.previous, x.second, hex.EncodeToString(x.prefix), inf, hex.EncodeToString(e.b)})
	}
	for _, n := range []int{0, 1, 2, 200} {
		var s Sum
		ids := []string{}
		for _, it := range vectorItems([][2]int{{0, n}}) {
			s.Add(&it.ID)
			ids = append(ids, hex.EncodeToString(it.ID[:]))
		}
		f := s.Fingerprint()
		v.Fingerprints = append(v.Fingerprints, struct {
			IDs         []string `json:"ids"`
			Fingerprint string   `json:"fingerprint"`
		}{ids, hex.EncodeToString(f[:])})
	}
	for _, m := range malformed() {
		v.Malformed = append(v.Malformed, hex.EncodeToString(m))
	}
	v.Transcripts = []transcript{
		{Asker: [][2]int{{0, 0}}, Peer: [][2]int{{0, 0}}},
		{Asker: [][2]int{{0, 20}}, Peer: [][2]int{{0, 20}}, Now: 1_700_000_006},
		{Asker: [][2]int{{0, 20}}, Peer: [][2]int{{10, 31}}, Now: 1_700_000_006},
		{Asker: [][2]int{{0, 0}}, Peer: [][2]int{{0, 700}}, Now: 1_700_000_300},
		{Asker: [][2]int{{0, 1000}, {1001, 3000}}, Peer: [][2]int{{0, 2000}, {2001, 3000}}, Now: 1_700_001_000},
		{Asker: [][2]int{{0, 500}}, Peer: [][2]int{{300, 1200}}, Now: 1_700_000_400, Limit: 4096},
	}
	for i := range v.Transcripts {
		v.Transcripts[i].Limit = cmp.Or(v.Transcripts[i].Limit, 128<<10)
		v.Transcripts[i].run(t)
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err == nil {
		err = os.WriteFile("testdata/vectors.json", append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// malformed are messages that are refused, each for another reason.
func malformed() [][]byte {
	message := func(b ...byte) []byte { return append([]byte{version}, b...) }
	return [][]byte{
		{},                                    // nothing
		{0x62},                                // another version
		message(1),                            // cut in a bound
		message(8, 0),                         // without a mode
		message(8, 0, 3),                      // a mode that there is not
		message(8, 33),                        // a prefix that is too long
		message(0, 1, 7, 0),                   // infinity with a prefix
		message(8, 0, 0, 1, 0, 0),             // an empty range
		message(8, 2, 1, 1, 0, 1, 1, 1, 0, 0), // descending
		message(0, 0, 0, 0, 0, 0),             // after infinity
		message(0x80, 8, 0, 0),                // a varint that is not the shortest
		message(slices.Concat(bytes.Repeat([]byte{0xff}, 10), []byte{0x7f, 0, 0})...),          // a varint of more than 64 bits
		message(slices.Concat(appendVarint(nil, Infinity), appendVarint([]byte{0, 0}, 9))...),  // seconds that overflow
		message(append([]byte{0, 0, 1}, make([]byte, 15)...)...),                               // a fingerprint cut short
		message(append([]byte{0, 0, 2, 2}, make([]byte, 63)...)...),                            // ids cut short
		message(slices.Concat([]byte{0, 0, 2}, appendVarint(nil, 1<<60), make([]byte, 32))...), // ids without end
		message(bytes.Repeat([]byte{2, 0, 0}, maxRanges+1)...),                                 // too many ranges
	}
}
