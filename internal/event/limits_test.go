package event

import (
	"bytes"
	"errors"
	"testing"
)

// sized is a lone text of version 1.1 whose header has size bytes.
func sized(size int) item {
	it := text(1, ID{})
	it.header = with(it.header, 1, uint64(0x0101))
	it.header = append(it.header, field{12, make([]byte, size-len(enc(it.header...))-3)})
	return it
}

// spanning is a batch of two, the second millis after the first.
func spanning(millis uint64) []item {
	items := chain(2)
	items[1].header = with(items[1].header, 5, uint64(testHLC)+(1+millis)<<counterBits) // the first has 1
	return items
}

// padded is a batch of two whose second content fills it to size bytes.
func padded(size int) []byte {
	first := contentOf(64 << 10)
	second := text(2, first.id())
	fill := func(n int) []byte {
		second.content = make([]byte, n)
		hash := tagged("parley/content/1", second.content)
		second.header = with(with(second.header, 10, uint64(n)), 11, hash[:])
		return enc(payload(first, second)...)
	}
	const guess = 60 << 10
	return fill(guess + size - len(fill(guess)))
}

// Each limit of a payload, as it stands in the specification: at it all is well, one above it is
// refused.
//
// spec: 03-events M2, M37
func TestLimitsAtTheBound(t *testing.T) {
	whole := padded(128 << 10)
	if len(whole) != 128<<10 {
		t.Fatalf("%d bytes", len(whole))
	}
	for name, c := range map[string]struct {
		at, above []byte
		want      error
	}{
		"payload":  {whole, padded(128<<10 + 1), ErrTooLarge},
		"events":   {enc(payload(chain(256)...)...), enc(payload(chain(257)...)...), ErrTooLarge},
		"header":   {enc(payload(sized(1024))...), enc(payload(sized(1025))...), ErrTooLarge},
		"content":  {enc(payload(contentOf(64 << 10))...), enc(payload(contentOf(64<<10 + 1))...), ErrTooLarge},
		"salt":     {enc(payload(contentOf(16))...), enc(payload(contentOf(15))...), ErrForm},
		"span":     {enc(payload(spanning(10_000)...)...), enc(payload(spanning(10_001)...)...), ErrForm},
		"parents":  {enc(payload(text(2, ID{0xff}, heads(7)...))...), enc(payload(text(2, ID{0xff}, heads(8)...))...), ErrTooLarge},
		"heads":    {enc(payload(text(1, ID{}, heads(7)...))...), enc(payload(text(1, ID{}, heads(8)...))...), ErrTooLarge},
		"versions": {enc(payload(versioned(0x01ff))...), enc(payload(versioned(1 << 16))...), ErrForm},
		"expiry":   {enc(payload(expiring(1<<48 - 1))...), enc(payload(expiring(1 << 48))...), ErrForm},
		"flags":    {enc(with(payload(chain(1)...), 2, uint64(255))...), enc(with(payload(chain(1)...), 2, uint64(256))...), ErrForm},
	} {
		b, err := Decode(c.at)
		if err == nil {
			err = b.Verify()
		}
		if err != nil {
			t.Errorf("%s, at the limit: %v", name, err)
		}
		if _, err := Decode(c.above); !errors.Is(err, c.want) {
			t.Errorf("%s, one above: %v, want %v", name, err, c.want)
		}
	}
}

func heads(n int) (ids []ID) {
	for i := range n {
		ids = append(ids, ID{byte(i)})
	}
	return ids
}

func contentOf(size int) item {
	it := text(1, ID{})
	it.content = make([]byte, size)
	hash := tagged("parley/content/1", it.content)
	it.header = with(with(it.header, 10, uint64(size)), 11, hash[:])
	return it
}

func versioned(v uint64) item {
	it := text(1, ID{})
	it.header = with(it.header, 1, v)
	return it
}

func expiring(at uint64) item {
	it := text(1, ID{})
	it.header = with(it.header, 9, at)
	return it
}

// What a later version wrote into a header stays there to the byte, however the event is served:
// written again it had another name.
//
// spec: 03-events M7
func TestANewerHeaderIsCarriedVerbatim(t *testing.T) {
	items := chain(3)
	for i := range items {
		items[i].header = append(with(items[i].header, 1, uint64(0x0107)), field{12, []byte{byte(i + 1)}}, field{900, uint64(7)})
		if i > 0 {
			id := items[i-1].id()
			items[i].header = with(items[i].header, 6, id[:])
		}
	}
	b := decoded(t, enc(payload(items...)...))
	for i, it := range items {
		alone, err := b.Single(i)
		if err != nil {
			t.Fatal(err)
		}
		gone, err := decoded(t, alone).Erase(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range [][]byte{alone, gone} {
			e := &decoded(t, p).Events[0]
			if !bytes.Equal(e.Raw, enc(it.header...)) || e.ID != it.id() || !e.NeedsNewer() {
				t.Errorf("event %d: header %x, want %x", i, e.Raw, enc(it.header...))
			}
		}
	}
}
