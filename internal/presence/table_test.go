package presence

import (
	"fmt"
	"testing"
	"time"
)

var start = time.UnixMilli(1_700_000_000_000)

// tell applies a signal of an author, sent and heard at the same time.
func tell(t *table, at time.Time, author byte, seq uint64, change func(*Signal)) (verdict, bool) {
	s := &Signal{Author: [32]byte{author}, Time: at.UnixMilli(), Seq: seq, Interval: 5 * time.Second}
	if change != nil {
		change(s)
	}
	return apply(t, at, s, s.roomKeys(), false)
}

func in(names ...string) func(*Signal) {
	return func(s *Signal) {
		for _, n := range names {
			s.Rooms = append(s.Rooms, Room{Name: n})
		}
		s.Total = uint32(len(names))
	}
}

// spec: 05-presence M8, M10
func TestNewestSignalWins(t *testing.T) {
	tab := newTable()
	if v, changed := tell(tab, start, 1, 5, in("a")); v != fresh || !changed {
		t.Fatalf("first: %v %v", v, changed)
	}
	for _, seq := range []uint64{5, 4, 0} {
		if v, _ := tell(tab, start, 1, seq, nil); v != stale {
			t.Errorf("replay of %d: %v", seq, v)
		}
	}
	if v, changed := tell(tab, start.Add(time.Second), 1, 6, in("a")); v != fresh || changed {
		t.Errorf("nothing new: %v %v", v, changed)
	}
	if v, changed := tell(tab, start.Add(time.Second), 1, 7, in("b")); v != fresh || !changed {
		t.Errorf("other room: %v %v", v, changed)
	}
	if tab.rooms["a"] != nil || tab.rooms["b"] == nil || tab.entries != 1 {
		t.Errorf("rooms %v", tab.rooms)
	}
}

// spec: 05-presence M10
func TestSignalsOfAnotherTimeAreRefused(t *testing.T) {
	tab := newTable()
	at := func(d time.Duration) *Signal {
		return &Signal{Author: [32]byte{1}, Time: start.Add(d).UnixMilli(), Seq: 1, Interval: time.Second}
	}
	if v, _ := apply(tab, start, at(5*time.Minute+time.Millisecond), nil, true); v != future {
		t.Errorf("from the future: %v", v)
	}
	if v, _ := apply(newTable(), start, at(5*time.Minute), nil, true); v != fresh {
		t.Errorf("five minutes ahead: %v", v)
	}
	if v, _ := apply(tab, start, at(-10*time.Minute-time.Millisecond), nil, false); v != past {
		t.Errorf("an old one in gossip: %v", v)
	}
	if v, _ := apply(newTable(), start, at(-10*time.Minute), nil, false); v != fresh {
		t.Errorf("ten minutes back: %v", v)
	}
	if v, _ := apply(tab, start, at(-maxBehind-time.Second), nil, true); v != fresh {
		t.Errorf("of a peer whose clock is slow, from itself: %v", v)
	}
}

// spec: 05-presence M11
func TestOnlineIsThreeIntervals(t *testing.T) {
	tab := newTable()
	tell(tab, start, 1, 1, in("a"))
	if gone := tab.expire(start.Add(15 * time.Second)); gone != nil {
		t.Errorf("gone too early: %v", gone)
	}
	if gone := tab.expire(start.Add(15*time.Second + 1)); len(gone) != 1 || tab.online != 0 {
		t.Errorf("gone %v, %d online", gone, tab.online)
	}
	if tab.rooms["a"] == nil {
		t.Error("out of its room at once")
	}
	tab.expire(start.Add(forget + 1))
	if len(tab.rooms) != 0 || tab.entries != 0 {
		t.Error("in its room for ever")
	}
	tell(tab, start.Add(time.Minute), 1, 2, nil)
	if _, changed := tell(tab, start.Add(time.Minute), 1, 3, func(s *Signal) { s.Goodbye = true }); !changed || tab.online != 0 {
		t.Errorf("goodbye: %d online", tab.online)
	}
}

func TestRoomsInRotationAddUp(t *testing.T) {
	tab := newTable()
	part := func(names ...string) func(*Signal) {
		return func(s *Signal) { in(names...)(s); s.Total = 4 }
	}
	tell(tab, start, 1, 1, part("a", "b"))
	tell(tab, start.Add(5*time.Second), 1, 2, part("c", "d"))
	if len(tab.rooms) != 4 {
		t.Fatalf("%d rooms", len(tab.rooms))
	}
	for i := range 12 { // b is never told again
		tell(tab, start.Add(time.Duration(i+2)*5*time.Second), 1, uint64(i+3), part("a", "c"))
	}
	if tab.rooms["b"] != nil || tab.rooms["d"] != nil || len(tab.rooms) != 2 {
		t.Errorf("rooms %v", tab.rooms)
	}
}

// spec: 05-presence M10
func TestAnAuthorsSignalsArePaced(t *testing.T) {
	tab := newTable()
	count := 0
	for i := range 100 { // a hundred in ten seconds
		if v, _ := tell(tab, start.Add(time.Duration(i)*100*time.Millisecond), 1, uint64(i+1), nil); v == fresh {
			count++
		}
	}
	if count < 10 || count > authorAtOnce+11 {
		t.Errorf("%d taken", count)
	}
	s := &Signal{Author: [32]byte{1}, Time: start.UnixMilli(), Seq: 1000, Interval: time.Second}
	if v, _ := apply(tab, start.Add(10*time.Second), s, nil, true); v != fresh {
		t.Errorf("from itself: %v", v)
	}
}

func TestTableIsBounded(t *testing.T) {
	tab := newTable()
	author := func(i int) (a [32]byte) { copy(a[:], fmt.Sprint(i)); return a }
	for i := range maxPeers {
		s := &Signal{Author: author(i), Time: start.UnixMilli(), Seq: 1, Interval: time.Second}
		in(fmt.Sprint("room", i))(s)
		if v, _ := apply(tab, start, s, s.roomKeys(), false); v != fresh {
			t.Fatalf("peer %d: %v", i, v)
		}
	}
	s := &Signal{Author: author(1 << 20), Time: start.UnixMilli(), Seq: 1, Interval: time.Second}
	if v, _ := apply(tab, start, s, nil, false); v != full {
		t.Errorf("all are online: %v", v)
	}
	here := &Signal{Author: author(-2), Time: start.UnixMilli(), Seq: 1, Interval: time.Second}
	if v, _ := apply(tab, start, here, nil, true); v != fresh || tab.online != len(tab.peers) {
		t.Errorf("who is here himself has no place: %v, %d online of %d", v, tab.online, len(tab.peers))
	}
	for i := 0; len(tab.peers) < maxPeers; i++ {
		s := &Signal{Author: author(-3 - i), Time: start.UnixMilli(), Seq: 1, Interval: time.Second}
		apply(tab, start, s, nil, false)
	}
	tab.expire(start.Add(time.Minute))
	later := start.Add(time.Minute)
	s.Time = later.UnixMilli()
	if v, _ := apply(tab, later, s, nil, false); v != fresh || len(tab.peers) != maxPeers-maxPeers/10+1 {
		t.Errorf("%v, %d peers", v, len(tab.peers))
	}
	if len(tab.rooms) != tab.entries || len(tab.rooms) >= maxRooms {
		t.Errorf("%d rooms, %d entries", len(tab.rooms), tab.entries)
	}
}

// apply takes a signal in at a time that is the receiver's wall clock too.
func apply(t *table, now time.Time, s *Signal, keys []string, direct bool) (verdict, bool) {
	return t.apply(now, s.ahead(now), s, keys, direct)
}
