package chat

import (
	"context"
	"iter"
	"sync"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wake"
	"github.com/parley-chat/parley/internal/wire"
)

// maxChanges is how many changes wait for one reader of updates; then they are
// dropped and he is told that he lagged.
const maxChanges = 1024

// changeKind says what changed besides the store.
type changeKind uint8

const (
	roomsChanged changeKind = iota + 1
	memberChanged
	peerChanged
	stateChanged
)

// change is what a reader is told; what it is now he looks up himself.
type change struct {
	kind   changeKind
	room   *Room   // of memberChanged, and of stateChanged in a room
	direct *Direct // of stateChanged in a direct chat
	author event.Author
	reach  reach
}

// hub hands changes to all readers. The zero value is ready.
type hub struct {
	mu      sync.Mutex
	readers map[*wake.Queue[change]]struct{}
}

func (h *hub) add() *wake.Queue[change] {
	q := wake.New[change](maxChanges)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers == nil {
		h.readers = make(map[*wake.Queue[change]]struct{})
	}
	h.readers[q] = struct{}{}
	return q
}

func (h *hub) remove(q *wake.Queue[change]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, q)
}

// put never blocks: a full queue drops and remembers that it did.
func (h *hub) put(c change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for q := range h.readers {
		q.Put(c)
	}
}

// LastCursor returns the cursor of the newest stored event.
func (m *Messenger) LastCursor() uint64 { return m.store.LastArrival() }

// Updates yields news: first every stored message after cursor, then live ones
// and changes, until ctx ends, the Messenger is closed or reading the store
// fails, which Err tells. Cursor 0 is the beginning of everything, LastCursor() only what is
// new. A reader may be slow; see Lagged.
func (m *Messenger) Updates(ctx context.Context, cursor uint64) iter.Seq[Update] {
	return func(yield func(Update) bool) {
		changes := m.hub.add()
		defer m.hub.remove(changes)
		for {
			more := m.store.Changed()
			if !m.tellStored(ctx, &cursor, yield) || !m.tellChanges(changes, cursor, yield) {
				return
			}
			select {
			case <-more:
			case <-changes.Wake():
			case <-ctx.Done():
				return
			case <-m.ctx.Done():
				return
			}
		}
	}
}

// tellStored yields what was stored after cursor, and moves it on. It returns
// false when the sequence is over.
func (m *Messenger) tellStored(ctx context.Context, cursor *uint64, yield func(Update) bool) bool {
	for e, err := range m.store.Since(ctx, *cursor) {
		if err != nil {
			if ctx.Err() == nil && m.ctx.Err() == nil {
				m.log.Error("updates end", "err", err)
				m.fail(err)
			}
			return false
		}
		*cursor = e.Arrival
		c := m.conversationOf(e.Event.Log)
		if c == nil || !c.shows(&e, false) {
			continue
		}
		if !yield(MessageAdded{c.message(&e)}) {
			return false
		}
	}
	return true
}

// Err returns why Updates ended though neither its context nor the Messenger
// did: reading the store failed. Nil: it did not. It is kept until Close and
// after.
func (m *Messenger) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

func (m *Messenger) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = err
	}
}

func (m *Messenger) tellChanges(changes *wake.Queue[change], cursor uint64, yield func(Update) bool) bool {
	items, lost := changes.TakeAll(nil)
	for _, c := range items {
		if !yield(m.describe(c)) {
			return false
		}
	}
	return !lost || yield(Lagged{cursor})
}

// describe says how what changed is now.
func (m *Messenger) describe(c change) Update {
	switch c.kind {
	case memberChanged:
		member, known := c.room.membership(c.author)
		return MemberChanged{c.room.name, c.room.member(c.author), known && !member.In}
	case peerChanged:
		p, _ := m.presence.Load().Peer(c.author)
		return PeerChanged{wire.PeerID(c.author), m.nickOf(c.author, nil), p.Online}
	case stateChanged:
		if d := c.direct; d != nil {
			return StateChanged{Direct: d.peer, ID: c.reach.id, Seq: c.reach.seq, State: d.state(c.reach.seq, false)}
		}
		return StateChanged{Room: c.room.name, ID: c.reach.id, Seq: c.reach.seq, State: c.room.state(c.reach.seq)}
	default:
		return RoomsChanged{}
	}
}
