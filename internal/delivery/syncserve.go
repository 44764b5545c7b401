package delivery

import (
	"errors"
	"io"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// What comparing costs, in bytes of what is served.
const (
	rangeCost = 1024 // 10 to 50 µs
	readCost  = 128  // 2 to 5 µs
)

var errLong = errors.New("session of too many messages")

// serveSync answers a session until the asker ends his side. touched is called
// before each message is waited for. It returns the result for counting.
func (v *server) serveSync(o *opening, touched func()) (result string, err error) {
	var r syncRequest
	result, err = v.open(o, maxSyncRequest, func(b []byte) (log event.LogID, err error) {
		r, err = decodeSyncRequest(b)
		return r.log, err
	})
	if result != "" {
		return result, err
	}
	set, lowest, a, err := v.describe(&r)
	if err != nil {
		return "failed", errors.Join(err, writeStatus(o.stream, statusFailed))
	}
	if err := wire.WriteFrame(o.stream, append([]byte{byte(statusOK)}, a.encode()...)); err != nil {
		return "cut", err
	}
	return v.reconcile(o, set, lowest, touched)
}

// describe says what this node has of a log, and from where on it is compared.
func (v *server) describe(r *syncRequest) (set reconcile.Set, lowest reconcile.Bound, a syncAnswer, err error) {
	store := v.s.cfg.Store
	a.floor, set = store.Floor(r.log), store.Range(r.log)
	lowest = reconcile.At(max(a.floor, r.floor))
	sum, err := set.Sum(lowest, reconcile.At(reconcile.Infinity))
	if err != nil {
		return nil, lowest, a, err
	}
	complete, err := store.Complete(r.log)
	if err != nil {
		return nil, lowest, a, err
	}
	heads, err := store.Heads(r.log)
	a.heads, a.complete, a.count = heads[:min(len(heads), maxToldHeads)], complete, sum.Count
	return set, lowest, a, err
}

func (v *server) reconcile(o *opening, set reconcile.Set, lowest reconcile.Bound, touched func()) (string, error) {
	for n := 0; ; n++ {
		touched()
		msg, err := wire.ReadFrame(o.in, maxAskedSize)
		if errors.Is(err, io.EOF) {
			return "ok", nil
		}
		if err != nil {
			return "cut", err
		}
		if n == maxRounds {
			return "long", errLong
		}
		if !v.s.budgets.served.Solvent(o.p) {
			return "busy", writeStatus(o.stream, statusBusy)
		}
		reply, work, err := reconcile.Answer(set, lowest, msg, maxAnswerSize)
		v.s.budgets.served.Charge(o.p, len(msg)+len(reply)+work.Ranges*rangeCost+work.Read*readCost)
		if errors.Is(err, reconcile.ErrForm) {
			return "malformed", err
		}
		if err != nil {
			return "failed", errors.Join(err, writeStatus(o.stream, statusFailed))
		}
		if err := wire.WriteFrame(o.stream, reply); err != nil {
			return "cut", err
		}
	}
}

func writeStatus(stream io.Writer, s status) error { return wire.WriteFrame(stream, []byte{byte(s)}) }

// idle is how long the asker may take from one message to the next, fetching
// meanwhile what the last one told.
const idle = 30 * time.Second

// servedTime is for all of a session: twice what this implementation asks for.
const servedTime = 2 * time.Minute
