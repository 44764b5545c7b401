package eventlog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// An event is found by its id in one of three places. Most are in runs: sorted
// lists of many ids, for an entry of badger costs more than all the rest of an
// event. What came lately is in memory, and read from the payloads again when the store is
// opened. What is not as it came, or came without its content, has a record of its own
// under i, which goes before the others.

// shortID is what runs have of an id: half of it, encrypted under a key of the store. So nobody
// who makes events can tell where they lie: he would put many into one block, and make it
// larger than badger takes.
type shortID [16]byte

// idKey makes short ids. The key stands in each list of the runs.
type idKey struct {
	key   [16]byte
	block cipher.Block
}

func newIDKey() (key [16]byte) {
	_, _ = rand.Read(key[:]) // crypto/rand never fails
	return key
}

func (k *idKey) set(key [16]byte) error {
	block, err := aes.NewCipher(key[:])
	k.key, k.block = key, block
	return err
}

func (k *idKey) shorten(id *event.ID) shortID {
	short := shortID(id[:])
	k.block.Encrypt(short[:], short[:])
	return short
}

// spot is where an event is: its own arrival number, its place in the payload, the
// number of its log.
type spot struct {
	arrival uint64
	log     uint32
	place   uint8
}

func (p spot) rec() indexRec {
	return indexRec{arrival: p.arrival, place: int(p.place), log: p.log}
}

// idIndex has the events that are found in memory, and the runs. Runs are not changed, and
// neither is the list of them.
type idIndex struct {
	idKey // set when the store is opened

	mu     sync.RWMutex
	fresh  map[shortID]spot
	frozen map[shortID]spot // being written into a run
	runs   []*run
	splits map[uint64]splitRec // by the arrival of the payload
}

// find returns where an event is, unless it has a record under i. What it finds in memory or in
// a run may have been deleted since, or not be there yet in txn.
func (x *idIndex) find(db *badger.DB, txn *badger.Txn, id *event.ID) (rec indexRec, found bool, err error) {
	short := x.shorten(id)
	var some [16]*run
	p, ok, maybe, view := x.look(db, short, some[:0])
	if ok {
		found, err = x.there(txn, p)
		return p.rec(), found, err
	}
	if view == nil {
		return rec, false, nil
	}
	defer view.Discard()
	for _, r := range maybe {
		p, ok, err := r.find(view, short)
		if err != nil {
			return rec, false, err
		}
		if !ok {
			continue
		}
		if found, err = x.there(txn, p); found || err != nil {
			return p.rec(), found, err
		}
	}
	return rec, false, nil
}

// look looks in memory, and returns the runs that may have an id with a transaction that sees
// them: an older one does not see what was written into a run since.
func (x *idIndex) look(db *badger.DB, short shortID, maybe []*run) (p spot, ok bool, _ []*run, view *badger.Txn) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p, ok = x.inMemory(short); ok {
		return p, ok, nil, nil
	}
	for _, r := range x.runs {
		if r.filter.has(short) {
			maybe = append(maybe, r)
		}
	}
	if len(maybe) > 0 {
		view = db.NewTransaction(false)
	}
	return p, ok, maybe, view
}

// there reports whether the payload of an event is stored, and the event was not cut out of it.
func (x *idIndex) there(txn *badger.Txn, p spot) (bool, error) {
	payload := p.arrival - uint64(p.place)
	if split, ok := x.splitOf(payload); ok {
		rec, found, err := getRecord(txn, appendTimeKey(nil, split.log, split.first, payload), decodeTimeRec)
		return found && rec.counts.has(int(p.place)), err
	}
	var key [9]byte
	_, err := txn.Get(appendPayloadKey(key[:0], payload))
	if err == badger.ErrKeyNotFound {
		return false, nil
	}
	return err == nil, err
}

func (x *idIndex) splitOf(payload uint64) (rec splitRec, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	rec, ok = x.splits[payload]
	return rec, ok
}

// split notes that some events of a payload are cut, before that is committed: who reads an
// older state finds there that they count.
func (x *idIndex) split(payload uint64, rec splitRec) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.splits == nil {
		x.splits = make(map[uint64]splitRec)
	}
	x.splits[payload] = rec
}

// unsplit forgets a payload that is not stored any more.
func (x *idIndex) unsplit(payload uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.splits, payload)
}

// add takes in what is about to be committed.
func (x *idIndex) add(more map[shortID]spot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fresh == nil {
		x.fresh = make(map[shortID]spot)
	}
	for id, p := range more {
		x.fresh[id] = p
	}
}

// lately returns what memory has of an event.
func (x *idIndex) lately(short shortID) (spot, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.inMemory(short)
}

func (x *idIndex) inMemory(short shortID) (p spot, ok bool) {
	if p, ok = x.fresh[short]; !ok {
		p, ok = x.frozen[short]
	}
	return p, ok
}

// waiting is how many events are found in memory.
func (x *idIndex) waiting() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.fresh)
}

// freeze gives what is in memory, sorted, to be written into a run. It stays to be found.
func (x *idIndex) freeze() []runEntry {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.frozen == nil {
		x.frozen = x.fresh
	} else { // at the end, while a run is being written
		maps.Copy(x.frozen, x.fresh)
	}
	x.fresh = nil
	out := make([]runEntry, 0, len(x.frozen))
	for id, p := range x.frozen {
		out = append(out, runEntry{id, p})
	}
	slices.SortFunc(out, runEntry.compare)
	return out
}

// list puts runs in the place of others, and of what was frozen if it is in one of them.
func (x *idIndex) list(runs []*run, thawed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.runs = runs
	if thawed {
		x.frozen = nil
	}
}

// index returns where an event is, found false if it is not stored; of one that was erased and then
// cut it returns that.
func (s *Store) index(txn *badger.Txn, id *event.ID) (rec indexRec, found bool, err error) {
	if rec, found, err = ownRecord(txn, id); found || err != nil {
		return rec, found && !rec.cut, err
	}
	return s.ids.find(s.db, txn, id)
}

// ownRecord returns the record under i that an event has.
func ownRecord(txn *badger.Txn, id *event.ID) (rec indexRec, found bool, err error) {
	var key [33]byte
	return getRecord(txn, appendIndexKey(key[:0], id), decodeIndexRec)
}

// index is Store.index that sees what the group adds.
func (g *group) index(id *event.ID) (rec indexRec, found bool, err error) {
	if p, ok := g.ids[g.s.ids.shorten(id)]; ok {
		return p.rec(), true, nil
	}
	return g.s.index(g.txn, id)
}

// storedIn reports whether an event is stored in a log. A parent that lies in
// another log is as good as missing. Most parents came lately: they are in memory,
// and there they are if nothing of the log was deleted.
func (g *group) storedIn(id *event.ID, no uint32) (bool, error) {
	if p, ok := g.s.ids.lately(g.s.ids.shorten(id)); ok && p.log == no && !g.s.logs.byNo[no-1].rec.thinned() && g.there(p.arrival) {
		return true, nil
	}
	rec, found, err := g.index(id)
	return found && rec.log == no && g.there(rec.arrival), err
}

// there reports whether what has an arrival number was there before.
func (g *group) there(arrival uint64) bool { return g.before == 0 || arrival < g.before }

// replayIDs reads into memory what came after the newest run. Payloads that cannot be read are
// left to those who want them.
func (s *Store) replayIDs(txn *badger.Txn, from uint64) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
	defer it.Close()
	more := make(map[shortID]spot)
	for it.Seek(appendPayloadKey(nil, from)); it.Valid(); it.Next() {
		p, err := s.payloadOf(it.Item())
		if err == nil {
			p, err = s.counting(txn, p)
		}
		if err != nil {
			continue
		}
		no, _ := s.logs.number(p.batch.Log())
		if no == 0 {
			continue // the record was lost and is made anew
		}
		for i := range p.batch.Events {
			if e := &p.batch.Events[i]; p.counts.has(i) && e.Content != nil {
				more[s.ids.shorten(&e.ID)] = spot{p.arrival + uint64(i), no, uint8(i)}
			}
		}
	}
	s.ids.add(more)
}

// payloadOf decodes the payload that an iterator stands on.
func (s *Store) payloadOf(item *badger.Item) (stored, error) {
	arrival := binary.BigEndian.Uint64(item.Key()[1:])
	if p, ok := s.recent.get(arrival); ok {
		return p, nil
	}
	val, err := item.ValueCopy(nil)
	if err != nil {
		return stored{}, err
	}
	return s.decode(arrival, val)
}
