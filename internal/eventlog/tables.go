package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	badgerfb "github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/dgraph-io/ristretto/v2/z"
)

// checkTables opens every table of an existing store once, as badger will.
// badger does that in goroutines of its own, where a damaged table would end
// the process; here it becomes an error.
func checkTables(dir string, o badger.Options) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("badger: %v", r)
		}
	}()
	manifest, err := readManifest(dir, o)
	if err != nil || len(manifest.Tables) == 0 {
		return err
	}
	keys, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: o.EncryptionKey})
	if err != nil {
		return err
	}
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *badgerfb.TableIndex]{NumCounters: 64, MaxCost: 1 << 20, BufferItems: 64})
	if err != nil {
		return err
	}
	defer cache.Close()
	for id, t := range manifest.Tables {
		key, err := keys.DataKey(t.KeyID)
		if err != nil {
			return err
		}
		if err := checkTable(table.NewFilename(id, dir), table.Options{
			BlockSize: o.BlockSize, ChkMode: options.OnBlockRead, Compression: t.Compression, DataKey: key, IndexCache: cache,
		}); err != nil {
			return fmt.Errorf("%06d.sst: %w", id, err)
		}
	}
	return nil
}

// readManifest returns the list of tables; none if the store is new. badger
// deletes what is not in the list, so a list that was cut or taken away must
// not get that far. A cut end is nothing special if the store was killed, as
// the log of a memtable tells; badger takes it off then.
func readManifest(dir string, o badger.Options) (badger.Manifest, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, badger.KeyRegistryFileName)); err == nil {
			return badger.Manifest{}, errors.New("the list of tables, MANIFEST, is gone")
		}
		return badger.Manifest{}, nil
	}
	if err != nil {
		return badger.Manifest{}, err
	}
	defer f.Close()
	m, end, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err != nil {
		return m, err
	}
	st, err := f.Stat()
	if err != nil {
		return m, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err == nil && end < st.Size() && len(logs) == 0 {
		err = errors.New("the list of tables, MANIFEST, is cut off")
	}
	return m, err
}

func checkTable(path string, o table.Options) error {
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	t, err := table.OpenTable(f, o)
	if err != nil {
		return err
	}
	return t.Close(-1)
}
