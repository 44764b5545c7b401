package delivery

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

// link is a way to one other member, who has a store on disk.
type link struct {
	to    *Log
	asked atomic.Int64 // streams of requests by id
}

func (w *link) Publish(context.Context, *event.Batch) error { return nil }
func (w *link) Peers() []peer.ID                            { return []peer.ID{"other"} }

func (w *link) Open(_ context.Context, _ peer.ID, purpose string) (Stream, error) {
	if purpose == wire.ForFetch {
		w.asked.Add(1)
	}
	near, far := net.Pipe()
	go w.to.s.server.handle(pipe{far}, "asker", purpose, event.LogID{}) // ends with the pipe, which the asker closes
	return pipe{near}, nil
}

// member is a log whose store is on disk.
func member(t *testing.T) (*Log, *eventlog.Store) {
	store := openStore(t)
	l := unjoined(t, store)
	l.s.logs, l.s.turns, l.s.log = map[event.LogID]*Log{testLog: l}, newTurns(), l.log
	l.s.server = newServer(l.s)
	t.Cleanup(l.s.server.close)
	return l, store
}

// pair links two members.
func pair(t *testing.T) (near, far *Log, nearStore, farStore *eventlog.Store) {
	near, nearStore = member(t)
	far, farStore = member(t)
	near.way, far.way = &link{to: far}, &link{to: near}
	return near, far, nearStore, farStore
}

func put(t *testing.T, s *eventlog.Store, batches ...*event.Batch) {
	t.Helper()
	_, errs := s.AppendAll(t.Context(), batches, false)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// cut ends what an author adds to the log with an event.
func cut(t *testing.T, s *eventlog.Store, at *event.Event) {
	t.Helper()
	c := eventlog.Cut{Author: at.Author, At: math.MaxUint64, Named: map[event.LogID]eventlog.Place{testLog: {Seq: at.Seq, ID: at.ID}}}
	if _, err := s.SetCuts(t.Context(), []eventlog.Cut{c}); err != nil {
		t.Fatal(err)
	}
}

// compareNow has l compare with the other, which must end well.
func compareNow(t *testing.T, l *Log) {
	t.Helper()
	if ok, err := l.syncer.turn(t.Context(), "other"); !ok || err != nil {
		t.Fatalf("ended well: %v, %v", ok, err)
	}
}

func inSync(l *Log) bool { return time.Since(l.Synced().At) == 0 }

// What an author gossips behind the event at which he is cut is ignored and charged to who
// forwards it, what was stored before the cut too. Others may not know yet: it is never rejected. A batch of
// which some counts is good.
//
// spec: 06-sync M16
func TestWhatACutAuthorGossipsIsIgnored(t *testing.T) {
	in(t, func(t *testing.T) {
		l, store := member(t)
		a := newAuthor(1)
		now := time.Now()
		before, across, after := a.write(t, now, 2), a.write(t, now.Add(time.Second), 4), a.write(t, now.Add(2*time.Second), 2)
		verdict := func(from peer.ID, data []byte) pubsub.ValidationResult {
			return l.validate(t.Context(), from, &pubsub.Message{Message: &pb.Message{Data: data}})
		}
		put(t, store, before)
		if got, err := l.admit(t.Context(), "early bird", []*event.Batch{after}); got.fresh != 2 || err != nil {
			t.Fatal(got, err)
		}
		cut(t, store, &across.Events[1])
		if seq, _, _ := store.Last(testLog, a.id); seq != 2 {
			t.Errorf("his last is %d", seq)
		}
		forged := bytes.Clone(after.Payload())
		proof, _ := after.Proof()
		forged[bytes.Index(forged, proof.Signature)] ^= 1
		for i, x := range []struct {
			data []byte
			want pubsub.ValidationResult
		}{
			{after.Payload(), pubsub.ValidationIgnore},
			{forged, pubsub.ValidationIgnore},
			{across.Payload(), pubsub.ValidationAccept},
		} {
			if got := verdict("forwarder", x.data); got != x.want {
				t.Errorf("message %d: verdict %v, not %v", i, got, x.want)
			}
		}
		items, _ := l.queue.TakeAll(nil)
		l.appendAll(items)
		if seq, id, _ := store.Last(testLog, a.id); seq != 4 || id != across.Events[1].ID {
			t.Errorf("his last is %d", seq)
		}
		for range uselessAtOnce + 10 {
			verdict("forwarder", after.Payload())
		}
		if l.s.budgets.useless.Solvent("forwarder") || !l.s.budgets.useless.Solvent("another") {
			t.Error("it was not charged to who forwards it")
		}
		l.appendAll([]arrival{{after, "another"}}) // that was held aside
		if seq, _, _ := store.Last(testLog, a.id); seq != 4 || l.s.budgets.useless.Take("another", uselessAtOnce) {
			t.Errorf("his last is %d, or it cost nothing", seq)
		}
		if _, errs := l.Take(t.Context(), "peer", []*event.Batch{after}); !errors.Is(errs[0], ErrCut) {
			t.Error(errs)
		}
	})
}

// One who has cut an author asks another who has not for the events once, and not again and again, and
// both say that they are in sync when he has too.
//
// spec: 06-sync M17
func TestComparingWithWhoHasNotCutYet(t *testing.T) {
	in(t, func(t *testing.T) {
		near, far, nearStore, farStore := pair(t)
		a, b := newAuthor(1), newAuthor(2)
		first := a.write(t, time.Now(), 3)
		put(t, farStore, first)
		var later []*event.Batch
		for i := range 300 {
			later = append(later, a.write(t, time.Now().Add(time.Duration(i)*time.Millisecond), 1))
		}
		put(t, farStore, later...)
		answer := b.write(t, time.Now().Add(time.Minute), 1, tail(later[299]))
		put(t, farStore, answer)
		place := &first.Events[1]
		cut(t, nearStore, place)
		way := near.way.(*link)
		asked := int64(0)
		for n := range 40 {
			compareNow(t, near)
			compareNow(t, far)
			if inSync(near) || inSync(far) {
				t.Fatal("in sync")
			}
			if n == 0 {
				asked = way.asked.Load()
			}
			time.Sleep(syncAnyway)
		}
		if n := way.asked.Load(); asked == 0 || n != asked {
			t.Errorf("asked %d times at first, %d in all", asked, n)
		}
		if n := far.way.(*link).asked.Load(); n > 0 {
			t.Errorf("the other asked %d times", n)
		}
		if missing, err := nearStore.Missing(testLog); err != nil || len(missing) > 0 {
			t.Errorf("%d are missing (%v)", len(missing), err)
		}
		if want, err := near.fetcher.wanted(idsOf(later)); err != nil || len(want) > 0 {
			t.Errorf("%d are wanted (%v)", len(want), err)
		}
		cut(t, farStore, place)
		for _, l := range []*Log{near, far} {
			if compareNow(t, l); !inSync(l) {
				t.Error("not in sync")
			}
		}
		for _, s := range []*eventlog.Store{nearStore, farStore} {
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// More events than are remembered are not fetched with each session either: the peer is put off.
func TestWhoHasNothingButWhatIsCutIsPutOff(t *testing.T) {
	in(t, func(t *testing.T) {
		near, _, nearStore, farStore := pair(t)
		a := newAuthor(1)
		first := a.write(t, time.Now(), 3)
		put(t, farStore, first, a.write(t, time.Now().Add(time.Second), 10))
		put(t, nearStore, first)
		cut(t, nearStore, &first.Events[2])
		compareNow(t, near)
		if x, _ := near.syncer.putOff.Peek("other"); !x.next.After(time.Now()) {
			t.Error("not put off")
		}
		compareNow(t, near)
		if near.syncer.putOff.Contains("other") {
			t.Error("put off, and it gave nothing of that")
		}
	})
}

// Of a parent that everybody has cut nobody can tell that it was: after ten minutes without it, it
// is not missing any more. Where nobody is cut it is.
func TestAParentThatEverybodyHasCut(t *testing.T) {
	in(t, func(t *testing.T) {
		near, far, nearStore, farStore := pair(t)
		a, b := newAuthor(1), newAuthor(2)
		first, gone := a.write(t, time.Now(), 1), a.write(t, time.Now(), 1)
		answer := b.write(t, time.Now(), 1, tail(gone))
		for _, s := range []*eventlog.Store{nearStore, farStore} {
			put(t, s, first, answer)
		}
		for _, isCut := range []bool{false, true} {
			if isCut {
				cut(t, nearStore, &first.Events[0])
				cut(t, farStore, &first.Events[0])
			}
			for range 4 {
				compareNow(t, near)
				compareNow(t, far)
				if inSync(near) {
					t.Fatal("in sync too early")
				}
				time.Sleep(lackedFor / 3)
			}
		}
		compareNow(t, near)
		compareNow(t, far)
		if compareNow(t, near); !inSync(near) || !inSync(far) {
			t.Error("not in sync")
		}
	})
}

// Who is cut himself is told so when he sends, and nothing of it is stored.
func TestSendingOfACutAuthor(t *testing.T) {
	in(t, func(t *testing.T) {
		l, store := member(t)
		a := newAuthor(1)
		l.s.cfg.Author, l.s.cfg.Sign = a.id, a.sign
		l.way = &link{to: l}
		send := func() error {
			s := newSender(l)
			p := &Pending{draft: Draft{Kind: event.KindMessage, Payload: []byte("hello"), Key: "key"}, done: make(chan struct{})}
			s.waiting = []*Pending{p}
			s.emit()
			_, err := p.Wait(t.Context())
			return err
		}
		first := a.write(t, time.Now(), 1)
		put(t, store, first)
		cut(t, store, &first.Events[0])
		for range 2 {
			if err := send(); !errors.Is(err, eventlog.ErrCut) {
				t.Error(err)
			}
		}
		if seq, _, err := store.Last(testLog, a.id); seq != 1 || err != nil {
			t.Error(seq, err)
		}
		if _, err := store.SetCuts(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := send(); err != nil { // its key is of no event
			t.Error(err)
		}
	})
}
