package delivery

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

const (
	// MaxKey bounds Draft.Key, in bytes.
	MaxKey = 64

	onceFor = 7 * 24 * time.Hour // that a key is remembered
	onceAt  = "once/"            // and log and key in hex: when, Unix ms in 8 bytes, and the event's id
)

func onceKey(log event.LogID, key string) string {
	return onceAt + log.String() + "/" + hex.EncodeToString([]byte(key))
}

// once remembers in the commit of an event that its key is used.
func once(log event.LogID, key string, id event.ID, now time.Time) eventlog.Mark {
	val := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(id)), uint64(now.UnixMilli()))
	return eventlog.Mark{Key: onceKey(log, key), Val: append(val, id[:]...)}
}

// used reads what once wrote; found is false if the key may be used.
func used(val []byte, now time.Time) (id event.ID, found bool) {
	if len(val) != 8+len(id) {
		return id, false
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(val)))
	return event.ID(val[8:]), now.Sub(at).Abs() < onceFor
}

// repeats answers the drafts that wait whose key was used, and returns how many
// of the others may go into one batch: of two with one key, the second waits
// until the first is stored.
func (s *sender) repeats() int {
	now := time.Now()
	kept, most := s.waiting[:0], -1
	var keys map[string]struct{}
	for _, p := range s.waiting {
		key := p.draft.Key
		if key == "" {
			kept = append(kept, p)
			continue
		}
		val, err := s.l.s.cfg.Store.Meta(onceKey(s.l.id, key))
		if err != nil {
			p.finish(event.ID{}, err)
			continue
		}
		if id, found := used(val, now); found {
			p.finish(id, nil)
			continue
		}
		if _, twice := keys[key]; twice && most < 0 {
			most = len(kept)
		}
		if keys == nil {
			keys = make(map[string]struct{})
		}
		keys[key] = struct{}{}
		kept = append(kept, p)
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
	if most < 0 {
		most = len(kept)
	}
	return most
}

// marks are what the commit of a batch remembers of the keys of its drafts.
func (s *sender) marks(b *event.Batch) []eventlog.Mark {
	var marks []eventlog.Mark
	now := time.Now()
	for i := range b.Events {
		if key := s.waiting[i].draft.Key; key != "" {
			marks = append(marks, once(s.l.id, key, b.Events[i].ID, now))
		}
	}
	return marks
}

// ForgetKeys deletes the keys of drafts that are too old to matter.
func (s *Service) ForgetKeys(ctx context.Context) error {
	now := time.Now()
	_, err := s.cfg.Store.DeleteMetas(ctx, onceAt, func(m eventlog.Mark) bool {
		_, found := used(m.Val, now)
		return !found
	})
	return err
}
