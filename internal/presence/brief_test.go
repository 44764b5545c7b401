package presence

import (
	"fmt"
	"testing"
)

// Where a node stands is told in full until gossip has had three chances, and
// then in rotation; the room itself is named always.
func TestSignalsAtRestAreBrief(t *testing.T) {
	rooms := make([]Room, 5)
	for i := range rooms {
		rooms[i] = Room{Name: fmt.Sprint("room ", i), Seq: 7, Complete: true, Heads: make([][32]byte, MaxHeads)}
	}
	b := newBrevity()
	signal := func() (whole []int) {
		turn := b.turn(len(rooms))
		for i, r := range rooms {
			told := b.room(r, i == turn)
			if told.Name != r.Name || told.Seq != r.Seq || told.Complete != r.Complete {
				t.Fatalf("told %+v of %+v", told, r)
			}
			if len(told.Heads) == len(r.Heads) {
				whole = append(whole, i)
			}
		}
		return whole
	}
	for i := range sayAgain {
		if got := signal(); len(got) != len(rooms) {
			t.Errorf("signal %d tells of %v alone", i, got)
		}
	}
	inTurn := make(map[int]bool)
	for range rooms {
		got := signal()
		if len(got) != 1 {
			t.Fatalf("at rest a signal tells of %v", got)
		}
		inTurn[got[0]] = true
	}
	if len(inTurn) != len(rooms) {
		t.Errorf("the rotation comes to %v alone", inTurn)
	}
	rooms[2].Heads = append([][32]byte{{1}}, rooms[2].Heads[1:]...)
	changed := 0
	for range 10 {
		for _, i := range signal() {
			if i == 2 {
				changed++
			}
		}
	}
	if changed < sayAgain || changed > sayAgain+2 {
		t.Errorf("a change was told %d times in ten signals", changed)
	}
}
