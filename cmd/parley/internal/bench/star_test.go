package bench

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Each leaf is in one process, no two of a room are in the same, and what they
// are to hear is what the three others of their rooms said.
func TestStar(t *testing.T) {
	for leaves := Seats; leaves <= 500; leaves += Seats {
		s := newStar(leaves)
		if s.leaves() != leaves || s.crowds() > crowds && leaves > Seats {
			t.Fatalf("%d leaves are %d in %d processes", leaves, s.leaves(), s.crowds())
		}
		sent, heard, senders := make([]int, leaves), 0, 0
		for i := range sent {
			sent[i] = 1
		}
		for self := 1; self <= s.crowds(); self++ {
			own := s.voices(self)
			senders += own.count
			rooms := map[int]bool{}
			for leaf := own.first; leaf < own.first+own.count; leaf++ {
				rooms[s.roomOf(leaf)] = true
			}
			if len(rooms) != own.count {
				t.Fatalf("%d leaves: %d of a process are in %d rooms", leaves, own.count, len(rooms))
			}
			heard += newSeen(leaves).missing(s.awaited(self, sent), own)
		}
		if senders != leaves || heard != leaves*(Seats-1) {
			t.Fatalf("%d leaves: %d speak, and %d messages are to be heard", leaves, senders, heard)
		}
		if hub := newSeen(leaves).missing(s.awaited(0, sent), s.voices(0)); hub != leaves {
			t.Fatalf("the hub is to hear %d of %d", hub, leaves)
		}
	}
}

// Of what a member sends each of its leaves has sent its share, in turn.
func TestVoicesSpeakInTurn(t *testing.T) {
	own, each := voices{2, 3}, make([]int, 6)
	for k := range 7 {
		sender, index := own.next(k)
		if each[sender] != index {
			t.Errorf("message %d is number %d of %d", k, index, sender)
		}
		each[sender]++
	}
	shares := make([]int, 6)
	own.share(7, shares)
	if want := []int{0, 0, 3, 2, 2, 0}; !slices.Equal(each, want) || !slices.Equal(shares, want) {
		t.Errorf("sent %v, shares %v, want %v", each, shares, want)
	}
}

// A hub listens where it was told, all are in a network that nobody else can
// enter, and crowds begin one after the other.
func TestOpeningOfAStar(t *testing.T) {
	star := newStar(8)
	o := Opening{Star: star, Self: 3}
	if got := o.listenAddr(); got != "/ip4/127.0.0.1/tcp/0" {
		t.Error(got)
	}
	star.Address, o.Transport = netip.MustParseAddr("2001:db8::1"), QUIC
	if got := o.listenAddr(); got != "/ip6/2001:db8::1/udp/0/quic-v1" {
		t.Error(got)
	}
	if o.network().Secret != &star.Secret || len(o.rooms()) != 2 {
		t.Error("it is in another network, or other rooms")
	}
	if got := o.phase(); got != 0.25 {
		t.Errorf("the third of eight begins after %v", got)
	}
	if got := star.calm(); got < 3*time.Second {
		t.Error(got)
	}
}
