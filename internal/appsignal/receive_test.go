package appsignal

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/parley-chat/parley/internal/event"
)

// hearing is a service that counts what it hears; only authors 1 to 9 are in
// the room.
func hearing(t *testing.T) (s *Service, heard *int) {
	t.Helper()
	heard = new(int)
	members := make(map[event.Author]bool)
	for i := range byte(9) {
		a, _ := signer(i + 1)
		members[a] = true
	}
	self, sign := signer(9)
	s, err := New(Config{
		Network: testNetwork, Author: self, Sign: sign, Now: time.Now,
		Counts: func(_ event.LogID, a event.Author) bool { return members[a] },
		Heard:  func(event.LogID, *Signal) { *heard++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, heard
}

func (s *Service) gossip(from peer.ID, b []byte) pubsub.ValidationResult {
	return s.validate(testLog, from, &pubsub.Message{Message: &pb.Message{Data: b}})
}

// now makes a signal of an author, dated off from now.
func now(by byte, seq uint64, off time.Duration) []byte {
	author, sign := signer(by)
	s := Signal{Author: author, Seq: seq, Time: time.Now().Add(off).UnixMilli(), Type: "typing"}
	return s.Encode(testNetwork, testLog, sign)
}

// spec: 10-signals M6
func TestAppSignalsThatDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := hearing(t)
		if s.gossip("a", now(1, 5, 0)) != pubsub.ValidationAccept || *heard != 1 {
			t.Fatal("a good one does not count")
		}
		for name, b := range map[string][]byte{
			"again":             now(1, 5, 0),
			"of another number": now(1, 5, time.Second),
			"from the future":   now(1, 6, maxSkew+time.Second),
			"from the past":     now(1, 7, -maxSkew-time.Second),
			"of a stranger":     now(100, 1, 0),
			"own":               now(9, 1, 0),
		} {
			if got := s.gossip("a", b); got != pubsub.ValidationIgnore {
				t.Errorf("%s: %v", name, got)
			}
		}
		if s.gossip("a", []byte("x")) != pubsub.ValidationReject {
			t.Error("what is no signal is not rejected")
		}
		if *heard != 1 {
			t.Errorf("%d were heard", *heard)
		}
	})
}

// One author's flood takes nothing from another's, and a forwarder's nothing
// from another's.
func TestFloodsOfAppSignalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := hearing(t)
		for i := range uint64(1000) {
			s.gossip("flood", now(1, 1+i, 0))
		}
		if *heard != slack*sendAtOnce {
			t.Errorf("%d of one author were heard at once, want %d", *heard, slack*sendAtOnce)
		}
		if s.gossip("good", now(2, 1, 0)) != pubsub.ValidationAccept {
			t.Error("another author is not heard")
		}
		time.Sleep(time.Second)
		before := *heard
		for i := range uint64(100) {
			s.gossip("good", now(1, 2000+i, 0))
		}
		if got := *heard - before; got != slack*sendPerSecond {
			t.Errorf("%d a second, want %d", got, slack*sendPerSecond)
		}
		for range 1000 {
			s.gossip("liar", []byte("x"))
		}
		if s.gossip("liar", now(3, 1, 0)) != pubsub.ValidationIgnore {
			t.Error("one who sends rubbish is listened to")
		}
		if s.gossip("good", now(3, 1, 0)) != pubsub.ValidationAccept {
			t.Error("rubbish of another, and it is not heard")
		}
	})
}

// Whatever counts, of as many authors as there may be: what one forwarder sends
// is bounded.
func TestAForwarderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := hearing(t)
		b := now(100, 1, 0)
		for range atOnce {
			s.all.Take("flood", 1)
		}
		if s.gossip("flood", now(1, 1, 0)) != pubsub.ValidationIgnore {
			t.Error("one too many is heard")
		}
		if s.gossip("good", b); s.gossip("good", now(1, 1, 0)) != pubsub.ValidationAccept {
			t.Error("another forwarder is not heard")
		}
	})
}

// spec: 10-signals M7
func TestOwnSignalsKeepToThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := hearing(t)
		n := 0
		for s.May() {
			n++
		}
		time.Sleep(time.Second)
		for s.May() {
			n++
		}
		if n != sendAtOnce+sendPerSecond {
			t.Errorf("%d in a second", n)
		}
	})
}
