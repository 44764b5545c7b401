package reconcile_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/parley-chat/parley/internal/reconcile"
)

// counting notes what is read of a set, and says that each question read so much.
type counting struct {
	reconcile.Slice
	items int

	reads, unsaid int
}

func (c *counting) Items(from, to reconcile.Bound, limit int) ([]reconcile.Item, error) {
	items, err := c.Slice.Items(from, to, limit)
	c.items += len(items)
	c.unsaid += c.reads
	return items, err
}

func (c *counting) Sum(from, to reconcile.Bound) (reconcile.Sum, error) {
	c.unsaid += c.reads
	return c.Slice.Sum(from, to)
}

func (c *counting) Read() (n int) {
	n, c.unsaid = c.unsaid, 0
	return n
}

func varint(v uint64) []byte {
	b := []byte{byte(v & 0x7f)}
	for v >>= 7; v > 0; v >>= 7 {
		b = append([]byte{byte(v&0x7f) | 0x80}, b...)
	}
	return b
}

func asker(set reconcile.Set) *reconcile.Asker {
	return reconcile.NewAsker(set, reconcile.At(0), reconcile.At(reconcile.Infinity), base+5000, 1<<40)
}

// A peer that always says that everything differs, in as many ranges as a reply
// has place for, makes an Asker hold and ask no more than its bounds.
func TestAnAskerIsBoundedWhateverIsReplied(t *testing.T) {
	set := reconcile.NewSlice(numbered(0, 10_000))
	a, dice := asker(set), rand.New(rand.NewPCG(1, 2))
	for range 200 {
		msg, err := a.Next(32<<10, 128<<10)
		if err != nil || msg == nil {
			t.Fatal("finished", err)
		}
		if len(msg) > 32<<10 {
			t.Fatalf("%d bytes asked", len(msg))
		}
		// ranges of a second each in the last hour, newest last
		reply := append([]byte{0x61}, varint(base+1401+uint64(dice.IntN(9)))...)
		reply = append(reply, 0, 0)
		for range 3500 {
			reply = append(append(reply, 2, 0, 1), make([]byte, 16)...)
		}
		if _, err := a.Take(reply); err != nil {
			if !errors.Is(err, reconcile.ErrAnswer) {
				t.Fatal(err)
			}
			a = asker(set)
			continue
		}
		if a.Open() > 4096 {
			t.Fatalf("%d open ranges", a.Open())
		}
	}
}

// Replies that lie outside of what was asked, or ask for the same again.
//
// spec: 06-sync M12
func TestRepliesThatAreNoAnswerAreRefused(t *testing.T) {
	set := reconcile.NewSlice(numbered(0, 10_000))
	fingerprint := make([]byte, 16)
	for name, reply := range map[string]func(msg []byte) []byte{
		"the same": func(msg []byte) []byte { return msg },
		"all of it": func([]byte) []byte {
			return append([]byte{0x61, 0, 0, 1}, fingerprint...)
		},
		"a list of all": func([]byte) []byte { return []byte{0x61, 0, 0, 2, 0} },
		"over the edge of two": func([]byte) []byte {
			b := append([]byte{0x61}, varint(base)...)
			b = append(append(append(b, 0, 0), varint(4000)...), 0, 1)
			return append(b, fingerprint...)
		},
	} {
		a := asker(set)
		msg, err := a.Next(32<<10, 128<<10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Take(reply(msg)); !errors.Is(err, reconcile.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := asker(set)
	if _, err := a.Next(32<<10, 128<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Take([]byte{0x62}); !errors.Is(err, reconcile.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
}

// Lists of a few ids beside very many own ones do not make an Asker read them.
func TestAShortListDoesNotMakeUsReadALongHistory(t *testing.T) {
	set := &counting{Slice: reconcile.NewSlice(numbered(0, 50_000))}
	a := asker(set)
	if _, err := a.Next(32<<10, 128<<10); err != nil {
		t.Fatal(err)
	}
	one := item(7).ID
	reply := append([]byte{0x61}, varint(base+5000-7*24*3600+1)...) // the oldest window
	reply = append(append(reply, 0, 2, 1), one[:]...)
	if _, err := a.Take(reply); err != nil {
		t.Fatal(err)
	}
	if set.items > 9000 {
		t.Errorf("%d items read", set.items)
	}
}

// A message makes the server read and sum up no more than its size allows.
func TestWorkOfAnAnswerIsBounded(t *testing.T) {
	set := &counting{Slice: reconcile.NewSlice(numbered(0, 100_000))}
	msg := []byte{0x61}
	msg = append(append(append(msg, varint(base+1)...), 0, 1), make([]byte, 16)...)
	for len(msg) < 32<<10-20 {
		msg = append(append(msg, 21, 0, 1), make([]byte, 16)...) // 20 seconds each
	}
	reply, work, err := reconcile.Answer(set, reconcile.At(0), msg, 128<<10)
	if err != nil || len(reply) > 128<<10 {
		t.Fatal(len(reply), err)
	}
	if work.Ranges > 20*len(msg)/19+100 || set.items > 5000 {
		t.Errorf("%+v, %d", work, set.items)
	}
	set.items = 0
	list := []byte{0x61, 0, 0, 2, 0}
	if reply, work, err = reconcile.Answer(set, reconcile.At(0), list, 128<<10); err != nil || set.items > 4200 || len(reply) > 128<<10 {
		t.Errorf("%+v, %d items, %d bytes, %v", work, set.items, len(reply), err)
	}
	set.reads = 5000 // by a store whose seconds are busy, for each question
	reply, work, err = reconcile.Answer(set, reconcile.At(0), msg, 128<<10)
	if err != nil || work.Read < 1<<16 || work.Read > 1<<16+20*5000 {
		t.Errorf("%+v, %d bytes, %v", work, len(reply), err)
	}
}

// A store that has to read very much for each question is compared all the same.
//
// spec: 06-sync M10
func TestAnswersCutForTheirWorkLoseNothing(t *testing.T) {
	own, peer := reconcile.NewSlice(numbered(0, 3000)), &counting{Slice: reconcile.NewSlice(numbered(1000, 9000)), reads: 30_000}
	s := meet(t, own, peer, reconcile.At(0), base+3000, 8000, 32<<10, 128<<10)
	if len(s.need) != 6000 || s.have < 1000 || s.rounds > 200 {
		t.Errorf("%d needed, %d had, %d rounds", len(s.need), s.have, s.rounds)
	}
}

// Nothing below the floor is told, whatever is asked.
//
// spec: 06-sync M1
func TestNothingBelowTheFloorIsTold(t *testing.T) {
	set := reconcile.NewSlice(numbered(0, 60))
	floor := reconcile.At(base + 10)
	for _, msg := range [][]byte{
		{0x61, 0, 0, 2, 0},
		append([]byte{0x61, 0, 0, 1}, make([]byte, 16)...),
		append(append([]byte{0x61}, varint(base+5)...), 0, 2, 0, 0, 0, 2, 0),
	} {
		reply, _, err := reconcile.Answer(set, floor, msg, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range set {
			if told := bytes.Contains(reply, it.ID[:]); told == floor.Includes(&it) {
				t.Fatalf("second %d: told %v", it.Second-base, told)
			}
		}
	}
}

// spec: 06-sync M8
func FuzzAnswer(f *testing.F) {
	set := reconcile.NewSlice(numbered(0, 200))
	f.Add([]byte{0x61, 0, 0, 2, 0}, uint64(0))
	f.Add(append([]byte{0x61, 0, 0, 1}, make([]byte, 16)...), uint64(base))
	f.Fuzz(func(t *testing.T, msg []byte, floor uint64) {
		reply, work, err := reconcile.Answer(set, reconcile.At(floor), msg, 4096)
		if err != nil {
			return
		}
		if len(reply) > 4096 || work.Ranges > 20*len(msg) {
			t.Fatalf("%d bytes, %+v", len(reply), work)
		}
		if len(reply) == 1 {
			return
		}
		if _, _, err := reconcile.Answer(set, reconcile.At(0), reply, 4096); err != nil {
			t.Fatalf("the reply %x: %v", reply, err)
		}
	})
}

// spec: 06-sync M8
func FuzzTake(f *testing.F) {
	set := reconcile.NewSlice(numbered(0, 200))
	f.Add([]byte{0x61, 0, 0, 2, 0})
	f.Add(append([]byte{0x61, 0, 0, 1}, make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, reply []byte) {
		a := asker(set)
		if _, err := a.Next(4096, 4096); err != nil {
			t.Fatal(err)
		}
		found, err := a.Take(reply)
		if err == nil && (len(found.Need) > len(reply)/32 || found.Have > len(set) || a.Open() > 4096) {
			t.Fatalf("%d needed, %d had, %d open", len(found.Need), found.Have, a.Open())
		}
	})
}

// A message has 4,096 ranges at most, those that are skipped too.
//
// spec: 06-sync M5, M6
func TestMessagesOfManyRanges(t *testing.T) {
	// Each skips one more second.
	skips := func(n int) []byte { return append([]byte{0x61}, bytes.Repeat([]byte{2, 0, 0}, n)...) }
	answer := func(msg []byte) error {
		_, _, err := reconcile.Answer(reconcile.NewSlice(nil), reconcile.At(0), msg, 128<<10)
		return err
	}
	if err := answer(skips(4096)); err != nil {
		t.Errorf("4,096 ranges: %v", err)
	}
	if err := answer(skips(4097)); !errors.Is(err, reconcile.ErrForm) {
		t.Errorf("4,097 ranges: %v", err)
	}
}
