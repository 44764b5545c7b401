package chat_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// lie answers sessions of reconciliation: the n-th message of one by what reply
// makes of it, nil to say nothing more.
func (v *villain) lie(answer []byte, reply func(n int, msg []byte) []byte) (sessions, messages *atomic.Int64) {
	n := v.Nodes[2]
	sessions, messages = new(atomic.Int64), new(atomic.Int64)
	n.Host().SetStreamHandler(wire.LogProtocol(n.Network().Tag, wire.ForSync), func(s network.Stream) {
		defer s.Reset()
		in := bufio.NewReader(s)
		if _, err := wire.ReadFrame(in, 1<<20); err != nil {
			return
		}
		sessions.Add(1)
		_ = wire.WriteFrame(s, answer)
		for i := 0; ; i++ {
			msg, err := wire.ReadFrame(in, 1<<20)
			if err != nil {
				return
			}
			messages.Add(1)
			b := reply(i, msg)
			if b == nil {
				_, _ = io.Copy(io.Discard, in) // until the other side has had enough
				return
			}
			if wire.WriteFrame(s, b) != nil {
				return
			}
		}
	})
	return sessions, messages
}

// varint is that of reconciliation.
func varint(v uint64) (b []byte) {
	b = []byte{byte(v & 0x7f)}
	for v >>= 7; v > 0; v >>= 7 {
		b = append([]byte{byte(v&0x7f) | 0x80}, b...)
	}
	return b
}

// ranges writes a message: bounds are seconds apart, each range has a random
// fingerprint.
func ranges(from uint64, n int, step uint64) []byte {
	b := append([]byte{0x61}, varint(from+1)...)
	b = append(b, 0, 0) // skipped
	for range n {
		b = append(append(b, varint(step+1)...), 0, 1)
		b = append(b, make([]byte, 16)...)
		_, _ = rand.Read(b[len(b)-16:])
	}
	return b
}

// Whatever a peer answers, sessions with it are few and end, and nobody else is
// kept waiting for long.
func TestALiarIsLeftAlone(t *testing.T) {
	long(t)
	ok := []byte{0}
	now := func() uint64 { return uint64(time.Now().Unix()) }
	for name, lie := range map[string]struct {
		answer []byte
		reply  func(n int, msg []byte) []byte
		most   int // messages that it is asked with in ten minutes
	}{
		"endless ranges": {ok, func(n int, _ []byte) []byte {
			return ranges(now()-3000+uint64(n), 1000, 2) // ever new ones
		}, 3000},
		"lying fingerprints": {ok, func(n int, msg []byte) []byte {
			return ranges(now()-2000, 16, 100>>n)
		}, 3000},
		"overlapping ranges": {ok, func(int, []byte) []byte {
			b := ranges(now()-2000, 1, 100)
			return append(append(b, 1, 0, 1), make([]byte, 16)...) // once more to the same bound
		}, 100},
		"what was asked": {ok, func(_ int, msg []byte) []byte { return msg }, 100},
		"outside":        {ok, func(int, []byte) []byte { return ranges(now()+1<<20, 3, 5) }, 100},
		"phantom ids": {ok, func(int, []byte) []byte {
			b := append(append([]byte{0x61}, varint(now()-3000+1)...), 0, 0)
			b = append(append(append(b, varint(2900)...), 0, 2), varint(1000)...)
			ids := make([]byte, 32*1000)
			_, _ = rand.Read(ids)
			return append(b, ids...)
		}, 100},
		"ids without end": {ok, func(int, []byte) []byte {
			return append([]byte{0x61, 0, 0, 2}, varint(1<<40)...)
		}, 100},
		"too much":         {ok, func(int, []byte) []byte { return bytes.Repeat([]byte{0x61}, 129<<10) }, 1000},
		"garbage":          {ok, func(int, []byte) []byte { return []byte("GARBAGE") }, 100},
		"another version":  {ok, func(int, []byte) []byte { return []byte{0x62} }, 100},
		"silence":          {ok, func(int, []byte) []byte { return nil }, 1000},
		"a strange answer": {[]byte{0, 0xff}, func(int, []byte) []byte { return nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, func(t *testing.T, v *villain) {
				sessions, messages := v.lie(lie.answer, lie.reply)
				time.Sleep(10 * time.Minute)
				if sessions.Load() == 0 || sessions.Load() > 200 || int(messages.Load()) > lie.most {
					t.Errorf("%d sessions, %d messages", sessions.Load(), messages.Load())
				}
				v.Cut(1, true)
				time.Sleep(15 * time.Second)
				v.say(0, "lobby", "missed")
				time.Sleep(time.Second)
				v.Cut(1, false)
				v.Wait(10*time.Minute, "what was missed", func() error {
					if got := v.history(1, "lobby", chat.Query{}); len(got) != 1 {
						return fmt.Errorf("%d", len(got))
					}
					return nil
				})
				t.Logf("%d sessions, %d messages", sessions.Load(), messages.Load())
			})
		})
	}
}

// One names a floor beyond everything, so that nothing is compared, and our own
// heads. Nobody says because of him that he is in sync.
//
// spec: 06-sync M15
func TestALyingFloorMakesNobodyInSync(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		head := v.say(0, "lobby", "hello")
		v.waitTexts(5*time.Second, 1, "lobby", "hello")
		v.Stop(1)
		answer := binary.AppendUvarint([]byte{0, 1 << 3}, uint64(time.Now().Unix())+1<<20)
		answer = append(append(append(answer, 2<<3|2, 32), head[:]...), 3<<3, 1) // complete
		sessions, _ := v.lie(answer, func(int, []byte) []byte { return []byte{0x61} })
		told := func(result string) int { return v.metric(0, "parley_delivery_syncs_total", result) }
		before := told("in-sync")
		time.Sleep(5 * time.Minute)
		if sessions.Load() == 0 || told("in-sync-above") == 0 {
			t.Fatalf("%d sessions, %d found equal above his floor", sessions.Load(), told("in-sync-above"))
		}
		if after := told("in-sync"); after != before {
			t.Errorf("in sync %d times because of him", after-before)
		}
	})
}

// syncRequest opens a session about a log.
func syncRequest(log event.LogID) []byte { return append([]byte{1<<3 | 2, 32}, log[:]...) }

// converse sends frames to node 0 and returns the frames that come.
func (v *villain) converse(frames ...[]byte) (got [][]byte, err error) {
	v.t.Helper()
	n := v.Nodes[2]
	s, err := n.Host().NewStream(v.t.Context(), v.Nodes[0].ID(), wire.LogProtocol(n.Network().Tag, wire.ForSync))
	if err != nil {
		v.t.Fatal(err)
	}
	defer s.Reset()
	in := bufio.NewReader(s)
	for _, f := range frames {
		if err := wire.WriteFrame(s, f); err != nil {
			return got, err
		}
		b, err := wire.ReadFrame(in, 1<<20)
		if err != nil {
			return got, err
		}
		got = append(got, b)
	}
	return got, nil
}

// spec: 06-sync M1, M2, M3, M6, M11
func TestBadSessionsAreRefusedAndCounted(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		id := v.say(0, "lobby", "hello")
		everything := []byte{0x61, 0, 0, 2, 0}
		got, err := v.converse(syncRequest(v.log), everything)
		if err != nil || got[0][0] != 0 || !bytes.Contains(got[0], id[:]) || !bytes.Contains(got[1], id[:]) {
			t.Fatalf("a good session: %x, %v", got, err)
		}
		floor := binary.AppendUvarint(append(syncRequest(v.log), 2<<3), uint64(time.Now().Unix())+1)
		if got, err := v.converse(floor, everything); err != nil || bytes.Contains(got[1], id[:]) {
			t.Errorf("below the floor: %x, %v", got, err)
		}
		foreign := event.PublicRoomLog(v.Nodes[2].Network().ID, "den")
		if got, err := v.converse(syncRequest(foreign)); err != nil || !bytes.Equal(got[0], []byte{1}) {
			t.Errorf("a log that is not joined: %x, %v", got, err)
		}
		if got, err := v.converse(syncRequest(v.log), []byte{0x62}); err != nil || !bytes.Equal(got[1], []byte{0x61}) {
			t.Errorf("another version: %x, %v", got, err)
		}
		before := v.counted("syncs_served_total", "malformed") + v.counted("syncs_served_total", "unread")
		bad := [][][]byte{
			{[]byte("GARBAGE")},
			{bytes.Repeat([]byte{1}, 100)},
			{syncRequest(v.log), []byte("GARBAGE")},
			{syncRequest(v.log), bytes.Repeat([]byte{0x61}, 33<<10)},
			{syncRequest(v.log), append([]byte{0x61, 0, 0, 2}, varint(1<<40)...)},
			{syncRequest(v.log), {}},
		}
		for _, frames := range bad {
			if got, err := v.converse(frames...); !errors.Is(err, network.ErrReset) {
				t.Errorf("%.40x: %x, %v", frames, got, err)
			}
		}
		after := v.counted("syncs_served_total", "malformed") + v.counted("syncs_served_total", "unread")
		if after-before != len(bad)-1 { // one is cut off
			t.Errorf("%d of %d counted", after-before, len(bad)-1)
		}
	})
}

// Comparing costs the server more than the asker: he is charged for it.
func TestWhoComparesTooMuchIsPutOff(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		v.say(0, "lobby", "hello")
		many := ranges(1_000_000_000, 1500, 1)
		for range 2000 {
			got, err := v.converse(syncRequest(v.log), many, many, many, many, many, many, many, many)
			if err == nil && len(got[len(got)-1]) == 1 && got[len(got)-1][0] == 2 || len(got) == 1 && got[0][0] == 2 {
				return
			}
		}
		t.Error("never")
	})
}

// One has a history that never was: old messages without end, each under a key
// of its own. What is taken of it is bounded, and what others have comes.
func TestBackdatedEventsUnderFreshKeysAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	attack(t, func(t *testing.T, v *villain) {
		const n = 12_000
		batches := make(map[event.ID][]byte, n)
		var items []reconcile.Item
		for i := range n {
			v.key = mint(i)
			b := v.seal(v.log, 1, event.ID{}, time.Now().Add(-time.Duration(i+60)*time.Hour), "x")
			e := &b.Events[0]
			batches[e.ID] = b.Payload()
			items = append(items, reconcile.Item{Second: uint64(e.HLC.Second()), ID: e.ID})
		}
		set := reconcile.NewSlice(items)
		v.lie(binary.AppendUvarint([]byte{0, 4 << 3}, uint64(n)), func(_ int, msg []byte) []byte {
			reply, _, err := reconcile.Answer(set, reconcile.At(0), msg, 128<<10)
			if err != nil {
				t.Error(err)
			}
			return reply
		})
		v.serveByID(batches)
		v.publish(v.seal(v.log, 2, event.ID{1}, time.Now(), "a reason to ask").Payload())
		time.Sleep(10 * time.Second)
		v.say(0, "lobby", "real")
		v.Wait(10*time.Second, "what is real", func() error {
			if last := v.history(1, "lobby", chat.Query{Limit: 1}); len(last) != 1 || last[0].Text != "real" {
				return fmt.Errorf("%d", len(last))
			}
			return nil
		})
		const atOnce, perSecond = 4096, 50
		for i := range 2 {
			if got := len(v.history(i, "lobby", chat.Query{})); got < atOnce/2 || got > 2*(atOnce+30*perSecond) || got >= n {
				t.Errorf("node %d took %d", i, got)
			}
		}
		if v.counted("batches_ignored_total", "authors") == 0 {
			t.Error("not counted")
		}
	})
}

// serveByID answers fetch requests out of a map.
func (v *villain) serveByID(batches map[event.ID][]byte) {
	n := v.Nodes[2]
	n.Host().SetStreamHandler(wire.LogProtocol(n.Network().Tag, wire.ForFetch), func(s network.Stream) {
		defer s.Close()
		b, err := wire.ReadFrame(bufio.NewReader(s), 1<<20)
		if err != nil {
			return
		}
		reply := wire.AppendFrame(nil, []byte{0})
		for i := len(b) % 32; i+32 <= len(b); i += 32 { // ids stand at the end
			if p := batches[event.ID(b[i:i+32])]; p != nil {
				reply = wire.AppendFrame(reply, p)
			}
		}
		_, _ = s.Write(wire.AppendFrame(reply, nil))
	})
}

// One lists events that are of another time than he says, so that they are
// never stored, and would be fetched again and again.
func TestEventsOfAnotherTimeAreNotFetchedForEver(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		batches := make(map[event.ID][]byte)
		var items []reconcile.Item
		for i := range 500 {
			v.key = mint(i)
			b := v.seal(v.log, 1, event.ID{}, time.Now().Add(48*time.Hour), "x")
			batches[b.Events[0].ID] = b.Payload()
			items = append(items, reconcile.Item{Second: uint64(time.Now().Unix()), ID: b.Events[0].ID})
		}
		set := reconcile.NewSlice(items)
		sessions, _ := v.lie(binary.AppendUvarint([]byte{0, 4 << 3}, 500), func(_ int, msg []byte) []byte {
			reply, _, err := reconcile.Answer(set, reconcile.At(0), msg, 128<<10)
			if err != nil {
				t.Error(err)
			}
			return reply
		})
		v.serveByID(batches)
		time.Sleep(10 * time.Minute)
		faults := 0
		for i := range 2 {
			faults += v.metric(i, "parley_delivery_syncs_total", "fault")
		}
		if faults == 0 || sessions.Load() > 40 {
			t.Errorf("%d sessions, %d of them faults", sessions.Load(), faults)
		}
	})
}

// A message may have 32 KiB, and not a byte more.
//
// spec: 06-sync M5, M6
func TestAMessageAtTheLimitsIsAnswered(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		id := v.say(0, "lobby", "hello")
		// A skipped range whose bound has a prefix of so many bytes, and a list of ids of the rest.
		message := func(prefix int) []byte {
			m := append([]byte{0x61, 6, byte(prefix)}, bytes.Repeat([]byte{1}, prefix)...)
			m = append(m, 0, 0, 0, 2)
			m = append(m, varint(1023)...)
			return append(m, make([]byte, 1023*32)...)
		}
		if n := len(message(23)); n != 32<<10 {
			t.Fatalf("%d bytes", n)
		}
		if got, err := v.converse(syncRequest(v.log), message(23)); err != nil || !bytes.Contains(got[1], id[:]) {
			t.Errorf("32 KiB: %x, %v", got, err)
		}
		if got, err := v.converse(syncRequest(v.log), message(24)); !errors.Is(err, network.ErrReset) {
			t.Errorf("a byte more: %x, %v", got, err)
		}
	})
}
