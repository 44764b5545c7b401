package eventlog

import (
	"encoding/binary"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// logState is one log. Everything is guarded by logs.mu; only the writer
// changes it, and it may run ahead of the disk by the commit under way.
type logState struct {
	no  uint32
	rec logRec

	stored  bool // it has a record on disk
	loaded  bool // heads and missing are complete
	heads   map[event.ID]*head
	missing map[event.ID]*missing
	loose   map[event.Author]int // how many of both an author made since they were loaded
}

type head struct {
	hlc    event.HLC
	stored bool         // the key is on disk
	by     event.Author // who made it; of those that were loaded zero
}

// missing is a parent that is not stored.
type missing struct {
	rec     missingRec
	stored  bool // a key is on disk
	changed bool // it is not what the disk has
	by      event.Author
}

// loosen counts a loose end that an author made, and tighten one that is gone.
func (s *logState) loosen(by event.Author) { s.loose[by]++ }

func (s *logState) tighten(by event.Author) {
	if s.loose[by]--; s.loose[by] <= 0 {
		delete(s.loose, by)
	}
}

// logs holds all logs by id and by number.
type logs struct {
	mu   sync.RWMutex
	byID map[event.LogID]*logState
	byNo []*logState // number n at n-1; nil = not used
	held []*logState // those that are loaded
}

// load reads the log records. Numbers are given from 1; one that a loss of
// power took away stays unused while there are higher ones.
func (l *logs) load(db *badger.DB) error {
	l.byID = make(map[event.LogID]*logState)
	l.byNo = nil
	return db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{spaceLog}, func(key, val []byte) error {
			rec, err := decodeLogRec(val)
			if err != nil || len(key) != 5 {
				return errValue
			}
			s := &logState{no: binary.BigEndian.Uint32(key[1:]), rec: rec, stored: true}
			if s.no <= uint32(len(l.byNo)) {
				return errValue
			}
			for uint32(len(l.byNo)) < s.no-1 {
				l.byNo = append(l.byNo, nil)
			}
			l.byNo = append(l.byNo, s)
			l.byID[rec.id] = s
			return nil
		})
	})
}

// len returns the highest number.
func (l *logs) len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.byNo)
}

// makeLocked returns the state of a log, loaded, making a new one if there is
// none. Only the writer calls it, with l.mu held for writing.
func (l *logs) makeLocked(txn *badger.Txn, id event.LogID) (*logState, error) {
	s := l.byID[id]
	if s == nil {
		s = &logState{no: uint32(len(l.byNo) + 1), rec: logRec{id: id}}
		l.byNo = append(l.byNo, s)
		l.byID[id] = s
	}
	return s, l.loadLocked(txn, s)
}

// peekLocked is makeLocked for readers: nil if there is no such log. When most
// logs are held already it does not hold one more.
func (l *logs) peekLocked(txn *badger.Txn, id event.LogID, most int) (*logState, error) {
	s := l.byID[id]
	if s == nil || s.loaded {
		return s, nil
	}
	if len(l.held) >= most {
		s = &logState{no: s.no, rec: s.rec}
		return s, s.load(txn)
	}
	return s, l.loadLocked(txn, s)
}

func (l *logs) loadLocked(txn *badger.Txn, s *logState) error {
	if s.loaded {
		return nil
	}
	if err := s.load(txn); err != nil {
		return err
	}
	l.held = append(l.held, s)
	return nil
}

// trimLocked forgets what is held of logs if those are more than most, or have
// more than ends heads and missing parents. Only the writer calls it, and only
// between commits, when everything is on disk.
func (l *logs) trimLocked(most, ends int) {
	if !l.heldTooMuch(most, ends) {
		return
	}
	for _, s := range l.held {
		s.loaded, s.heads, s.missing, s.loose = false, nil, nil, nil
	}
	l.held = nil
}

// heldTooMuch reports whether trimLocked would forget.
func (l *logs) heldTooMuch(most, ends int) bool {
	for _, s := range l.held {
		ends -= len(s.heads) + len(s.missing)
	}
	return len(l.held) > most || ends < 0
}

func (s *logState) load(txn *badger.Txn) error {
	s.heads = make(map[event.ID]*head)
	s.missing = make(map[event.ID]*missing)
	s.loose = make(map[event.Author]int)
	err := scan(txn, inLog(spaceHead, s.no), func(key, val []byte) error {
		h, err := parseHead(key, val)
		if err == nil {
			s.heads[event.ID(key[5:])] = &head{hlc: h, stored: true}
		}
		return err
	})
	if err != nil {
		return err
	}
	err = scan(txn, inLog(spaceMissing, s.no), func(key, val []byte) error {
		rec, err := decodeMissingRec(val)
		if err != nil || len(key) != idKeyLen {
			return errValue
		}
		s.missing[event.ID(key[5:])] = &missing{rec: rec, stored: true}
		return nil
	})
	s.loaded = err == nil
	return err
}

func (l *logs) totals() (events uint64, n int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.byID {
		events += s.rec.count
	}
	return events, len(l.byID)
}

// record returns the number of a log and its record; 0 if there is no such log.
func (l *logs) record(id event.LogID) (no uint32, rec logRec) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.byID[id]; s != nil {
		return s.no, s.rec
	}
	return 0, rec
}

// numbered returns the record of the log with a number, false if there is none.
func (l *logs) numbered(no uint32) (rec logRec, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.byNo[no-1]; s != nil {
		return s.rec, true
	}
	return rec, false
}

// floor returns the floor of a log.
func (l *logs) floor(no uint32) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.byNo[no-1].rec.floor
}

// number returns the number of a log and whether it has forks; 0 if there is
// no such log.
func (l *logs) number(id event.LogID) (no uint32, forks bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.byID[id]; s != nil {
		return s.no, s.rec.forks > 0
	}
	return 0, false
}
