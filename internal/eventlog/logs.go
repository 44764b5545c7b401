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

	loaded  bool // the three maps are complete, or, for authors, usable
	heads   map[event.ID]*head
	missing map[event.ID]bool // value: the key is on disk
	authors map[event.Author]*authorRec
}

type head struct {
	hlc    event.HLC
	stored bool // the key is on disk
}

// logs holds all logs by id and by number.
type logs struct {
	mu   sync.RWMutex
	byID map[event.LogID]*logState
	byNo []*logState // number n at n-1; nil = not used
	held int         // logs that are loaded
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
			s := &logState{no: binary.BigEndian.Uint32(key[1:]), rec: rec}
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

// stateLocked returns the state of a log, loaded, making a new one if create
// is set; nil if there is none. l.mu is held for writing.
func (l *logs) stateLocked(txn *badger.Txn, id event.LogID, create bool) (*logState, error) {
	s := l.byID[id]
	if s == nil {
		if !create {
			return nil, nil
		}
		s = &logState{no: uint32(len(l.byNo) + 1), rec: logRec{id: id}}
		l.byNo = append(l.byNo, s)
		l.byID[id] = s
	}
	if s.loaded {
		return s, nil
	}
	if err := s.load(txn); err != nil {
		return nil, err
	}
	l.held++
	return s, nil
}

// trimLocked forgets what is held of logs if there are more than most. Only the
// writer calls it, and only between commits, when everything is on disk.
func (l *logs) trimLocked(most int) {
	if l.held <= most {
		return
	}
	for _, s := range l.byID {
		s.loaded, s.heads, s.missing, s.authors = false, nil, nil, nil
	}
	l.held = 0
}

func (s *logState) load(txn *badger.Txn) error {
	s.heads = make(map[event.ID]*head)
	s.missing = make(map[event.ID]bool)
	s.authors = make(map[event.Author]*authorRec)
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
	err = scan(txn, inLog(spaceMissing, s.no), func(key, _ []byte) error {
		if len(key) != idKeyLen {
			return errValue
		}
		s.missing[event.ID(key[5:])] = true
		return nil
	})
	s.loaded = err == nil
	return err
}

// author returns an author's record, an empty one if nothing is stored of him.
func (s *logState) author(txn *badger.Txn, a event.Author) (*authorRec, error) {
	if r := s.authors[a]; r != nil {
		return r, nil
	}
	r := new(authorRec)
	var key [idKeyLen]byte
	val, err := get(txn, appendIDKey(key[:0], spaceAuthor, s.no, (*[32]byte)(&a)))
	if err != nil {
		return nil, err
	}
	if val != nil {
		if *r, err = decodeAuthorRec(val); err != nil {
			return nil, err
		}
	}
	s.authors[a] = r
	return r, nil
}

func (l *logs) all() []event.LogID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]event.LogID, 0, len(l.byNo))
	for _, s := range l.byNo {
		if s != nil {
			out = append(out, s.rec.id)
		}
	}
	return out
}

func (l *logs) count(id event.LogID) int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.byID[id]; s != nil {
		return int(s.rec.count)
	}
	return 0
}

func (l *logs) totals() (events uint64, n int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.byID {
		events += s.rec.count
	}
	return events, len(l.byID)
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
