package delivery

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// What was told of a moment ago waits as long as what came before it did: in a
// crowded room something is told of all the time.
func TestEachHintWaitsItsTime(t *testing.T) {
	begin := time.Now()
	id := func(b byte) event.ID { return event.ID{b} }
	f := &fetcher{told: map[peer.ID][]hint{
		"a": {{id(1), begin}, {id(2), begin.Add(time.Second)}},
		"b": {{id(3), begin.Add(2 * time.Second)}},
	}}
	steps := []struct {
		before time.Duration
		due    []event.ID
		more   bool
	}{
		{-time.Second, nil, true},
		{0, []event.ID{id(1)}, true},
		{time.Second, []event.ID{id(2)}, true},
		{time.Second, nil, true},
		{2 * time.Second, []event.ID{id(3)}, false},
		{time.Hour, nil, false},
	}
	for _, s := range steps {
		due, more := f.take(begin.Add(s.before))
		var got []event.ID
		for _, ids := range due {
			got = append(got, ids...)
		}
		if len(got) != len(s.due) || len(got) == 1 && got[0] != s.due[0] || more != s.more {
			t.Errorf("%v: %v are due, more %v; want %v, %v", s.before, got, more, s.due, s.more)
		}
	}
}
