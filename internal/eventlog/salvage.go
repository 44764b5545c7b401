package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/parley-chat/parley/internal/event"
)

// Salvaged is what Salvage could read.
type Salvaged struct {
	Events   int      // kept
	Payloads int      // that they were in
	Lost     int      // events that were there and cannot be read, as far as is known
	Refused  int      // payloads that were read and do not decode or verify
	Damaged  []string // names of files that cannot be read as a whole
	Aside    string   // where the damaged store lies now
}

// Salvage makes a new store in o.Dir of all that can be read of the one that is
// there, which it moves aside whole and unchanged, to Dir with ".damaged-1", or the
// first number that is free, behind its name. It asks for as much free disk as the
// store takes. report, which may be nil, is told now and then how far it is. While it
// reads nothing is changed; when it is interrupted later, the next Open goes on.
//
// Kept are payloads that decode and whose signature holds, floors, cuts, what was erased,
// values of the application, and the ends of all authors' chains, so that nobody
// goes back behind what he wrote. If the newest such end is itself in a file that
// cannot be read, a node that goes on from an earlier one forks its own chain: let
// it get in sync before it sends. Arrival numbers are given anew, above all
// earlier ones: who reads from a cursor sees everything once more and misses nothing.
//
// Errors: ErrWrongKey, ErrSchema, ErrLocked, ErrDiskFull; ErrCorrupt if nothing
// at all can be read, as without the key registry. The store is as it was then.
func Salvage(ctx context.Context, o Options, report func(Salvaged)) (Salvaged, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if report == nil {
		report = func(Salvaged) {}
	}
	v := &salvaging{from: o.Dir, report: report}
	if _, err := os.Stat(o.Dir); err != nil {
		return v.Salvaged, openFault(err)
	}
	lock, err := lockFile((&Store{dir: o.Dir}).lockPath())
	if err != nil {
		return v.Salvaged, openFault(err)
	}
	err = v.rebuild(ctx, o)
	lock.Close() // a directory with an open file cannot be renamed everywhere
	if err == nil {
		v.Aside, err = swap(o.Dir)
	}
	if err != nil {
		return v.Salvaged, openFault(err)
	}
	return v.Salvaged, nil
}

// Beside a store's directory: what Salvage is making, and what it has made.
const (
	suffixMaking = ".salvaging"
	suffixMade   = ".salvaged"
)

// swap moves the damaged store aside and the new one in its place. Between the two
// there is none; finishSwap does the rest when a store is opened.
func swap(dir string) (aside string, err error) {
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.damaged-%d", dir, n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(dir, aside); err != nil {
		return "", err
	}
	return aside, finishSwap(dir)
}

// finishSwap puts a store that was salvaged in its place if there is none.
func finishSwap(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := os.Rename(dir+suffixMade, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// salvaging reads one store and writes another.
type salvaging struct {
	Salvaged
	from   string
	raw    *rawStore
	to     *Store
	report func(Salvaged)

	logs    map[uint32]event.LogID
	floors  map[uint32]uint64
	known   int            // events that there were
	waiting []*event.Batch // read, not appended yet
	bytes   int
}

// rebuild makes the new store beside the old one.
func (v *salvaging) rebuild(ctx context.Context, o Options) (err error) {
	if v.raw, err = openRaw(v.from, badgerOptions(v.from, o.Key, profileFor(o.Light), o.Logger, valueThreshold)); err != nil {
		return err
	}
	defer v.raw.close()
	v.Damaged = v.raw.damaged
	if err := v.readLogs(); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(v.from+suffixMaking), os.RemoveAll(v.from+suffixMade)); err != nil {
		return err
	}
	to := o
	to.Dir, to.Registerer = v.from+suffixMaking, nil
	if v.to, err = Open(ctx, to); err != nil {
		return err
	}
	err = v.write(ctx)
	if err == nil {
		err = v.to.Check(ctx)
	}
	if err := errors.Join(err, v.to.Close()); err != nil {
		return err
	}
	return os.Rename(v.from+suffixMaking, v.from+suffixMade)
}

// readLogs reads the schema and what is known of the logs.
func (v *salvaging) readLogs() error {
	err := v.raw.each(keySchema, func(_, val []byte) error {
		if len(val) == 1 && val[0] > SchemaVersion {
			return ErrSchema.Withf("the store has schema %d, this Parley knows %d", val[0], SchemaVersion)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.logs, v.floors = make(map[uint32]event.LogID), make(map[uint32]uint64)
	err = v.raw.each([]byte{spaceLog}, func(key, val []byte) error {
		if rec, err := decodeLogRec(val); err == nil && len(key) == 5 {
			v.logs[numberIn(key)], v.floors[numberIn(key)] = rec.id, rec.floor
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.raw.each([]byte{spaceTime}, func(_, val []byte) error {
		if rec, err := decodeTimeRec(val); err == nil {
			v.known += rec.counts.count()
		}
		return nil
	})
}

// write fills the new store.
func (v *salvaging) write(ctx context.Context) error {
	steps := []func(context.Context) error{v.goOnNumbering, v.restoreCuts, v.copyPayloads, v.eraseGone, v.copyLogged, v.copyMetas, v.raiseFloors, v.restoreAuthors}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	v.Lost = max(v.known-v.Events, 0)
	v.report(v.Salvaged)
	return nil
}

// copyPayloads takes over the payloads that the tables have, in the order in
// which they came.
func (v *salvaging) copyPayloads(ctx context.Context) error {
	err := v.raw.each([]byte{spacePayload}, func(_, val []byte) error {
		if val == nil {
			v.Refused++
			return nil
		}
		return v.add(ctx, val)
	})
	return errors.Join(err, v.flush(ctx))
}

// copyLogged takes over what else the value log has, if some of the tables that
// would tell what of it is of use cannot be read. Deleted payloads may come back.
func (v *salvaging) copyLogged(ctx context.Context) error {
	if len(v.Damaged) == 0 {
		return nil
	}
	err := v.raw.eachLogged([]byte{spacePayload}, func(val []byte) error { return v.add(ctx, val) })
	return errors.Join(err, v.flush(ctx))
}

// add checks a payload and queues it to be appended.
func (v *salvaging) add(ctx context.Context, payload []byte) error {
	b, err := event.Decode(bytes.Clone(payload))
	if err == nil {
		err = b.Verify()
	}
	if err != nil {
		v.Refused++
		return nil
	}
	v.waiting = append(v.waiting, b)
	if v.bytes += len(payload); v.bytes < v.to.profile.group && len(v.waiting) < 256 {
		return nil
	}
	return v.flush(ctx)
}

func (v *salvaging) flush(ctx context.Context) error {
	res, errs := v.to.AppendAll(ctx, v.waiting, false)
	for i := range errs {
		switch {
		case errors.Is(errs[i], ErrScattered):
			v.Refused++
		case errs[i] != nil:
			return errs[i]
		}
		n := 0
		for _, isNew := range res[i].New {
			if isNew {
				n++
			}
		}
		if n > 0 {
			v.Events += n
			v.Payloads++
		}
	}
	v.waiting, v.bytes = v.waiting[:0], 0
	v.report(v.Salvaged)
	return nil
}

// eraseGone erases what was erased.
func (v *salvaging) eraseGone(ctx context.Context) error {
	var gone []event.ID
	flush := func() error {
		_, err := v.to.Erase(ctx, gone...)
		gone = gone[:0]
		return err
	}
	err := v.raw.each([]byte{spaceIndex}, func(key, val []byte) error {
		if rec, err := decodeIndexRec(val); err != nil || !rec.gone || len(key) != 33 {
			return nil
		}
		if gone = append(gone, event.ID(key[1:])); len(gone) < 1024 {
			return nil
		}
		return flush()
	})
	return errors.Join(err, flush())
}

func (v *salvaging) copyMetas(ctx context.Context) error {
	return v.raw.each([]byte{spaceApp}, func(key, val []byte) error {
		if val == nil {
			return nil
		}
		return v.to.SetMetas(ctx, Mark{string(key[1:]), bytes.Clone(val)})
	})
}

func (v *salvaging) raiseFloors(ctx context.Context) error {
	for no, floor := range v.floors {
		if floor == 0 {
			continue
		}
		if err := v.to.change(ctx, 1, true, func(g *group) error { return g.raiseFloor(v.logs[no], floor) }); err != nil {
			return err
		}
	}
	return nil
}
