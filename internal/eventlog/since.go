package eventlog

import (
	"context"
	"encoding/binary"
	"iter"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// sincePage is how many payloads are read at once.
const sincePage = 16

// Since yields every event, of all logs, whose arrival number is above cursor,
// in the order of arrival, and ends at the newest. The last pair has an error
// if reading failed or ctx ended.
func (s *Store) Since(ctx context.Context, cursor uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		at := cursor
		yieldPages(yield, func() ([]Entry, bool, error) {
			page, next, err := s.arrived(ctx, at)
			more := next != at
			at = next
			return page, more, err
		})
	}
}

// arrived reads a portion of what came after cursor, and says where to go on.
func (s *Store) arrived(ctx context.Context, cursor uint64) (out []Entry, next uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, cursor, err
	}
	next = cursor
	err = s.view(func(txn *badger.Txn) error {
		payloads, ok := s.recent.since(cursor, sincePage)
		if !ok {
			if payloads, err = s.payloadsSince(txn, cursor); err != nil {
				return err
			}
		}
		f := forks{s: s, txn: txn}
		for i := range payloads {
			p := &payloads[i]
			for place := range p.batch.Events {
				if !p.counts.has(place) || p.arrival+uint64(place) <= cursor {
					continue
				}
				e, err := f.entry(p, place)
				if err != nil {
					return err
				}
				out = append(out, e)
			}
			next = max(next, p.last())
		}
		return nil
	})
	return out, next, err
}

// payloadsSince reads payloads that have events above cursor from disk.
func (s *Store) payloadsSince(txn *badger.Txn, cursor uint64) ([]stored, error) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
	defer it.Close()
	var out []stored
	it.Seek(appendPayloadKey(nil, cursor+1-min(cursor, event.MaxBatchEvents)))
	for ; it.Valid() && len(out) < sincePage; it.Next() {
		p, err := s.payloadOf(it.Item())
		if err != nil {
			return nil, err
		}
		if p.last() <= cursor {
			continue
		}
		if p, err = s.counting(txn, p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// findNewest finds the highest arrival number at opening.
func (s *Store) findNewest() error {
	return s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}, Reverse: true})
		defer it.Close()
		it.Seek(appendPayloadKey(nil, math.MaxUint64))
		if it.Valid() {
			p, err := s.payload(txn, binary.BigEndian.Uint64(it.Item().Key()[1:]))
			if err != nil {
				return err
			}
			s.newest.Store(p.last())
		}
		s.recent.floor, s.recent.limit = s.newest.Load(), s.profile.recent
		return nil
	})
}
