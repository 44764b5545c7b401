package direct

import (
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

func strangerOf(i int) event.Author { return event.Author{1, byte(i), byte(i >> 8)} }

// Few strangers have a stream at a time, none when he could not be remembered;
// who is remembered takes none of their places.
func TestStrangersAreFew(t *testing.T) {
	s := &Service{
		chats: make(map[event.Author]bool), strangers: make(map[event.Author]int), pairs: make(map[event.Author]*Pair),
	}
	for i := range maxStrangers {
		if !s.admitStranger(strangerOf(i)) {
			t.Fatalf("the %dth is refused", i+1)
		}
	}
	refused := func() bool {
		if s.admitStranger(strangerOf(maxStrangers)) {
			s.dismiss(strangerOf(maxStrangers))
			return false
		}
		return true
	}
	if !refused() {
		t.Error("one too many is let in")
	}
	s.noteLocked(strangerOf(0), false)
	if refused() {
		t.Error("a chat takes the place of a stranger")
	}
	s.dismiss(strangerOf(0)) // its stream ends too
	if !s.admitStranger(strangerOf(maxStrangers)) || s.admitStranger(strangerOf(maxStrangers+1)) {
		t.Error("not one place was free")
	}
	for i := range maxStrangers + 1 {
		s.dismiss(strangerOf(i))
	}
	if s.strange != 0 || len(s.strangers) != 0 {
		t.Errorf("%d are left, %v", s.strange, s.strangers)
	}
	for i := range maxBegun {
		s.noteLocked(strangerOf(1000+i), false)
	}
	if !refused() {
		t.Error("one who could not be remembered is let in")
	}
}
