package dht

import (
	"fmt"
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
// error and not the end of the process. What cannot be opened is begun anew:
// others tell it again.
func openStore(dir string, log *slog.Logger) (datastore.Batching, error) {
	if dir == "" {
		return dssync.MutexWrap(datastore.NewMapDatastore()), nil
	}
	path := filepath.Join(dir, "records")
	opts := &leveldb.Options{WriteBuffer: 1 << 20, BlockCacheCapacity: 1 << 20, OpenFilesCacheCapacity: 32, Compression: opt.NoCompression}
	store, err := leveldb.NewDatastore(path, opts)
	if err == nil {
		return store, nil
	}
	log.Warn("records of the table are begun anew", "dir", path, "err", err)
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("dht records: %w", err)
	}
	if store, err = leveldb.NewDatastore(path, opts); err != nil {
		return nil, fmt.Errorf("dht records: %w", err)
	}
	return store, nil
}
