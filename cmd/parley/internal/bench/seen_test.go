package bench

import (
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestStamp(t *testing.T) {
	at := time.Unix(1_795_000_000, 123_456_789)
	for _, size := range []int{MinSize, 256} {
		text := stamp(499, 9_999_999, at, size)
		if len(text) != size {
			t.Errorf("%d bytes, want %d", len(text), size)
		}
		sender, index, when, ok := stamped(text)
		if !ok || sender != 499 || index != 9_999_999 || !when.Equal(at) {
			t.Errorf("%q reads as %d, %d, %v, %v", text, sender, index, when, ok)
		}
	}
	for _, text := range []string{"", "hello", "1 2 ", "1 2 3", "a 2 3 x", "1 b 3 x", "1 2 c x", "1  3 x"} {
		if _, _, _, ok := stamped(text); ok {
			t.Errorf("%q is taken for a stamp", text)
		}
	}
}

func TestBits(t *testing.T) {
	var b bits
	for _, i := range []int{0, 63, 64, 1000} {
		if !b.set(i) {
			t.Errorf("%d is in the set before it is put there", i)
		}
		if b.set(i) {
			t.Errorf("%d is put into the set twice", i)
		}
	}
	if b.n != 4 {
		t.Errorf("%d numbers, want 4", b.n)
	}
}

// A receiver knows what is missing, what came twice, how long each took and the
// longest silence.
func TestSeen(t *testing.T) {
	s, sent := newSeen(3), time.Unix(1_795_000_000, 0)
	came := func(sender, index int, after time.Duration) {
		s.note(stamp(sender, index, sent, MinSize), sent.Add(after))
	}
	more := s.next()
	came(0, 0, 10*time.Millisecond)
	<-more
	came(0, 2, 20*time.Millisecond)
	came(0, 2, 25*time.Millisecond) // twice: not counted, no end of the silence
	came(1, 0, 120*time.Millisecond)
	s.note("hello", sent.Add(time.Second))
	for _, of := range []int{-1, 3} { // senders there are none of
		came(of, 0, time.Second)
	}
	came(1, -1, time.Second)

	// Of 3, 1 and 2 messages lack one of the first and both of the third, which
	// is this member: nobody sends to himself.
	if n := s.missing([]int{3, 1, 2}, voices{2, 1}); n != 1 {
		t.Errorf("%d are missing, want 1", n)
	}
	if n := s.missing([]int{3, 1, 2}, voices{1, 1}); n != 3 {
		t.Errorf("%d are missing, want 3", n)
	}
	var tally Tally
	if err := s.tell(&tally); err != nil {
		t.Fatal(err)
	}
	if tally.Twice != 1 || tally.Silence != 100*time.Millisecond || !tally.Last.Equal(sent.Add(120*time.Millisecond)) {
		t.Errorf("twice %d, silence %v, last %v", tally.Twice, tally.Silence, tally.Last)
	}
	h, err := hdrhistogram.Decode(tally.Latencies)
	if err != nil {
		t.Fatal(err)
	}
	if n := h.TotalCount(); n != 3 {
		t.Errorf("%d latencies, want 3", n)
	}
	var c Carried
	c.percentiles(h)
	for i, want := range []float64{20, 120, 120} {
		if got := []float64{c.P50, c.P99, c.Max}[i]; got < want*0.98 || got > want*1.02 {
			t.Errorf("latency %d is %v ms, want %v", i, got, want)
		}
	}
}

// A room's figures are of all members together, and who lost or repaired what
// another has counts as well.
func TestRoomAddsUp(t *testing.T) {
	begun := time.Unix(1_795_000_000, 0)
	tally := func(missing, repaired int, last, silence time.Duration) Tally {
		s := newSeen(1)
		s.note(stamp(0, 0, begun, MinSize), begun.Add(last))
		m := Tally{Missing: missing, Repaired: repaired}
		if err := s.tell(&m); err != nil {
			t.Fatal(err)
		}
		m.Silence = silence
		return m
	}
	r := &Result{Carried: &Carried{}, Repaired: new(int)}
	sents := []Sent{{Count: 60, First: begun.Add(time.Second)}, {Count: 40, First: begun}}
	if err := r.room(sents, []Tally{tally(3, 7, 2*time.Second, 50*time.Millisecond), tally(0, 10, 4*time.Second, time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	got := []float64{float64(r.Sent), float64(r.Lost), float64(*r.Repaired), r.Seconds, r.PerSecond, r.Silence}
	if want := []float64{100, 3, 17, 4, 20, 50}; !slices.Equal(got, want) {
		t.Errorf("sent, lost, repaired, seconds, a second, silence: %v, want %v", got, want)
	}
}
