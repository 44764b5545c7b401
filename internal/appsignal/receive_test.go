package appsignal

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
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

// One's own that comes back is nobody's fault, and what cannot count is put
// aside before its signature is looked at.
func TestCheapChecksComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := hearing(t)
		echo := now(9, 1, 0)
		for range 2 * uselessAtOnce {
			s.gossip("honest", echo)
		}
		if s.gossip("honest", now(1, 1, 0)) != pubsub.ValidationAccept {
			t.Error("who brings one's own back is not heard any more")
		}
		forge := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		for name, b := range map[string][]byte{
			"known": forge(now(1, 1, 0)), "of a stranger": forge(now(100, 1, 0)), "old": forge(now(1, 2, -time.Hour)), "own": forge(now(9, 1, 0)),
		} {
			if got := s.gossip("a", b); got != pubsub.ValidationIgnore {
				t.Errorf("forged and %s: %v, its signature was verified", name, got)
			}
		}
		if got := s.gossip("a", forge(now(1, 3, 0))); got != pubsub.ValidationReject {
			t.Errorf("forged: %v", got)
		}
		if s.gossip("a", now(1, 3, 0)) != pubsub.ValidationAccept || *heard != 2 {
			t.Error("a forged one took the number of the true one")
		}
	})
}

// While one signal is on its way nothing else of the service waits.
func TestASignalThatHangsBlocksNoListener(t *testing.T) {
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ps, err := pubsub.NewGossipSub(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	self, sign := signer(9)
	var once sync.Once
	hangs, goOn := make(chan struct{}), make(chan struct{})
	s, err := New(Config{
		PubSub: ps, Tag: "x", Network: testNetwork, Author: self, Now: time.Now,
		Sign: func(b []byte) []byte { once.Do(func() { close(hangs) }); <-goOn; return sign(b) },
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error)
	go func() { sent <- s.Send(t.Context(), testLog, "typing", nil) }()
	<-hangs
	late, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if stop, err := s.Listen(event.LogID{1}); err != nil {
			t.Error(err)
		} else {
			stop()
		}
		if err := s.Send(late, testLog, "typing", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a second one does not end with its context: %v", err)
		}
		s.Leave(event.LogID{1})
		s.Close()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("all wait for one signal")
	}
	close(goOn)
	<-sent
	<-done
}
