package chat

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// What is known of who holds own events outlives the process: it is saved a
// moment after it changed and at Close. A kill loses what was learnt last,
// which makes claims smaller until the next signals.
const (
	metaHolds    = "chat/holds/" // and the log in hex
	saveEvery    = 5 * time.Second
	saveAtOnce   = 32   // rooms, so that many busy ones do not keep the disk busy
	savedHolders = 1500 // members a room; those who hold most
	savedWindow  = 128  // newest events that are looked at when a room is opened
)

// holder is a member and what he holds.
type holder struct {
	author event.Author
	held
}

// holders returns those who are to be saved.
func (h *holds) holders() []holder {
	out := make([]holder, 0, len(h.members))
	for author, has := range h.members {
		out = append(out, holder{author, has})
	}
	slices.SortFunc(out, func(a, b holder) int {
		return cmp.Or(cmp.Compare(b.seq, a.seq), slices.Compare(a.author[:], b.author[:]))
	})
	return out[:min(len(out), savedHolders)]
}

// Saved form: a version byte, the fork's ends, the number of heads and of each
// its id and reach, then of each member his key and what he holds; numbers are
// varints.
const savedVersion = 1

func (h *holds) save(heads []event.ID) []byte {
	b := []byte{savedVersion}
	b = binary.AppendUvarint(b, h.forkFrom)
	b = binary.AppendUvarint(b, h.forkTo)
	heads = slices.DeleteFunc(slices.Clone(heads), func(id event.ID) bool { return h.find(id).seq == 0 })
	b = binary.AppendUvarint(b, uint64(len(heads)))
	for _, id := range heads {
		r := h.find(id)
		b = append(append(b, id[:]...), r.id[:]...)
		b = binary.AppendUvarint(b, r.seq)
	}
	for _, m := range h.holders() {
		b = binary.AppendUvarint(append(b, m.author[:]...), m.seq)
		b = binary.AppendUvarint(b, m.whole)
	}
	return b
}

// recall takes in what was saved. What it cannot read it leaves out.
func (h *holds) recall(b []byte) {
	r := savedReader{b}
	if v := r.bytes(1); v == nil || v[0] != savedVersion {
		return
	}
	h.forkFrom, h.forkTo = r.number(), r.number()
	for n := r.number(); n > 0; n-- {
		id, own := r.bytes(32), r.bytes(32)
		seq := r.number()
		if own == nil || seq > h.last.seq {
			return
		}
		h.set(event.ID(id), reach{seq, event.ID(own)})
	}
	for len(r.b) > 0 {
		author := r.bytes(32)
		has := held{r.number(), r.number()}
		if author == nil || max(has.seq, has.whole) > h.last.seq {
			return
		}
		h.hold(event.Author(author), has)
	}
}

// savedReader reads the saved form; nil and 0 where it ends too early.
type savedReader struct{ b []byte }

func (r *savedReader) bytes(n int) []byte {
	if len(r.b) < n {
		r.b = nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *savedReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// recallHolds brings what is known of who holds own events to where the store
// is: what was saved, and what the newest events tell.
func (r *Room) recallHolds(ctx context.Context) error {
	own, err := r.m.store.Author(r.log, r.m.self)
	if err != nil || own.LastSeq == 0 {
		return err
	}
	r.holds.own(own.LastSeq, own.LastID)
	saved, err := r.m.store.Meta(metaHolds + r.log.String())
	if err != nil {
		return err
	}
	r.holds.recall(saved)
	r.holds.forked(own.Forks)
	var newest []event.Event
	for e, err := range r.m.store.History(ctx, eventlog.Query{Log: r.log, Limit: savedWindow, Reverse: true}) {
		if err != nil {
			return err
		}
		newest = append(newest, e.Event)
	}
	for i := range slices.Backward(newest) {
		r.holds.addEvents(newest[i : i+1])
	}
	return nil
}

// checkForks reads which own numbers were written twice, when own events came
// from outside since it was done last.
func (r *Room) checkForks() {
	if !r.unsure.Swap(false) {
		return
	}
	own, err := r.m.store.Author(r.log, r.m.self)
	if err != nil {
		r.unsure.Store(true)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds.forked(own.Forks)
}

// keepHolds saves until the Messenger closes.
func (m *Messenger) keepHolds() {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.saveHolds(saveAtOnce)
		case <-m.ctx.Done():
			return
		}
	}
}

// saveHolds saves what changed, of at most so many rooms.
func (m *Messenger) saveHolds(most int) {
	m.mu.Lock()
	rooms := make([]*Room, 0, len(m.rooms))
	for _, r := range m.rooms {
		rooms = append(rooms, r)
	}
	m.mu.Unlock()
	for _, r := range rooms {
		if most == 0 {
			return
		}
		if saved, err := r.saveHolds(); err != nil {
			m.log.Warn("who holds messages is not saved", "log", r.log, "err", err)
			return // the next time
		} else if saved {
			most--
		}
	}
}

func (r *Room) saveHolds() (saved bool, err error) {
	heads, err := r.m.store.Heads(r.log)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	if !r.holds.changed {
		r.mu.Unlock()
		return false, nil
	}
	value := r.holds.save(heads)
	r.holds.changed = false
	r.mu.Unlock()
	if err := r.m.store.SetMeta(metaHolds+r.log.String(), value); err != nil {
		r.mu.Lock()
		r.holds.changed = true
		r.mu.Unlock()
		return false, err
	}
	return true, nil
}
