package event

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawDrafts(t *rapid.T) []Draft {
	n := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, MaxBatchEvents)).Draw(t, "events")
	drafts := texts(n, 0)
	for i := range drafts {
		drafts[i].Payload = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload")
		for range rapid.IntRange(0, 3).Draw(t, "heads") {
			drafts[i].Parents = append(drafts[i].Parents, ID{rapid.Byte().Draw(t, "head")})
		}
	}
	return drafts
}

// What Seal makes is what Decode reads, field by field, and the slow encoder writes.
//
// spec: 03-events M11, M13
func TestSealedIsWhatIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drafts := drawDrafts(t)
		last := ID{0xcc, 1}
		seq := rapid.Uint64Range(0, 5).Draw(t, "last seq")
		b, err := Seal(testLog, testAuthor, seq, last, drafts, testSign)
		if err != nil {
			t.Fatal(err)
		}
		d := must(t, b.Payload())
		if !bytes.Equal(reencode(d), b.Payload()) || len(d.Events) != len(drafts) {
			t.Fatal("the slow encoder writes something else")
		}
		if d.Log() != testLog || d.Author() != testAuthor {
			t.Fatal("another log or author")
		}
		for i := range drafts {
			e := &d.Events[i]
			if e.ID != b.Events[i].ID || e.Seq != seq+1+uint64(i) || e.HLC != drafts[i].HLC || !bytes.Equal(e.Payload(), drafts[i].Payload) {
				t.Fatalf("event %d: %+v", i, e)
			}
			if e.Seq > 1 && e.Parents[0] != last {
				t.Fatalf("event %d does not follow the one before", i)
			}
			last = e.ID
		}
	})
}

// Each event of a batch can be served alone, also when others are erased.
//
// spec: 03-events M38, M39
func TestAloneAndErasedKeepTheirProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := Seal(testLog, testAuthor, 0, ID{}, drawDrafts(t), testSign)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(b.Events)-1).Draw(t, "served")
		j := rapid.IntRange(0, len(b.Events)-1).Draw(t, "erased")
		p, err := b.Erase(j)
		if err != nil {
			t.Fatal(err)
		}
		erased := must(t, p)
		if erased.Events[j].Content != nil || erased.Events[j].Payload() != nil || erased.Events[j].ID != b.Events[j].ID {
			t.Fatal("not erased, or another event")
		}
		p, err = erased.Single(i)
		if err != nil {
			t.Fatal(err)
		}
		one := must(t, p)
		if len(one.Events) != 1 || one.Events[0].ID != b.Events[i].ID || (one.Events[0].Content == nil) != (i == j) {
			t.Fatal("another event")
		}
		again, err := one.Single(0)
		if err != nil || !bytes.Equal(again, p) {
			t.Fatal("served once more it is not the same", err)
		}
		p, err = one.Erase(0)
		if err != nil || must(t, p).Events[0].ID != b.Events[i].ID {
			t.Fatal("a lone event cannot be erased", err)
		}
	})
}

func must(t *rapid.T, payload []byte) *Batch {
	t.Helper()
	b, err := Decode(bytes.Clone(payload))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServingNeedsAnEventThatIsThere(t *testing.T) {
	b := sealed(t, texts(2, 1))
	for _, i := range []int{-1, 2} {
		if _, err := b.Single(i); err == nil {
			t.Error("single", i)
		}
		if _, err := b.Erase(i); err == nil {
			t.Error("erase", i)
		}
	}
}

func TestAckIsWantedOfOneBatchOnly(t *testing.T) {
	b := sealed(t, texts(3, 10))
	plain := bytes.Clone(b.Payload())
	b.WantAck()
	b.WantAck()
	d := decoded(t, b.Payload())
	if !d.AckWanted || !b.AckWanted || d.Events[2].ID != b.Events[2].ID {
		t.Fatal("not marked")
	}
	whole, _ := sealed(t, texts(1, 1)).Single(0)
	if decoded(t, whole).AckWanted {
		t.Error("what is served asks for an acknowledgement")
	}
	d.WantAck() // decoded: nothing happens
	other := decoded(t, plain)
	if other.WantAck(); other.AckWanted || !bytes.Equal(other.Payload(), plain) {
		t.Error("a decoded batch was changed")
	}
}

// spec: 03-events M37
func TestSealRefusesWhatNobodyWouldAccept(t *testing.T) {
	one := func(change func(*Draft)) []Draft {
		d := texts(1, 1)
		change(&d[0])
		return d
	}
	far := texts(2, 1)
	far[1].HLC = far[0].HLC + HLC(MaxDrift.Milliseconds()+1)<<counterBits
	same := texts(2, 1)
	same[1].HLC = same[0].HLC
	for name, c := range map[string]struct {
		drafts []Draft
		want   error
	}{
		"nothing":         {nil, ErrForm},
		"257 events":      {texts(257, 1), ErrTooLarge},
		"content":         {texts(1, MaxContent-SaltSize+1), ErrTooLarge},
		"payload":         {texts(3, 50<<10), ErrTooLarge},
		"no hlc":          {one(func(d *Draft) { d.HLC = 0 }), ErrForm},
		"no kind":         {one(func(d *Draft) { d.Kind = 0 }), ErrForm},
		"expiry":          {one(func(d *Draft) { d.Expiry = 1 << 48 }), ErrForm},
		"eight heads":     {one(func(d *Draft) { d.Parents = []ID{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}} }), ErrTooLarge},
		"hlc not rising":  {same, ErrForm},
		"hlc span":        {far, ErrForm},
		"short signature": {texts(1, 1), nil},
	} {
		sign := testSign
		if c.want == nil {
			sign, c.want = func([]byte) []byte { return nil }, ErrForm
		}
		if _, err := Seal(testLog, testAuthor, 0, ID{}, c.drafts, sign); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Seal(testLog, testAuthor, 1<<64-1, ID{1}, texts(1, 1), testSign); !errors.Is(err, ErrForm) {
		t.Errorf("seq past its end: %v", err)
	}
}

// spec: 03-events M14
func TestSealSortsHeadsAndDropsDoubles(t *testing.T) {
	heads := []ID{{3}, {1}, {9}, {1}, {2}}
	d := texts(1, 1)
	d[0].Parents = slices.Clone(heads)
	b, err := Seal(testLog, testAuthor, 1, ID{9}, d, testSign)
	if err != nil {
		t.Fatal(err)
	}
	if want := []ID{{9}, {1}, {2}, {3}}; !slices.Equal(b.Events[0].Parents, want) {
		t.Errorf("parents %v", b.Events[0].Parents)
	}
	if !slices.Equal(d[0].Parents, heads) {
		t.Error("the caller's heads were changed")
	}
}

// spec: 03-events M2
func TestLargestContentAndLargestBatchFit(t *testing.T) {
	d := texts(1, MaxContent-SaltSize)
	d[0].Parents = []ID{{1}, {2}, {3}, {4}, {5}, {6}, {7}}
	b, err := Seal(testLog, testAuthor, 1, ID{9}, d, testSign)
	if err != nil {
		t.Fatal(err)
	}
	decoded(t, b.Payload())
	decoded(t, sealed(t, texts(MaxBatchEvents, 256)).Payload())
}

// spec: 03-events M2
func TestDecodeRefusesOneTooMany(t *testing.T) {
	long := enc(payload(chain(MaxBatchEvents + 1)...)...)
	if _, err := Decode(long); !errors.Is(err, ErrTooLarge) {
		t.Errorf("257 events: %v", err)
	}
	if _, err := Decode(make([]byte, MaxBatchBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("payload: %v", err)
	}
	items := make([]byte, 0, MaxBatchBytes)
	for len(items)+3 < MaxBatchBytes {
		items = append(items, 0x1a, 1, 0)
	}
	if _, err := Decode(append(enc(payload(text(1, ID{}))[0]), items[:1<<16]...)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("thousands of empty events: %v", err)
	}
}

// What follows the version of a header that we cannot read is not ours to judge: a peer
// that forwards it must not be punished for it.
//
// spec: 03-events M8, M42
// spec: 04-delivery M8
func TestLaterMajorVersionIsNotJudged(t *testing.T) {
	for name, rest := range map[string][]byte{
		"garbage": {0xff, 0xff, 0xff}, "a large header": make([]byte, MaxHeader+1), "nothing": nil,
	} {
		header := append(enc(field{1, uint64(0x0200)}), rest...)
		_, err := Decode(enc(payload(text(1, ID{}))[0], field{3, enc(field{1, header})}))
		if !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Fit says how much Seal can take: nothing is left over that would still have fitted by
// much, and what it says always seals.
func TestFitSeals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drafts := texts(rapid.IntRange(1, 400).Draw(t, "drafts"), rapid.IntRange(0, 3000).Draw(t, "size"))
		if cut := rapid.IntRange(1, 400).Draw(t, "step"); cut < len(drafts) {
			drafts[cut].HLC = drafts[0].HLC + HLC(rapid.Uint64Range(0, 12_000).Draw(t, "later"))<<counterBits
		}
		for len(drafts) > 0 {
			n := Fit(drafts)
			if _, err := Seal(testLog, testAuthor, 5, ID{1}, drafts[:n], testSign); err != nil {
				t.Fatalf("%d of %d: %v", n, len(drafts), err)
			}
			drafts = drafts[n:]
		}
	})
	if n := Fit(texts(300, 1)); n != MaxBatchEvents {
		t.Errorf("%d small drafts fit", n)
	}
	if n := Fit(texts(300, 300)); n < 220 {
		t.Errorf("only %d drafts of 300 bytes fit", n)
	}
	if Fit(nil) != 0 || Fit(texts(1, 1<<20)) != 1 {
		t.Error("an impossible draft is for Seal to refuse")
	}
}

func TestVerifyNamesItsReason(t *testing.T) {
	b := decoded(t, sealed(t, texts(3, 10)).Payload())
	b.sig[5] ^= 1
	if err := b.Verify(); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// A batch costs the same few allocations whatever its size.
func TestDecodeAllocatesLittle(t *testing.T) {
	p := sealed(t, texts(MaxBatchEvents, 256)).Payload()
	if n := testing.AllocsPerRun(10, func() {
		if b, err := Decode(p); err != nil || b.Verify() != nil {
			t.Fatal(err)
		}
	}); n > 6 {
		t.Errorf("%v allocations", n)
	}
}

// spec: 03-events M20
// spec: 07-direct M2
func TestHeaderTells(t *testing.T) {
	epoch := uint64(3)
	e := Event{Header: Header{Version: Version, Kind: KindLeave, KeyEpoch: &epoch}, Content: make([]byte, 40)}
	if e.Payload() != nil {
		t.Error("ciphertext was given as payload")
	}
	if e.NeedsNewer() {
		t.Error("a known kind and version")
	}
	for kind, refused := range map[LogKind]bool{LogPublicRoom: true, LogDirect: true, LogPrivateRoom: false, LogRegistry: false} {
		if err := kind.Admits(&e.Header); errors.Is(err, ErrForm) != refused {
			t.Errorf("key epoch in kind %d: %v", kind, err)
		}
		if err := kind.Admits(&Header{}); err != nil {
			t.Errorf("plain content in kind %d: %v", kind, err)
		}
	}
}

func TestParseID(t *testing.T) {
	id := ID{1, 31: 0xfe}
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Error(got, err)
	}
	for _, s := range []string{"", "00", id.String() + "00", "zz" + id.String()[2:]} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

// The drift bound and the span of a batch are one number in the specification.
func TestBounds(t *testing.T) {
	if MaxDrift != 10*time.Second || ed25519.SignatureSize != 64 {
		t.Error("the format has changed")
	}
}
