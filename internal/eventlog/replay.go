package eventlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
)

// derivedOnDisk says which payloads the derived records on disk tell of: all in a store that noted nothing.
func (s *Store) derivedOnDisk() (rec derivedRec, err error) {
	err = s.db.View(func(txn *badger.Txn) (err error) {
		var found bool
		if rec, found, err = getRecord(txn, keyDerived, decodeDerivedRec); !found {
			rec.next = math.MaxUint64
		}
		return err
	})
	return rec, err
}

// replay takes the payloads numbered from a number on into the derived records, as the writer did that stored
// them. Each of them did nothing but add events that were new, or there was a checkpoint.
func (s *Store) replay(ctx context.Context, from uint64) error {
	s.writer.next, s.writer.pending = from, pending{from: from}
	g := s.newGroup()
	defer func() { g.txn.Discard() }()
	err := s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
		defer it.Close()
		for it.Seek(appendPayloadKey(nil, from)); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := s.payload(txn, binary.BigEndian.Uint64(it.Item().Key()[1:]))
			if err == nil {
				p, err = s.counting(txn, p)
			}
			if err != nil {
				return fmt.Errorf("replaying: %w", err)
			}
			if err := g.replay(&p); err != nil {
				return err
			}
			if g.waiting()+levels*len(g.sums) < maxWaiting { // sums are of the lowest level still
				continue
			}
			if err := g.endReplay(); err != nil {
				return err
			}
			if err := s.syncFiles(); err != nil { // before the next, like each checkpoint that comes alone
				return err
			}
			g = s.newGroup()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.endReplay()
}

// endReplay makes what was replayed a checkpoint.
func (g *group) endReplay() error {
	g.alone = true
	if err := g.flushDerived(); err != nil {
		return err
	}
	if err := g.txn.Commit(); err != nil {
		return err
	}
	g.s.derived.take(g)
	return nil
}

// replay takes one payload into the derived records. What has a higher number than its first was not
// there when it came.
func (g *group) replay(p *stored) error {
	log, err := g.s.logs.makeLocked(g.txn, p.batch.Log())
	if err != nil {
		return err
	}
	limit := g.s.limitOf(p.batch.Author(), p.batch.Log())
	a := adding{group: g, log: log, limit: limit, batch: p.batch, res: &Appended{}, isNew: p.counts}
	if err := a.readAuthor(); err != nil {
		return err
	}
	g.before, g.s.writer.next = p.arrival, p.last()+1
	g.touch(log)
	log.rec.bytes += uint64(len(p.batch.Payload()))
	for i := range p.batch.Events {
		if !p.counts.has(i) {
			continue
		}
		if w, at := a.seqs(p.batch.Events[i].Seq); w.rec.seqs.has(at) {
			a.forked.set(i)
		}
		if err := a.derive(i); err != nil {
			return err
		}
	}
	return nil
}
