package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// BenchmarkLayout is the trial behind docs/decisions/2026-11-23-store-schema.md: what
// a batch of 256 events of 256 bytes costs in layouts that differ in the number
// of badger entries an event. One operation is one event.
func BenchmarkLayout(b *testing.B) {
	layouts := []struct {
		name      string
		threshold int64
		put       func(l *layout)
	}{
		{"3keys-LSM", 1 << 20 / 2, (*layout).three},
		{"3keys-threshold64", 64, (*layout).three},
		{"2keys", valueThreshold, (*layout).two},
		{"1key", valueThreshold, (*layout).one},
		{"1key-16byte-id", valueThreshold, (*layout).short},
		{"1key-payload-in-LSM", 1 << 20 / 2, (*layout).one},
		{"ids-in-payload-only", valueThreshold, (*layout).none},
	}
	for _, l := range layouts {
		b.Run(l.name, func(b *testing.B) {
			p := profileFor(false)
			db, err := openBadgerWith(b.TempDir(), testKey, p, slog.New(slog.DiscardHandler), l.threshold)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			t := &layout{b: b, db: db, payload: make([]byte, 256*event.MaxBatchEvents)}
			_, _ = rand.Read(t.payload)
			b.ResetTimer()
			for n := 0; n < b.N; n += event.MaxBatchEvents {
				t.batch(l.put)
			}
			if err := db.Sync(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// layout writes batches in one of the layouts.
type layout struct {
	b       *testing.B
	db      *badger.DB
	txn     *badger.Txn
	arrival uint64
	payload []byte
	ids     [event.MaxBatchEvents][32]byte
}

func (l *layout) batch(put func(l *layout)) {
	for i := range l.ids {
		_, _ = rand.Read(l.ids[i][:])
	}
	l.txn = l.db.NewTransaction(true)
	put(l)
	if err := l.txn.Commit(); err != nil {
		l.b.Fatal(err)
	}
}

func (l *layout) set(key, val []byte) {
	if err := l.txn.Set(key, val); err != nil {
		l.b.Fatal(err)
	}
}

func (l *layout) num() []byte {
	l.arrival++
	return binary.BigEndian.AppendUint64(nil, l.arrival)
}

func (l *layout) key(space byte, parts ...[]byte) []byte {
	k := append(make([]byte, 0, 64), space, 0, 0, 0, 1)
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

// three: the event under its id, its arrival number, its time.
func (l *layout) three() {
	for i := range l.ids {
		n := l.num()
		l.set(l.key('e', l.ids[i][:]), l.payload[i*256:(i+1)*256])
		l.set(l.key('n', n), l.ids[i][:])
		l.set(l.key('t', n, l.ids[i][:]), nil)
	}
}

// two: the payload once, id and time of each event.
func (l *layout) two() {
	l.set(l.key('b', l.num()), l.payload)
	for i := range l.ids {
		n := l.num()
		l.set(l.key('i', l.ids[i][:]), n)
		l.set(l.key('t', n, l.ids[i][:]), nil)
	}
}

// one: the payload and its time once, the id of each event.
func (l *layout) one() {
	n := l.num()
	l.set(l.key('b', n), l.payload)
	l.set(l.key('t', n), nil)
	for i := range l.ids {
		l.set(l.key('i', l.ids[i][:]), n)
	}
}

// short is one with half of the id.
func (l *layout) short() {
	n := l.num()
	l.set(l.key('b', n), l.payload)
	l.set(l.key('t', n), nil)
	for i := range l.ids {
		l.set(l.key('i', l.ids[i][:16]), n)
	}
}

// none has no index: the floor.
func (l *layout) none() {
	n := l.num()
	l.set(l.key('b', n), l.payload)
	l.set(l.key('t', n), nil)
}
