package eventlog

import (
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// get returns a copy of a value, nil if the key is not there.
func get(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	val, err := item.ValueCopy(nil)
	if val == nil && err == nil {
		val = []byte{} // there, and empty
	}
	return val, err
}

// scan calls fn with every key of a prefix, ascending, and its value. Both are
// only good during the call.
func scan(txn *badger.Txn, prefix []byte, fn func(key, val []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if err := item.Value(func(val []byte) error { return fn(item.Key(), val) }); err != nil {
			return err
		}
	}
	return nil
}

func parseHead(key, val []byte) (event.HLC, error) {
	if len(key) != idKeyLen || len(val) != 8 {
		return 0, errValue
	}
	return event.HLC(binary.BigEndian.Uint64(val)), nil
}

// getRecord returns a decoded value, found false if the key is not there.
func getRecord[T any](txn *badger.Txn, key []byte, decode func([]byte) (T, error)) (rec T, found bool, err error) {
	val, err := get(txn, key)
	if err != nil || val == nil {
		return rec, false, err
	}
	rec, err = decode(val)
	return rec, err == nil, err
}
