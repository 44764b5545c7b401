package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
)

// Rules of docs/protocol that a foreign client relies on, as it sees them: over the network.

// fetched asks node 0 for an event of the lobby and decodes the batch it serves.
func (v *villain) fetched(id event.ID) *event.Batch {
	v.t.Helper()
	proto := wire.LogProtocol(v.Nodes[2].Network().Tag, wire.ForFetch)
	reply, err := v.ask(proto, wire.AppendFrame(nil, fetchRequest(v.log[:], id)))
	if err != nil {
		v.t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(reply))
	if status, err := wire.ReadFrame(r, 1); err != nil || !bytes.Equal(status, []byte{0}) {
		v.t.Fatalf("status %x, %v", status, err)
	}
	payload, err := wire.ReadFrame(r, event.MaxBatchBytes)
	if err != nil || len(payload) == 0 {
		v.t.Fatalf("nothing is served: %v", err)
	}
	b, err := event.Decode(payload)
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

// newer is a batch's one event as version 1.1 might write it, with a field that
// nobody knows yet.
func (v *villain) newer(b *event.Batch) []byte {
	part := func(out []byte, field byte, value []byte) []byte {
		out = binary.AppendUvarint(append(out, field<<3|2), uint64(len(value)))
		return append(out, value...)
	}
	header := append([]byte{1 << 3, 0x81, 0x02}, b.Events[0].Raw[3:]...)
	header = append(header, 12<<3, 1)
	id := sha256.Sum256(append([]byte("parley/event/1"), header...))
	root := sha256.Sum256(append([]byte{0}, id[:]...))
	signature := ed25519.Sign(v.key, append([]byte("parley/batch/1\x00\x00\x00\x01"), root[:]...))
	item := part(part(nil, 1, header), 2, b.Events[0].Content)
	return part(part(nil, 1, signature), 3, item)
}

// What this program does not understand may be of use to others: it is stored and served as
// it came, and shown as what it is.
//
// spec: 03-events M10, M24
// spec: 04-delivery M9
func TestWhatIsNewerIsStoredServedAndShown(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		author := event.Author(v.key.Public().(ed25519.PublicKey))
		seal := func(seq uint64, prev event.ID, kind event.Kind, payload []byte) *event.Batch {
			drafts := []event.Draft{{HLC: event.HLCAt(time.Now().Add(time.Duration(seq) * time.Second)), Kind: kind, Payload: payload}}
			b, err := event.Seal(v.log, author, seq-1, prev, drafts, func(m []byte) []byte { return ed25519.Sign(v.key, m) })
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		minor := v.newer(v.seal(v.log, 1, event.ID{}, time.Now(), "of later"))
		b, err := event.Decode(bytes.Clone(minor))
		if err != nil {
			t.Fatal(err)
		}
		kind := seal(2, b.Events[0].ID, 999, []byte("of a later kind"))
		garbled := seal(3, kind.Events[0].ID, event.KindMessage, []byte{0xff, 0xff})
		sent := [][]byte{minor, kind.Payload(), garbled.Payload()}
		for _, payload := range sent {
			v.publish(payload)
		}
		ids := []event.ID{b.Events[0].ID, kind.Events[0].ID, garbled.Events[0].ID}
		for i, id := range ids {
			if got := v.fetched(id).Payload(); !bytes.Equal(got, sent[i]) {
				t.Errorf("%d is served as %x, and came as %x", i, got, sent[i])
			}
		}
		for n := range 2 {
			var kinds []string
			for _, m := range v.history(n, "lobby", chat.Query{}) {
				kinds = append(kinds, m.Kind)
			}
			if !slices.Equal(kinds, []string{chat.KindUnknown, chat.KindUnknown, chat.KindMessage}) {
				t.Errorf("node %d shows %v", n, kinds)
			}
		}
	})
}

// spec: 03-events M19
// spec: 04-delivery M9
func TestWhoIsNoMemberIsHeard(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		b := v.seal(v.log, 1, event.ID{}, time.Now(), "from outside")
		v.publish(b.Payload())
		v.waitTexts(0, 0, "lobby", "from outside")
		v.waitTexts(0, 1, "lobby", "from outside")
		if got := v.members(0, "lobby"); slices.Contains(got, "nick2") || len(got) != 2 {
			t.Errorf("members are %v", got)
		}
		v.fetched(b.Events[0].ID) // and passed on
	})
}

// spec: 03-events M22
func TestEachContentHasItsOwnSalt(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		salts := make(map[string]bool)
		for range 3 {
			id := v.say(0, "lobby", "the same")
			for _, e := range v.fetched(id).Events {
				if e.ID == id {
					salts[string(e.Content[:event.SaltSize])] = true
				}
			}
		}
		if len(salts) != 3 || salts[string(make([]byte, event.SaltSize))] {
			t.Errorf("%d salts for three contents", len(salts))
		}
	})
}

// Whatever a member has to say, the others get at most one batch in 10 ms of it, but for a few at first: many events
// under one signature are what makes a busy room cheap.
//
// spec: 04-delivery M6
func TestABusySenderGathers(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		sub, err := v.topic.Subscribe(pubsub.WithBufferSize(4096))
		if err != nil {
			t.Fatal(err)
		}
		room, err := v.ms[0].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		const events = 3000
		go func() {
			contents := func(yield func(chat.Content) bool) {
				for range events {
					if !yield(chat.Text("busy")) {
						return
					}
				}
			}
			for _, err := range room.SendAll(t.Context(), contents) {
				if err != nil {
					t.Error(err)
				}
			}
		}()
		var first, last time.Time
		batches, got := 0, 0
		for got < events {
			m, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := event.Decode(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if last = time.Now(); first.IsZero() {
				first = last
			}
			batches, got = batches+1, got+len(b.Events)
		}
		if most := int(last.Sub(first)/(10*time.Millisecond)) + 5; batches > most || batches < 3 {
			t.Errorf("%d batches in %v", batches, last.Sub(first))
		}
	})
}

// Who hands a signal over learns that it was read, whether or not it counts.
//
// spec: 05-presence M1
// spec: 01-network M10
func TestHandedSignalsAreAnswered(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n := v.Nodes[2]
		self, err := wire.Author(n.ID())
		if err != nil {
			t.Fatal(err)
		}
		s := &presence.Signal{Author: self, Time: time.Now().UnixMilli(), Seq: 1 << 50, Interval: 5 * time.Second, Nick: "villain"}
		good := s.Encode(n.Network().ID, n.Sign)
		for _, what := range []string{"the first time", "stale"} {
			got, err := v.ask(wire.SignalProtocol(n.Network().Tag), wire.AppendFrame(nil, good))
			if err != nil || len(got) != 0 {
				t.Errorf("%s: %x, %v", what, got, err)
			}
		}
		if got := v.ms[0].Nick(n.ID()); got != "villain" {
			t.Errorf("nick %q", got)
		}
		good[len(good)-1] ^= 1
		if _, err := v.ask(wire.SignalProtocol(n.Network().Tag), wire.AppendFrame(nil, good)); !errors.Is(err, network.ErrReset) {
			t.Errorf("forged: %v", err)
		}
	})
}

// Who asks may leave his side of the stream open, as some libraries do.
//
// spec: 01-network M10
func TestTheServerDoesNotWaitForTheEnd(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		id := v.say(0, "lobby", "hello")
		s, err := v.Nodes[2].Host().NewStream(t.Context(), v.Nodes[0].ID(), wire.LogProtocol(v.Nodes[2].Network().Tag, wire.ForFetch))
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.WriteFrame(s, fetchRequest(v.log[:], id)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		reply, err := io.ReadAll(s)
		if err != nil || !bytes.Contains(reply, []byte("hello")) || time.Since(begin) > time.Second {
			t.Errorf("%d bytes, %v after %v", len(reply), err, time.Since(begin))
		}
	})
}

// What was published once is found by comparing from then on: published again, after a restart
// too, it would be a replay that everybody pays for.
//
// spec: 04-delivery M5
func TestWhatWasPublishedIsNotPublishedAgain(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		sub, err := v.topic.Subscribe(pubsub.WithBufferSize(4096))
		if err != nil {
			t.Fatal(err)
		}
		heard := make(map[event.ID]int)
		hear := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			for {
				m, err := sub.Next(ctx)
				if err != nil {
					return
				}
				if b, err := event.Decode(m.Data); err == nil {
					for i := range b.Events {
						heard[b.Events[i].ID]++
					}
				}
			}
		}
		old := v.say(0, "lobby", "old")
		hear(10 * time.Second)
		time.Sleep(6 * time.Minute) // pubsub has forgotten that it saw it
		v.Restart(0)
		v.WaitAdmitted(time.Minute)
		hear(20 * time.Second)
		fresh := v.say(0, "lobby", "fresh")
		hear(10 * time.Second)
		if heard[old] != 1 || heard[fresh] != 1 {
			t.Errorf("the old one was heard %d times, the fresh one %d times", heard[old], heard[fresh])
		}
	})
}

// spec: 05-presence M2
func TestSignalsAreHandedOverAtAdmission(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n, author := v.Nodes[2], authorOf(t, v.Nodes[0].ID())
		handed := make(chan *presence.Signal, 16)
		n.Host().SetStreamHandler(wire.SignalProtocol(n.Network().Tag), func(s network.Stream) {
			defer s.Close()
			data, err := wire.ReadFrame(bufio.NewReader(s), presence.MaxSignal)
			if err != nil {
				return
			}
			if sig, err := presence.Decode(n.Network().ID, data); err == nil && sig.Author == author && !sig.Goodbye {
				handed <- sig
			}
		})
		v.Restart(0)
		v.WaitAdmitted(time.Minute)
		select {
		case sig := <-handed:
			if len(sig.Rooms) != 1 || sig.Rooms[0].Name != "lobby" {
				t.Errorf("rooms %+v", sig.Rooms)
			}
		case <-time.After(3 * time.Second):
			t.Error("no signal was handed over")
		}
	})
}
