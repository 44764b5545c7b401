package eventlog

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// profile is how much memory and disk a store takes, in bytes unless said
// otherwise. docs/performance.md has what the numbers cost and gain.
type profile struct {
	memtable   int64 // one write buffer; badger may hold memtables of them, each 1.3 times this
	memtables  int
	vlogFile   int64 // one value-log file; badger maps twice this, sparsely
	blockCache int64
	indexCache int64
	mapped     int64  // bytes of payloads written and read after which pages of the value log are given back
	recent     int    // decoded batches kept for live readers
	runLen     int    // events whose places are kept in memory before they become a run
	filters    int    // bytes of filters of runs
	queue      int    // requests that may wait
	group      int    // payload bytes after which a commit takes no more requests
	openNew    uint64 // free disk that a new store needs
	openOld    uint64 // free disk that an existing one needs
	reserve    uint64 // free disk below which nothing is written

	// Bounds of what is held, and of what one author may make grow.
	logs       int // logs in all
	logsHeld   int // logs whose heads and missing parents are in memory
	endsHeld   int // heads and missing parents in memory
	looseEnds  int // heads, and missing parents, of a log beyond which no batch may add to them
	looseOfOne int // both together that one author may make
}

func profileFor(light bool) profile {
	p := profile{
		memtable:   8 << 20,
		memtables:  3,
		vlogFile:   32 << 20,
		blockCache: 8 << 20,
		indexCache: 16 << 20,
		mapped:     16 << 20,
		recent:     4 << 20,
		runLen:     runBlock << 10,
		filters:    4 << 20,
		queue:      256,
		group:      512 << 10,
		openNew:    48 << 20,
		openOld:    16 << 20,
		reserve:    32 << 20,

		logs:       1 << 16,
		logsHeld:   256,
		endsHeld:   1 << 18,
		looseEnds:  1 << 16,
		looseOfOne: 1 << 13,
	}
	if !light {
		return p
	}
	p.memtable, p.memtables, p.vlogFile = 4<<20, 2, 8<<20
	p.blockCache, p.indexCache, p.recent, p.queue = 2<<20, 4<<20, 1<<20, 64
	p.group, p.reserve, p.mapped = 128<<10, 24<<20, 4<<20
	p.logsHeld, p.runLen, p.filters = 64, runBlock<<8, 1<<20
	return p
}

// valueThreshold: larger values go to the value log. Batches do, single chat
// messages do not, so that a durable message syncs one file.
const valueThreshold = 1 << 10

// openBadger opens the files. badger panics on some damage, which guard makes
// an error; its goroutines stay behind then until the process ends.
func openBadger(dir string, key [32]byte, p profile, log *slog.Logger) (*badger.DB, error) {
	return openBadgerWith(dir, key, p, log, valueThreshold)
}

func openBadgerWith(dir string, key [32]byte, p profile, log *slog.Logger, threshold int64) (db *badger.DB, err error) {
	o := badgerOptions(dir, key, p, log, threshold)
	if err := checkTables(dir, o); err != nil {
		return nil, err
	}
	if db, err = badger.Open(o); err != nil {
		return nil, err // badger gives a half-made one beside the error, which it has stopped
	}
	return db, nil
}

func badgerOptions(dir string, key [32]byte, p profile, log *slog.Logger, threshold int64) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(badgerLog{log}).
		WithMetricsEnabled(false).
		WithDetectConflicts(false). // one writer
		WithCompression(options.None).
		WithEncryptionKey(key[:]).
		WithBlockCacheSize(p.blockCache).
		WithIndexCacheSize(p.indexCache).
		WithMemTableSize(p.memtable).
		WithNumMemtables(p.memtables).
		WithValueLogFileSize(p.vlogFile).
		WithValueThreshold(threshold).
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithNumCompactors(2)
}

// badgerLog hands badger's messages on. Its debug level prints keys and is
// left out; what it calls information is our debug level.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(f string, a ...any)   { l.log.Error(line(f, a), "part", "badger") }
func (l badgerLog) Warningf(f string, a ...any) { l.log.Warn(line(f, a), "part", "badger") }
func (l badgerLog) Infof(f string, a ...any)    { l.log.Debug(line(f, a), "part", "badger") }
func (l badgerLog) Debugf(string, ...any)       {}

func line(f string, a []any) string {
	return strings.Join(strings.Fields(fmt.Sprintf(f, a...)), " ")
}
