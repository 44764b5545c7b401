package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// badger writes through memory maps of sparse files: when the disk is full the
// process dies of SIGBUS. So free space is looked at before every write, with a
// reserve for what badger writes by itself (flushes and compactions).

func (s *Store) lockPath() string { return filepath.Join(s.dir, "store.lock") }

// spaceToOpen refuses to open on a disk that is nearly full. An existing store
// needs less: reading what one has must work when writing no longer does.
func (s *Store) spaceToOpen() error {
	need := s.profile.openOld
	if _, err := os.Stat(filepath.Join(s.dir, "MANIFEST")); errors.Is(err, fs.ErrNotExist) {
		need = s.profile.openNew
	}
	return s.space(need)
}

// spaceToWrite refuses a commit that could eat into the reserve.
func (s *Store) spaceToWrite(bytes int) error {
	return s.space(s.profile.reserve + uint64(bytes))
}

// spaceFor lets a change that frees space, which comes alone, use half of the reserve.
func (s *Store) spaceFor(reqs []*request, bytes int) error {
	if len(reqs) == 1 && reqs[0].apply != nil {
		return s.space(s.profile.reserve/2 + uint64(bytes))
	}
	return s.spaceToWrite(bytes)
}

// spaceToClose says whether badger can write its buffers out, as it does when it
// is closed. Somebody else has eaten the reserve if it cannot.
func (s *Store) spaceToClose() error {
	if err := s.space(uint64(2 * s.profile.memtable)); err != nil {
		return errors.Join(err, errStuck)
	}
	return nil
}

// plenty is so much free disk that nobody fills it within plentyTime: it is not looked at again before. To look
// costs as much as a fifth of storing a single event.
const (
	plenty     = 1 << 30
	plentyTime = 100 * time.Millisecond
)

// freeDisk remembers for a moment that there is plenty.
type freeDisk struct {
	mu    sync.Mutex
	bytes uint64
	at    time.Time
}

func (f *freeDisk) look(dir string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes >= plenty && time.Since(f.at) < plentyTime {
		return f.bytes, nil
	}
	var err error
	f.bytes, err = freeBytes(dir)
	f.at = time.Now()
	return f.bytes, err
}

func (s *Store) space(need uint64) error {
	free, err := s.free(s.dir)
	if err != nil {
		return ErrFailed.With(err)
	}
	if free < need {
		return ErrDiskFull.Withf("the disk is full: %d MB are free, %d MB are needed", free>>20, need>>20)
	}
	return nil
}
