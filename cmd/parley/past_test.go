package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

// What was said while one was away comes newest first, and maybe in thousands:
// it shows in its order, and only the newest of it.
func TestThePastShowsInOrder(t *testing.T) {
	p := &person{t: t, shown: make(chan struct{}, 1)}
	s := newSession(testApp("d"), nil)
	s.screen = p
	now := time.Now()
	said := func(room string, ago time.Duration, text string) *v1.Message {
		return &v1.Message{
			Id: text, Room: room, Author: "12D3KooWa", Nick: "ada", Kind: chat.KindMessage, Type: chat.TextType, Text: text,
			Hlc: uint64(now.Add(-ago).UnixMilli()) << 16,
		}
	}
	s.goTo("lobby")
	for i := range 1000 {
		s.arrived(t.Context(), said("lobby", time.Minute+time.Duration(i)*time.Second, "past "+strconv.Itoa(i)))
	}
	s.arrived(t.Context(), said("ops", time.Hour, "old"))
	s.arrived(t.Context(), said("lobby", 0, "just now"))
	p.sees("ada: just now\n")
	if got := p.screen.String(); strings.Contains(got, "past") {
		t.Errorf("shown while more comes:\n%s", got)
	}
	select {
	case <-s.past.timer.C:
	case <-time.After(scriptWait):
		t.Fatal("the past is never shown")
	}
	s.showPast(now)
	got := p.screen.String()
	if n := strings.Count(got, "past "); n != mostPast {
		t.Errorf("%d are shown, want %d:\n%s", n, mostPast, got)
	}
	if !strings.Contains(got, "[ops] ada: old\n") {
		t.Errorf("the other room's is not shown:\n%s", got)
	}
	p.sees("* earlier ones in lobby that came now: 980; /history N shows them\n")
	for i := mostPast - 1; i >= 0; i-- {
		p.sees("ada: past " + strconv.Itoa(i) + "\n")
	}
	s.showPast(now)
	if again := p.screen.String(); again != got {
		t.Errorf("shown twice:\n%s", again)
	}

	// What is older still does not come below it.
	s.arrived(t.Context(), said("lobby", 24*time.Hour, "older still"))
	s.arrived(t.Context(), said("lobby", 30*time.Second, "newer"))
	s.showPast(now)
	p.sees("* earlier ones in lobby that came now: 1; /history N shows them\n")
	p.sees("ada: newer\n")
	if strings.Contains(p.screen.String(), "older still") {
		t.Error("an older one is shown below newer ones")
	}
	s.past.rooms["lobby"].last = now.Add(-2 * lateEnds)
	s.arrived(t.Context(), said("lobby", 24*time.Hour, "of another who was away"))
	s.showPast(now)
	p.sees("of another who was away\n")
}
