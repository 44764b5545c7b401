package eventlog

import (
	"path/filepath"
	"sync/atomic"
)

// badger maps each value-log file whole and keeps it mapped: what was ever written to one or read
// from one counts as memory of the process until the system takes it back. So the writer
// gives these pages back itself, once for some bytes. They stay in the system's cache, and are
// mapped again when somebody reads them; what is not synced yet is synced all the same.

// pages is what is known of them.
type pages struct {
	dir     string        // as the system names it
	touched atomic.Int64  // bytes of payloads written or read since they were given back
	due     chan struct{} // wakes the writer, of one
}

func realPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// leave ends what enter began when much may have been read.
func (s *Store) leave() {
	s.reading.RUnlock()
	if s.pages.touched.Load() < s.profile.mapped {
		return
	}
	select {
	case s.pages.due <- struct{}{}:
	default:
	}
}

// shed gives the pages back if that is due; the writer runs it between commits. badger must not take
// a mapping away meanwhile: it does so when a file is full, while something is committed, and when one was
// collected, for Reclaim or for who reads last. While anybody reads it is put off.
func (s *Store) shed() {
	if s.pages.touched.Load() < s.profile.mapped || !s.reading.TryLock() {
		return
	}
	defer s.reading.Unlock()
	s.pages.touched.Store(0)
	if err := dropPages(s.pages.dir, ".vlog"); err != nil {
		s.log.Debug("store: pages are not given back", "err", err)
	}
}
