package dht

import (
	"context"
	"encoding/base32"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	leveldb "github.com/ipfs/go-ds-leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// openStore opens what keeps others' records over a restart: LevelDB, which
// unlike the events' store maps no file it writes, so that a full disk is an
// error and not the end of the process. It is a cache: others tell again what
// is not there. What cannot be opened is begun anew, and where that cannot be
// done either records are kept in memory, until the next start.
func openStore(dir string, log *slog.Logger) *bounded {
	if dir == "" {
		return newBounded(inMemory())
	}
	path := filepath.Join(dir, "records")
	store, err := openBounded(path)
	if err == nil {
		return store
	}
	log.Warn("records of the table are begun anew", "dir", path, "err", err)
	if err = os.RemoveAll(path); err == nil {
		if store, err = openBounded(path); err == nil {
			return store
		}
	}
	log.Warn("records of the table are kept in memory alone", "dir", path, "err", err)
	return newBounded(inMemory())
}

func inMemory() datastore.Batching { return dssync.MutexWrap(datastore.NewMapDatastore()) }

// openBounded opens a directory and reads all of it once, so that damage shows
// now and not in the middle of something.
func openBounded(path string) (*bounded, error) {
	opts := &leveldb.Options{
		WriteBuffer: 1 << 20, BlockCacheCapacity: 1 << 20, OpenFilesCacheCapacity: 32,
		Compression: opt.NoCompression, Strict: opt.StrictReader | opt.StrictBlockChecksum,
	}
	store, err := leveldb.NewDatastore(path, opts)
	if err != nil {
		return nil, err
	}
	b := newBounded(store)
	if err := b.count(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return b, nil
}

// holds reports whether the record of a key is stored. Kademlia's values lie
// under their namespace and the key in base32.
func (t *Table) holds(ctx context.Context, key string) bool {
	has, err := t.store.Has(ctx, datastore.NewKey("/"+namespace+"/"+base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(key))))
	return has && err == nil
}
