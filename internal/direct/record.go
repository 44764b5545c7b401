package direct

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Keys of what is remembered in the store.
const (
	metaChats = "direct/chats" // author keys, 32 bytes each, those one wrote to first marked in their record
	metaPair  = "direct/pair/" // and the author in hex: JSON of record
)

// keepEvery is how often what changed is remembered: what a crash takes away
// is told again by the other, or sent to him again.
const keepEvery = 200 * time.Millisecond

// keepAtOnce is how many records, of up to 1 KiB, are remembered in one commit.
const keepAtOnce = 128

// record is what is remembered of a pair.
type record struct {
	Sent  Place  `json:"sent"`  // own: written to a stream
	Acked Place  `json:"acked"` // own: acknowledged
	Seen  Place  `json:"seen"`  // own: his person was shown it
	Held  Place  `json:"held"`  // his: acknowledged to him
	Read  Place  `json:"read"`  // his: our person was shown it
	Told  Place  `json:"told"`  // Read as he was told it
	Whole uint64 `json:"whole"` // own events up to here were all there when the logs were compared
	Ours  bool   `json:"ours"`  // we wrote, or had him remembered, ourselves
	Nick  string `json:"nick"`  // what he was called last
	Bytes uint64 `json:"bytes"` // of payloads stored of him while we had not written
}

// MarshalJSON writes "SEQ ID", or null.
func (p Place) MarshalJSON() ([]byte, error) {
	if p.Seq == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(struct {
		Seq uint64 `json:"seq"`
		ID  string `json:"id"`
	}{p.Seq, p.ID.String()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Place) UnmarshalJSON(b []byte) error {
	var v *struct {
		Seq uint64 `json:"seq"`
		ID  string `json:"id"`
	}
	if err := json.Unmarshal(b, &v); err != nil || v == nil {
		return err
	}
	id, err := event.ParseID(v.ID)
	*p = Place{v.Seq, id}
	return err
}

func metaOf(a event.Author) string { return metaPair + hex.EncodeToString(a[:]) }

// load reads what is remembered of a pair.
func (s *Service) load(a event.Author) (r record, err error) {
	data, err := s.cfg.Store.Meta(metaOf(a))
	if err != nil || data == nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}

// loadChats reads which chats there are.
func (s *Service) loadChats() error {
	data, err := s.cfg.Store.Meta(metaChats)
	if err != nil {
		return err
	}
	for ; len(data) >= 32; data = data[32:] {
		a := event.Author(data[:32])
		r, err := s.load(a)
		if err != nil {
			return err
		}
		s.noteLocked(a, r.Ours)
		s.nicks[a] = r.Nick
	}
	return nil
}

// noteLocked takes a chat into the list. Its other side is no stranger any more.
func (s *Service) noteLocked(a event.Author, ours bool) {
	s.strange -= s.strangers[a]
	delete(s.strangers, a)
	s.order = append(s.order, a)
	s.chats[a] = ours
	if !ours {
		s.begun++
	}
}

// roomLocked reports whether one more chat may be remembered.
func (s *Service) roomLocked(ours bool) bool {
	return len(s.order) < maxChats && (ours || s.begun < maxBegun)
}

// remember adds a chat to the list, durably, before anything of it is stored.
// ours says that it begins here. Errors: ErrTooMany, the store's.
func (s *Service) remember(a event.Author, ours bool) error {
	if s.remembers(a) {
		return nil
	}
	s.listing.Lock() // one at a time; not held with s.mu while the disk is waited for
	defer s.listing.Unlock()
	s.mu.Lock()
	_, known := s.chats[a]
	full := !s.roomLocked(ours)
	order := s.order
	s.mu.Unlock()
	switch {
	case known:
		return nil
	case full:
		return ErrTooMany
	}
	list := make([]byte, 0, 32*(len(order)+1))
	for _, o := range order {
		list = append(list, o[:]...)
	}
	if err := s.cfg.Store.SetMeta(metaChats, append(list, a[:]...)); err != nil {
		return err
	}
	s.mu.Lock()
	s.noteLocked(a, ours)
	s.mu.Unlock()
	if s.cfg.Begun != nil {
		s.cfg.Begun(a)
	}
	return nil
}

// Called notes what the other of a chat is called, to be known by when he is
// away. Without a chat nothing is noted.
func (s *Service) Called(a event.Author, nick string) {
	s.mu.Lock()
	_, chat := s.chats[a]
	same := s.nicks[a] == nick
	if chat {
		s.nicks[a] = nick
	}
	s.mu.Unlock()
	if !chat || same {
		return
	}
	p, err := s.pair(a)
	if err != nil {
		return // closing, or told when he is met next
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rec.Nick != nick {
		p.rec.Nick = nick
		p.changedLocked()
	}
}

// Nick is what the other of a chat was called last; it may be empty.
func (s *Service) Nick(a event.Author) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nicks[a]
}

func (s *Service) remembers(a event.Author) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.chats[a]
	return ok
}

// keep remembers what changed of pairs, now and then, until the service ends.
func (s *Service) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.dirty:
		case <-s.ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		s.keepAll()
	}
}

// keepAll remembers what changed of all pairs, in few commits. What could not be
// kept is tried again.
func (s *Service) keepAll() {
	for pairs := range slices.Chunk(s.all(), keepAtOnce) {
		var marks []eventlog.Mark
		var kept []*Pair
		for _, p := range pairs {
			if m, dirty := p.mark(); dirty {
				marks, kept = append(marks, m), append(kept, p)
			}
		}
		if len(marks) == 0 {
			continue
		}
		// Not s.ctx: Close keeps what changed last.
		if err := s.cfg.Store.SetMetas(context.Background(), marks...); err != nil {
			s.log.Warn("states of direct chats not kept", "err", err)
			for _, p := range kept {
				p.changed()
			}
		}
	}
}

// mark is the record as it is stored, if it changed since it was.
func (p *Pair) mark() (m eventlog.Mark, dirty bool) {
	p.mu.Lock()
	dirty, r := p.dirty, p.rec
	p.dirty = false
	p.mu.Unlock()
	if !dirty {
		return m, false
	}
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers and strings alone
	}
	return eventlog.Mark{Key: metaOf(p.author), Val: data}, true
}

func (p *Pair) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changedLocked()
}

// changedLocked notes that the record is different.
func (p *Pair) changedLocked() {
	p.dirty = true
	select {
	case p.s.dirty <- struct{}{}:
	default:
	}
}
