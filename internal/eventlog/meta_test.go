package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What is stored with a batch is there with it, also in a copy of the files at
// that moment; a batch that is refused leaves none of it.
func TestMarksAreStoredWithTheirBatch(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(3, 10)...)
	id := b.Events[0].ID
	if _, err := s.AppendWith(t.Context(), b, true, Mark{"key/1", id[:]}, Mark{"key/2", []byte{}}); err != nil {
		t.Fatal(err)
	}
	c := open(t, copyRunning(t, s))
	for _, s := range []*Store{s, c} {
		val, err := s.Meta("key/1")
		if err != nil || string(val) != string(id[:]) {
			t.Errorf("the mark is %x (%v)", val, err)
		}
		if ok, err := s.Has(id); !ok || err != nil {
			t.Error("the mark is there and its event is not", err)
		}
	}
	if _, err := s.AppendWith(t.Context(), b, true, Mark{"key/1", nil}); err != nil { // nothing new
		t.Fatal(err)
	}
	if val, err := s.Meta("key/1"); val != nil || err != nil {
		t.Errorf("a mark that was deleted is %x (%v)", val, err)
	}
	s.profile.logs = 1
	_, err := s.AppendWith(t.Context(), a.seal(t, [32]byte{7}, texts(1, 1)...), true, Mark{"key/3", []byte{1}})
	if val, _ := s.Meta("key/3"); !errors.Is(err, ErrScattered) || val != nil {
		t.Errorf("a refused batch left %x (%v)", val, err)
	}
	if _, err := s.AppendWith(t.Context(), b, true, Mark{strings.Repeat("k", 2000), nil}); err == nil {
		t.Error("a huge key is taken")
	}
}

func TestMetasByPrefix(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 700 {
		must(t, s.SetMeta(fmt.Sprintf("a/%03d", i), []byte{byte(i)}))
	}
	must(t, s.SetMeta("b", []byte{}))
	count := func(prefix string) (n int) {
		last := ""
		for m, err := range s.Metas(t.Context(), prefix) {
			if must(t, err); m.Key <= last {
				t.Errorf("%q after %q", m.Key, last)
			}
			last = m.Key
			n++
		}
		return n
	}
	if count("a/") != 700 || count("") != 701 || count("a/69") != 10 || count("c") != 0 {
		t.Errorf("%d, %d, %d, %d values", count("a/"), count(""), count("a/69"), count("c"))
	}
	n, err := s.DeleteMetas(t.Context(), "a/", func(m Mark) bool { return m.Val[0]%2 == 0 })
	if err != nil || n != 350 || count("a/") != 350 {
		t.Errorf("%d were deleted, %d are left (%v)", n, count("a/"), err)
	}
	n, err = s.DeleteMetas(t.Context(), "a/", nil)
	if err != nil || n != 350 || count("") != 1 {
		t.Errorf("%d were deleted, %d are left (%v)", n, count(""), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.DeleteMetas(ctx, "", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
