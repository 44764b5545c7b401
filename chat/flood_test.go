package chat_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// mint returns the i-th of any number of keys, which cost nothing.
func mint(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(i)+1)
	return ed25519.NewKeyFromSeed(seed)
}

// Ten talk at once as fast as they can, and one comes late and fetches what was
// said while more is said: nobody holds duplicates against anybody.
func TestABusyRoomOfHonestMembersSpendsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		senders, n := 10, 200
		if testing.Short() {
			n = 60
		}
		p := gather(t, senders+1, nodetest.Config{BitsPerSecond: 1e9})
		for i := range senders {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				r, err := p.ms[i].Room("lobby")
				if err != nil {
					t.Error(err)
					return
				}
				for k := range n { // one at a time: as many batches as events
					if _, err := r.Send(t.Context(), chat.Text(fmt.Sprint(i, " ", k))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(time.Second)
		p.join(senders, "lobby")
		wg.Wait()
		p.waitSame(2*time.Minute, "lobby", senders*n, all(senders+1)...)
		for i := range senders + 1 {
			for _, reason := range []string{"budget", "rate"} {
				if got := p.metric(i, "parley_delivery_batches_ignored_total", reason); got != 0 {
					t.Errorf("node %d ignored %d: %s", i, got, reason)
				}
			}
			useless := 0
			for _, reason := range []string{"known", "replayed", "stored"} {
				useless += p.metric(i, "parley_delivery_batches_ignored_total", reason)
			}
			if useless > n/10 {
				t.Errorf("node %d held %d batches against honest members", i, useless)
			}
		}
	})
}

// One invents members without end who are online, in the room, and say that
// they hold what nobody can.
func TestAFloodOfInventedMembersStopsNobody(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n, topic := v.Nodes[2], v.presence()
		for i := range 3000 {
			key := mint(i)
			s := &presence.Signal{
				Author: event.Author(key.Public().(ed25519.PublicKey)), Time: time.Now().UnixMilli(), Seq: 1,
				Interval: time.Hour, Nick: "troll", Total: 1,
				Rooms: []presence.Room{{Name: "lobby", Seq: 1, Heads: [][32]byte{{byte(i), byte(i >> 8), 1}}}},
			}
			if err := topic.Publish(t.Context(), s.Encode(n.Network().ID, func(m []byte) []byte { return ed25519.Sign(key, m) })); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		r, err := v.ms[0].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		members, err := r.Members(t.Context())
		if err != nil || len(members) > 1000 {
			t.Errorf("%d members, %v", len(members), err)
		}
		v.say(0, "lobby", "hello")
		v.waitTexts(5*time.Second, 1, "lobby", "hello")
		v.Add() // a new one is seen, and told everything, all the same
		v.WaitAdmitted(time.Minute)
		v.join(3, "lobby")
		v.waitTexts(10*time.Second, 3, "lobby", "hello")
		if got := v.ms[0].Nick(v.Nodes[3].ID()); got != "nick3" {
			t.Errorf("the new one is %q", got)
		}
	})
}

// One writes events whose parents are nowhere. What honest members miss still
// comes at once.
//
// spec: 03-events M15
// spec: 04-delivery M21
func TestPhantomParentsDelayNobody(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		v.say(0, "lobby", "before")
		v.waitTexts(10*time.Second, 1, "lobby", "before")
		for i := range 600 {
			key := mint(i)
			v.key = key
			author := event.Author(key.Public().(ed25519.PublicKey))
			parents := make([]event.ID, event.MaxParents)
			for k := range parents {
				parents[k] = event.ID{byte(k), byte(i), byte(i >> 8), 1}
			}
			drafts := []event.Draft{{HLC: event.HLCAt(time.Now()), Kind: event.KindMessage, Parents: parents[1:]}}
			b, err := event.Seal(v.log, author, 1, parents[0], drafts, func(m []byte) []byte { return ed25519.Sign(key, m) })
			if err != nil {
				t.Fatal(err)
			}
			if err := v.topic.Publish(t.Context(), b.Payload()); err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(10 * time.Second)
		v.Cut(1, true)
		time.Sleep(15 * time.Second)
		for i := range 50 { // a chain that node 1 misses
			v.say(0, "lobby", fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
		}
		v.Cut(1, false)
		v.Wait(2*time.Minute, "they meet again", func() error {
			for _, peer := range v.Nodes[1].Peers() {
				if peer.ID == v.Nodes[0].ID() {
					return nil
				}
			}
			return errors.New("not admitted")
		})
		v.Wait(10*time.Second, "all that was missed", func() error {
			got := 0
			for _, m := range v.history(1, "lobby", chat.Query{}) {
				if m.Author == v.Nodes[0].ID() {
					got++
				}
			}
			if got != 51 {
				return fmt.Errorf("%d of 51", got)
			}
			return nil
		})
		if asked := v.metric(1, "parley_delivery_fetches_asked_total", ""); asked > 2000 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// One sends what is forged as fast as he can. He is not heard for a while, and
// what he then brings first all the same is fetched.
//
// spec: 03-events M40, M41
func TestAForgerIsNotHeardAndHidesNothing(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		good := v.seal(v.log, 1, event.ID{}, time.Now(), "x")
		for i := range 1000 {
			forged := bytes.Clone(good.Payload())
			binary.BigEndian.PutUint32(forged[10:], uint32(i)) // in the signature
			if err := v.topic.Publish(t.Context(), forged); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		if v.counted("batches_ignored_total", "budget") == 0 {
			t.Error("heard for ever")
		}
		v.say(0, "lobby", "hello")
		v.waitTexts(2*time.Second, 1, "lobby", "hello")
	})
}

func TestEverythingEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		r := p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(2 * time.Second)
		endless := func(yield func(chat.Content) bool) {
			for yield(chat.Text("again")) {
			}
		}
		m, ctx := p.ms[0], context.WithoutCancel(t.Context())
		var wg sync.WaitGroup
		until := func(f func() error) {
			wg.Go(func() {
				for {
					if err := f(); err != nil {
						if !errors.Is(err, chat.ErrClosed) && !errors.Is(err, chat.ErrNotJoined) {
							t.Error(err)
						}
						if errors.Is(err, chat.ErrClosed) {
							return
						}
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		until(func() error {
			for _, err := range r.SendAll(ctx, endless) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		until(func() error { _, err := r.Send(ctx, chat.Text("one")); return err })
		until(func() error { _, err := m.Join(ctx, "den"); return err })
		until(func() error { return m.Leave(ctx, "den") })
		until(func() error { return m.SetNick(ctx, fmt.Sprint("n", time.Now().UnixNano()%1000)) })
		until(func() error { _, err := m.Rooms(ctx); return err })
		until(func() error { _, err := r.Members(ctx); return err })
		wg.Go(func() {
			for range m.Updates(ctx, 0) {
			}
		})
		time.Sleep(300 * time.Millisecond)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// What is written of joining and leaving is what is remembered, whenever the
// caller's patience ends.
func TestAnImpatientLeaveIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		p.join(0, "lobby")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		left := 0
		for range 50 { // whether the queue or the end of ctx is seen first is chance
			err := p.ms[0].Leave(ctx, "lobby")
			r, _ := p.ms[0].Room("lobby")
			if (err == nil) == r.Joined() {
				t.Fatalf("left: %v, joined: %v", err, r.Joined())
			}
			members, _ := r.Members(t.Context())
			if (len(members) == 1) != r.Joined() {
				t.Fatalf("%d members, joined: %v", len(members), r.Joined())
			}
			if err == nil {
				left++
				p.join(0, "lobby")
			}
		}
		if left == 0 {
			t.Error("never left")
		}
	})
}

// The reader starts anew at every cursor he has, while others write.
func TestUpdatesFromAnyCursorAreExactWhileOthersWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		for i := range 3 {
			go func() {
				r, _ := p.ms[i].Room("lobby")
				for range r.SendAll(t.Context(), count(n)) {
				}
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		seen := make(map[chat.ID]bool)
		for cursor := uint64(0); len(seen) < 3*n && ctx.Err() == nil; {
			batch := 0
			for u := range p.ms[0].Updates(ctx, cursor) {
				added, ok := u.(chat.MessageAdded)
				if !ok {
					continue
				}
				if seen[added.Message.ID] || added.Message.Cursor <= cursor {
					t.Fatalf("cursor %d after %d, seen: %v", added.Message.Cursor, cursor, seen[added.Message.ID])
				}
				seen[added.Message.ID] = true
				cursor = added.Message.Cursor
				if batch++; batch == 97 || len(seen) == 3*n {
					break
				}
			}
		}
		if len(seen) != 3*n {
			t.Errorf("%d of %d", len(seen), 3*n)
		}
	})
}

// spec: 03-events M27
func TestHostileNicksAreNotShown(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		for i, nick := range []string{"\u200b", "\u2028", "a\u202eb", "\ufeff", "\U000e0041", "\x1b[2J", "  "} {
			v.key = mint(i)
			author := event.Author(v.key.Public().(ed25519.PublicKey))
			payload, err := event.Profile{Nick: nick}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			drafts := []event.Draft{{HLC: event.HLCAt(time.Now()), Kind: event.KindProfile, Payload: payload}}
			b, err := event.Seal(v.log, author, 0, event.ID{}, drafts, func(m []byte) []byte { return ed25519.Sign(v.key, m) })
			if err != nil {
				t.Fatal(err)
			}
			v.publish(b.Payload())
			id := wire.PeerID(author)
			if got := v.ms[0].Nick(id); got != id.String()[len(id.String())-8:] {
				t.Errorf("%q is shown as %q", nick, got)
			}
		}
		r, _ := v.ms[0].Room("lobby")
		if members, _ := r.Members(t.Context()); len(members) != 9 {
			t.Errorf("%d members", len(members))
		}
	})
}
