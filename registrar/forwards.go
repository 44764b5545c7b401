package registrar

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/disk"
)

const (
	// cursorFile holds up to where messages are in the audit log, so that none is
	// left out after a kill.
	cursorFile = "audit.cursor"
	// forwardEvery is how long messages are gathered for records.
	forwardEvery = time.Second
	// maxTogether is how many a record names: 64 hex digits, a colon and at most 5
	// digits each fit into a detail.
	maxTogether = 14
)

// noteForwards has the audit log tell of each message of others that this node keeps
// and hands on, by id and size alone: a second's together, some in a record. When
// more comes than the log takes, it is behind and catches up; nothing waits for it.
//
// spec: 12-audit §2.2
func (r *Registrar) noteForwards() {
	cursor, err := r.readCursor()
	for {
		if err == nil {
			cursor, err = r.forwardOnce(cursor)
		}
		if r.ctx.Err() != nil || errors.Is(err, chat.ErrClosed) {
			return
		}
		if err != nil {
			r.log.Error("messages are not in the audit log yet", "err", err)
			err = nil
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(forwardEvery):
		}
	}
}

// forwardOnce waits for messages and records all that are there. It returns up to
// where they are recorded.
func (r *Registrar) forwardOnce(cursor uint64) (uint64, error) {
	for {
		list, next, err := r.chat.Relayed(r.ctx, cursor)
		if err != nil {
			return cursor, err
		}
		if err := r.recordForwards(list); err != nil {
			return cursor, err
		}
		if err := r.writeCursor(next); err != nil {
			return cursor, err
		}
		if cursor = next; r.chat.LastCursor() == next {
			return cursor, nil
		}
	}
}

// recordForwards writes messages down; they are on disk when it returns nil.
func (r *Registrar) recordForwards(list []chat.Relayed) error {
	for len(list) > 0 {
		n := min(maxTogether, len(list))
		rec := r.complete(caller{}, forwardOf(list[:n]))
		if list = list[n:]; len(list) > 0 {
			if err := r.audit.Write(r.ctx, rec); err != nil {
				return err
			}
			continue
		}
		if _, err := r.audit.Append(r.ctx, rec); err != nil { // and with it those before it
			return err
		}
	}
	return nil
}

// forwardOf is the record of some messages.
func forwardOf(list []chat.Relayed) audit.Record {
	rec := audit.Record{Op: audit.OpForward}
	if len(list) == 1 {
		rec.Subject, rec.Size = list[0].ID.String(), int64(list[0].Size)
		return rec
	}
	parts := make([]string, len(list))
	for i, m := range list {
		parts[i] = fmt.Sprintf("%s:%d", m.ID, m.Size)
		rec.Size += int64(m.Size)
	}
	rec.Detail = strings.Join(parts, " ")
	return rec
}

// readCursor returns where to go on; the first time, and when the store is another
// one, that is now.
func (r *Registrar) readCursor() (uint64, error) {
	last := r.chat.LastCursor()
	text, err := os.ReadFile(r.cursorPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return last, err
	}
	cursor, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err == nil && bad == nil && cursor <= last {
		return cursor, nil
	}
	if err == nil {
		r.log.Warn("it is not known which messages the audit log has: it goes on from here", "cursor", string(text[:min(len(text), 32)]))
	}
	return last, r.writeCursor(last)
}

func (r *Registrar) writeCursor(cursor uint64) error {
	return disk.Replace(r.cursorPath(), fmt.Appendln(nil, cursor))
}

func (r *Registrar) cursorPath() string { return filepath.Join(r.node.Dir(), cursorFile) }
