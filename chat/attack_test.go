package chat_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// villain is an admitted node that does what it likes: node 2 of a party whose
// nodes 0 and 1 are in the lobby.
type villain struct {
	*party
	log   event.LogID
	topic *pubsub.Topic
	key   ed25519.PrivateKey // an author's that nobody knows
}

func attack(t *testing.T, f func(t *testing.T, v *villain)) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "lobby")
		n := p.Nodes[2]
		v := &villain{
			party: p, log: event.PublicRoomLog(n.Network().ID, "lobby"),
			key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)),
		}
		var err error
		if v.topic, err = n.PubSub().Join(wire.LogTopic(n.Network().Tag, v.log)); err != nil {
			t.Fatal(err)
		}
		if _, err := v.topic.Relay(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		f(t, v)
	})
}

// seal makes a batch of one text by the unknown author.
func (v *villain) seal(log event.LogID, seq uint64, prev event.ID, at time.Time, text string) *event.Batch {
	v.t.Helper()
	payload, err := event.Message{Type: event.TypeText, Data: []byte(text)}.Encode()
	if err != nil {
		v.t.Fatal(err)
	}
	author := event.Author(v.key.Public().(ed25519.PublicKey))
	drafts := []event.Draft{{HLC: event.HLCAt(at), Kind: event.KindMessage, Payload: payload}}
	b, err := event.Seal(log, author, seq-1, prev, drafts, func(m []byte) []byte { return ed25519.Sign(v.key, m) })
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

func (v *villain) publish(payload []byte) {
	v.t.Helper()
	if err := v.topic.Publish(v.t.Context(), payload); err != nil {
		v.t.Fatal(err)
	}
	time.Sleep(time.Second)
}

// counted is how often nodes 0 and 1 refused for a reason.
func (v *villain) counted(metric, reason string) int {
	const prefix = "parley_delivery_"
	return v.metric(0, prefix+metric, reason) + v.metric(1, prefix+metric, reason)
}

// spec: 03-events M40
// spec: 04-delivery M4, M7
func TestBadBatchesAreRefusedAndCounted(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		good := v.seal(v.log, 1, event.ID{}, time.Now(), "good")
		forged := bytes.Clone(good.Payload())
		forged[10] ^= 1 // in the signature
		changed := bytes.Clone(good.Payload())
		changed[len(changed)-1] ^= 1 // in the content
		for _, bad := range []struct {
			reason  string
			payload []byte
		}{
			{"form", []byte("garbage")},
			{"form", append(bytes.Clone(good.Payload()), 0)},
			{"size", make([]byte, event.MaxBatchBytes+1)},
			{"signature", forged},
			{"hash", changed},
			{"log", v.seal(event.LogID{1}, 1, event.ID{}, time.Now(), "elsewhere").Payload()},
		} {
			before := v.counted("batches_rejected_total", bad.reason)
			v.publish(bad.payload)
			if got := v.counted("batches_rejected_total", bad.reason) - before; got == 0 {
				t.Errorf("%s: not counted", bad.reason)
			}
		}
		v.waitTexts(0, 0, "lobby")
		v.publish(good.Payload())
		v.waitTexts(0, 0, "lobby", "good")
		v.waitTexts(0, 1, "lobby", "good")
	})
}

func TestReplaysAreNotForwarded(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		first := v.seal(v.log, 1, event.ID{}, time.Now(), "first")
		v.publish(first.Payload())
		v.publish(v.seal(v.log, 2, first.Events[0].ID, time.Now(), "second").Payload())
		time.Sleep(6 * time.Minute) // pubsub has forgotten that it saw them
		v.publish(first.Payload())
		if got := v.counted("batches_ignored_total", "known"); got == 0 {
			t.Error("replay of what is remembered: not counted")
		}
		v.Restart(0)
		v.Restart(1)
		v.WaitAdmitted(time.Minute)
		time.Sleep(10 * time.Second)
		third := v.seal(v.log, 3, v.seal(v.log, 2, first.Events[0].ID, time.Now(), "x").Events[0].ID, time.Now(), "third")
		v.publish(third.Payload())
		time.Sleep(11 * time.Minute)
		v.publish(first.Payload())
		if got := v.counted("batches_ignored_total", "replayed"); got == 0 {
			t.Error("replay of what is forgotten: not counted")
		}
		v.waitTexts(0, 0, "lobby", "first", "second", "third")
	})
}

// Out of one batch whoever forwards it can make as many payloads as it has
// events, all valid. They go no further than to whom he sends them, at his cost.
//
// spec: 04-delivery M4
func TestPartsOfABatchAreNotForwarded(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		payload, err := event.Message{Type: event.TypeText, Data: []byte("x")}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		drafts := make([]event.Draft, 100)
		for i := range drafts {
			drafts[i] = event.Draft{HLC: event.HLCAt(time.Now()) + event.HLC(i), Kind: event.KindMessage, Payload: payload}
		}
		author := event.Author(v.key.Public().(ed25519.PublicKey))
		b, err := event.Seal(v.log, author, 0, event.ID{}, drafts, func(m []byte) []byte { return ed25519.Sign(v.key, m) })
		if err != nil {
			t.Fatal(err)
		}
		v.publish(b.Payload())
		v.waitTexts(5*time.Second, 1, "lobby", slices.Repeat([]string{"x"}, len(drafts))...)
		for i := range drafts {
			part, err := b.Single(i)
			if err != nil {
				t.Fatal(err)
			}
			v.publish(part)
		}
		if got := v.counted("batches_ignored_total", "part"); got < len(drafts) || got > 2*len(drafts) {
			t.Errorf("%d counted", got)
		}
		for _, reason := range []string{"stored", "known"} {
			if got := v.counted("batches_ignored_total", reason); got > 10 {
				t.Errorf("%d were forwarded, and counted as %s", got, reason)
			}
		}
	})
}

// spec: 03-events M17
// spec: 04-delivery M8, M10
func TestTheFutureIsHeldAside(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		now := time.Now()
		v.publish(v.seal(v.log, 1, event.ID{}, now.Add(4*time.Minute), "a little early").Payload())
		v.waitTexts(0, 1, "lobby", "a little early")
		v.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
		v.publish(v.seal(v.log, 1, event.ID{}, now.Add(time.Hour), "early").Payload())
		v.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
		v.publish(v.seal(v.log, 1, event.ID{}, now.Add(48*time.Hour), "far too early").Payload())
		v.waitTexts(0, 1, "lobby", "a little early")
		if got := v.counted("batches_ignored_total", "early"); got == 0 {
			t.Error("not counted")
		}
		v.say(1, "lobby", "on time")
		if m := v.ids(1, "lobby"); len(m) == 0 {
			t.Fatal("nothing said")
		}
		time.Sleep(56 * time.Minute)
		v.waitTexts(0, 1, "lobby", "a little early", "on time", "early")
	})
}

// serve answers every fetch request with these payloads.
func (v *villain) serve(payloads ...[]byte) {
	n := v.Nodes[2]
	n.Host().SetStreamHandler(wire.LogProtocol(n.Network().Tag, wire.ForFetch), func(s network.Stream) {
		_, _ = wire.ReadFrame(bufio.NewReader(s), 1<<20)
		reply := wire.AppendFrame(nil, []byte{0})
		for _, b := range payloads {
			reply = wire.AppendFrame(reply, b)
		}
		_, _ = s.Write(wire.AppendFrame(reply, nil))
		_ = s.Close()
	})
}

// spec: 03-events M15
// spec: 04-delivery M9
func TestMissingParentsAreAskedOfWhoSentTheChild(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		parent := v.seal(v.log, 1, event.ID{}, time.Now(), "parent")
		child := v.seal(v.log, 2, parent.Events[0].ID, time.Now(), "child")
		v.serve(parent.Payload())
		v.publish(child.Payload())
		v.waitTexts(0, 0, "lobby", "parent", "child")
		v.waitTexts(0, 1, "lobby", "parent", "child")
	})
}

// spec: 04-delivery M19
// spec: 06-sync M13
func TestBadFetchedBatchesAreRefusedAndCounted(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		forged := bytes.Clone(v.seal(v.log, 1, event.ID{}, time.Now(), "forged").Payload())
		forged[10] ^= 1
		elsewhere := v.seal(event.LogID{1}, 1, event.ID{}, time.Now(), "elsewhere").Payload()
		many := make([][]byte, 3000)
		for i := range many {
			many[i] = bytes.Repeat([]byte{1}, 60_000)
		}
		for i, bad := range []struct {
			reason   string
			payloads [][]byte
		}{
			{"signature", [][]byte{forged}},
			{"log", [][]byte{elsewhere}},
			{"form", [][]byte{[]byte("garbage")}},
			{"form", many},
		} {
			before := v.counted("batches_rejected_total", bad.reason)
			v.serve(bad.payloads...)
			// something to ask for: a child whose parent is nowhere
			v.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, ed25519.SeedSize))
			v.publish(v.seal(v.log, 2, event.ID{byte(i + 1)}, time.Now(), "child").Payload())
			if got := v.counted("batches_rejected_total", bad.reason) - before; got == 0 {
				t.Errorf("%s: not counted", bad.reason)
			}
		}
		v.waitTexts(0, 0, "lobby", "child", "child", "child", "child")
	})
}

// ask sends one frame to node 0 on a stream of its own and returns what comes.
func (v *villain) ask(proto protocol.ID, frame []byte) ([]byte, error) {
	v.t.Helper()
	s, err := v.Nodes[2].Host().NewStream(v.t.Context(), v.Nodes[0].ID(), proto)
	if err != nil {
		v.t.Fatal(err)
	}
	defer s.Reset()
	if _, err := s.Write(frame); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(bufio.NewReader(s))
}

// fetchRequest asks for one event.
func fetchRequest(log []byte, id event.ID) []byte {
	b := append([]byte{1<<3 | 2, byte(len(log))}, log...)
	return append(append(b, 2<<3|2, 32), id[:]...)
}

// spec: 04-delivery M12, M13, M18
func TestBadFetchesAreRefusedAndCounted(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		id := v.say(0, "lobby", "secret")
		proto := wire.LogProtocol(v.Nodes[2].Network().Tag, wire.ForFetch)
		request := func(log []byte) []byte {
			return wire.AppendFrame(nil, fetchRequest(log, id))
		}
		if got, err := v.ask(proto, request(v.log[:])); err != nil || !bytes.Contains(got, []byte("secret")) {
			t.Errorf("a good request: %q, %v", got, err)
		}
		foreign := event.PublicRoomLog(v.Nodes[2].Network().ID, "den")
		if got, err := v.ask(proto, request(foreign[:])); err != nil || !bytes.Equal(got, []byte{1, 1}) {
			t.Errorf("a log that is not joined: %q, %v", got, err)
		}
		if got := v.counted("fetches_served_total", "no-log"); got != 1 {
			t.Errorf("counted %d times", got)
		}
		for _, bad := range [][]byte{
			wire.AppendFrame(nil, []byte("garbage")), request(v.log[:31]),
			{0xff, 0xff, 0xff, 0xff, 0x0f},
			{},
		} {
			if got, err := v.ask(proto, bad); !errors.Is(err, network.ErrReset) {
				t.Errorf("request %x: %q, %v", bad, got, err)
			}
		}
		if got := v.counted("fetches_served_total", "malformed") + v.counted("fetches_served_total", "unread"); got != 4 {
			t.Errorf("counted %d times", got)
		}
	})
}

// spec: 04-delivery M13
func TestAPeerThatAsksTooMuchIsPutOff(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		proto := wire.LogProtocol(v.Nodes[2].Network().Tag, wire.ForFetch)
		good := fetchRequest(v.log[:], event.ID{1})
		var busy atomic.Int64
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for range 300 {
					if got, err := v.ask(proto, wire.AppendFrame(nil, good)); err == nil && bytes.Equal(got, []byte{1, 2}) {
						busy.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if busy.Load() == 0 || v.counted("fetches_served_total", "busy") == 0 {
			t.Errorf("busy %d times", busy.Load())
		}
	})
}

// presence joins the topic of signals.
func (v *villain) presence() *pubsub.Topic {
	v.t.Helper()
	n := v.Nodes[2]
	topic, err := n.PubSub().Join(wire.PresenceTopic(n.Network().Tag))
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := topic.Relay(); err != nil {
		v.t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	return topic
}

// spec: 05-presence M1, M9, M10
func TestBadSignalsAreRefusedAndCounted(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n := v.Nodes[2]
		self, err := wire.Author(n.ID())
		if err != nil {
			t.Fatal(err)
		}
		topic := v.presence()
		signal := func(seq uint64, at time.Duration) *presence.Signal {
			return &presence.Signal{
				Author: self, Time: time.Now().Add(at).UnixMilli(), Seq: seq, Interval: 5 * time.Second, Nick: "villain",
			}
		}
		send := func(reason string, data []byte) {
			t.Helper()
			count := func() int {
				const name = "parley_presence_signals_refused_total"
				return v.metric(0, name, reason) + v.metric(1, name, reason)
			}
			before := count()
			if err := topic.Publish(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if reason != "" && count() == before {
				t.Errorf("%s: not counted", reason)
			}
		}
		id := n.Network().ID
		send("", signal(10, 0).Encode(id, n.Sign))
		if got := v.ms[0].Nick(n.ID()); got != "villain" {
			t.Fatalf("a good signal: nick %q", got)
		}
		victim := signal(1<<60, 0)
		victim.Author, err = wire.Author(v.Nodes[1].ID())
		if err != nil {
			t.Fatal(err)
		}
		send("signature", victim.Encode(id, n.Sign))
		send("signature", signal(11, 0).Encode([32]byte{}, n.Sign))
		send("form", []byte("garbage"))
		send("stale", signal(9, 0).Encode(id, n.Sign))
		send("future", signal(12, time.Hour).Encode(id, n.Sign))
		send("past", signal(13, -time.Hour).Encode(id, n.Sign))
		proto := wire.SignalProtocol(n.Network().Tag)
		if _, err := v.ask(proto, wire.AppendFrame(nil, victim.Encode(id, n.Sign))); !errors.Is(err, network.ErrReset) {
			t.Errorf("forged, directly: %v", err)
		}
		if _, err := v.ask(proto, []byte{0xff, 0xff, 0xff, 0x0f}); !errors.Is(err, network.ErrReset) {
			t.Errorf("oversized, directly: %v", err)
		}
		if got := v.ms[0].Nick(v.Nodes[1].ID()); got != "nick1" {
			t.Errorf("the victim is %q", got)
		}
	})
}
