package eventlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	badgerfb "github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/dgraph-io/ristretto/v2/z"
)

// rawStore is what can be read of a store's files without badger.
type rawStore struct {
	dir     string
	options badger.Options
	keys    *badger.KeyRegistry
	cache   *ristretto.Cache[uint64, *badgerfb.TableIndex]
	iters   []y.Iterator
	tables  []*table.Table
	damaged []string // files that cannot be read as a whole

	log     *rawLog // read last, nil: none
	logFile uint32
}

// openRaw opens the files. Without the key registry nothing can be read: that is
// an error, ErrWrongKey if the key is the reason.
func openRaw(dir string, o badger.Options) (*rawStore, error) {
	keys, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: o.EncryptionKey})
	if err != nil {
		return nil, err
	}
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *badgerfb.TableIndex]{NumCounters: 1 << 10, MaxCost: 16 << 20, BufferItems: 64})
	if err != nil {
		return nil, err
	}
	r := &rawStore{dir: dir, options: o, keys: keys, cache: cache}
	if err := r.openTables(); err != nil {
		r.close()
		return nil, err
	}
	if err := r.openMemtables(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rawStore) close() {
	for _, it := range r.iters {
		_ = it.Close()
	}
	for _, t := range r.tables {
		_ = t.Close(-1)
	}
	r.cache.Close()
}

func (r *rawStore) note(path string) { r.damaged = append(r.damaged, filepath.Base(path)) }

// openTables opens the tables of the list, or all there are if it cannot be read.
func (r *rawStore) openTables() error {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.sst"))
	if err != nil {
		return err
	}
	manifest, err := readManifest(r.dir, r.options)
	listed := err == nil
	if !listed {
		r.note(badger.ManifestFilename)
	}
	for id := range manifest.Tables {
		if path := table.NewFilename(id, r.dir); !slices.Contains(paths, path) {
			r.note(path)
		}
	}
	for _, path := range paths {
		id, ok := table.ParseFileID(filepath.Base(path))
		t, has := manifest.Tables[id]
		if !ok || listed && !has {
			continue
		}
		if err := guard(func() error { return r.openTable(path, t, listed) }); err != nil {
			r.note(path)
		}
	}
	return nil
}

// openTable opens a table with its data key, or, if that is not known, with any.
func (r *rawStore) openTable(path string, m badger.TableManifest, listed bool) error {
	if listed {
		return r.openTableWith(path, m.KeyID)
	}
	err := errRawEntry
	for id := uint64(1); err != nil; id++ {
		if dk, keyErr := r.keys.DataKey(id); keyErr != nil || dk == nil {
			return err
		}
		err = guard(func() error { return r.openTableWith(path, id) })
	}
	return nil
}

func (r *rawStore) openTableWith(path string, keyID uint64) error {
	dk, err := r.keys.DataKey(keyID)
	if err != nil {
		return err
	}
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	t, err := table.OpenTable(f, table.Options{
		BlockSize: r.options.BlockSize, ChkMode: options.OnBlockRead, Compression: options.None, DataKey: dk, IndexCache: r.cache,
	})
	if err != nil {
		return err
	}
	if err := guard(t.VerifyChecksum); err != nil {
		r.note(path)
		r.iters = append(r.iters, newRawEntries(tableEntries(t)))
		return t.Close(-1)
	}
	r.tables = append(r.tables, t)
	r.iters = append(r.iters, t.NewIterator(0))
	return nil
}

// tableEntries returns what can be read of a damaged table, block by block.
func tableEntries(t *table.Table) (out []rawEntry) {
	starts := t.KeySplits(1<<30, nil)
	for i, start := range starts {
		_ = guard(func() error {
			it := t.NewIterator(table.NOCACHE)
			defer it.Close()
			for it.Seek([]byte(start)); it.Valid(); it.Next() {
				if i+1 < len(starts) && y.CompareKeys(it.Key(), []byte(starts[i+1])) >= 0 {
					return nil
				}
				v := it.Value()
				out = append(out, rawEntry{meta: v.Meta, key: bytes.Clone(it.Key()), val: bytes.Clone(v.Value)})
			}
			return nil
		})
	}
	return out
}

// openMemtables reads the logs of memtables. The end of one is cut off after a
// kill as a matter of course, so a damaged one cannot be told from that.
func (r *rawStore) openMemtables() error {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		l, err := openRawLog(path, r.keys)
		if err != nil {
			r.note(path)
			continue
		}
		var entries []rawEntry
		whole, _ := l.each(func(e rawEntry) error {
			entries = append(entries, e)
			return nil
		})
		if !whole {
			r.note(path)
		}
		r.iters = append(r.iters, newRawEntries(entries))
	}
	return nil
}

// each calls fn with the newest version of every key of a prefix that is not
// deleted, ascending, and its value, which is nil if it cannot be read.
func (r *rawStore) each(prefix []byte, fn func(key, val []byte) error) error {
	if len(r.iters) == 0 {
		return nil
	}
	return guard(func() error {
		it := table.NewMergeIterator(r.iters, false)
		var last []byte
		for it.Seek(y.KeyWithTs(prefix, ^uint64(0))); it.Valid(); it.Next() {
			key := y.ParseKey(it.Key())
			if !bytes.HasPrefix(key, prefix) {
				return nil
			}
			if bytes.Equal(key, last) {
				continue
			}
			last = bytes.Clone(key)
			v := it.Value()
			if v.Meta&rawDeleted != 0 {
				continue
			}
			val := v.Value
			if v.Meta&rawPointer != 0 {
				val, _ = r.pointed(v.Value, it.Key())
			} else if val == nil {
				val = []byte{}
			}
			if err := fn(last, val); err != nil {
				return err
			}
		}
		return nil
	})
}

// pointed returns a value of the value log; nil and an error if it is not there.
func (r *rawStore) pointed(pointer, key []byte) ([]byte, error) {
	p, err := decodeRawPlace(pointer)
	if err != nil {
		return nil, err
	}
	if r.log == nil || r.logFile != p.file {
		l, err := openRawLog(filepath.Join(r.dir, fmt.Sprintf("%06d.vlog", p.file)), r.keys)
		if err != nil {
			return nil, err
		}
		r.log, r.logFile = l, p.file
	}
	e, err := r.log.at(int(p.offset))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(e.key, key) {
		return nil, errRawEntry
	}
	return e.val, nil
}

// eachLogged calls fn with every value of a prefix in the value log, also of old
// versions.
func (r *rawStore) eachLogged(prefix []byte, fn func(val []byte) error) error {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.vlog"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		l, err := openRawLog(path, r.keys)
		if err != nil {
			continue
		}
		_, err = l.each(func(e rawEntry) error {
			if !bytes.HasPrefix(e.key, prefix) || e.meta&rawDeleted != 0 {
				return nil
			}
			return fn(e.val)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rawEntries is a sorted list of entries as badger's iterators are.
type rawEntries struct {
	list []rawEntry
	at   int
}

func newRawEntries(list []rawEntry) *rawEntries {
	slices.SortStableFunc(list, func(a, b rawEntry) int { return y.CompareKeys(a.key, b.key) })
	return &rawEntries{list: list}
}

func (r *rawEntries) Next()        { r.at++ }
func (r *rawEntries) Rewind()      { r.at = 0 }
func (r *rawEntries) Valid() bool  { return r.at < len(r.list) }
func (r *rawEntries) Key() []byte  { return r.list[r.at].key }
func (r *rawEntries) Close() error { return nil }
func (r *rawEntries) Seek(k []byte) {
	r.at, _ = slices.BinarySearchFunc(r.list, k, func(e rawEntry, k []byte) int { return y.CompareKeys(e.key, k) })
}

func (r *rawEntries) Value() y.ValueStruct {
	e := r.list[r.at]
	return y.ValueStruct{Meta: e.meta, Value: e.val, Version: y.ParseTs(e.key)}
}
