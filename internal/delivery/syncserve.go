package delivery

import (
	"bufio"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// What comparing costs, in bytes of what is served.
const (
	rangeCost = 1024 // 10 to 50 µs
	readCost  = 128  // 2 to 5 µs
)

// serveSync answers a session of p's until p ends its side. touched is called
// before each message is waited for. It returns the result for counting.
func (v *server) serveSync(stream io.ReadWriter, p peer.ID, pair event.LogID, busy bool, touched func()) (string, error) {
	if busy {
		return "busy", writeStatus(stream, statusBusy)
	}
	in := bufio.NewReaderSize(stream, 4096)
	data, err := wire.ReadFrame(in, maxSyncRequest)
	if err != nil {
		return "unread", err
	}
	r, err := decodeSyncRequest(data)
	if err != nil {
		return "malformed", err
	}
	if !v.s.budgets.requests.Take(p, 1) || !v.s.budgets.served.Solvent(p) {
		return "busy", writeStatus(stream, statusBusy)
	}
	if !v.serves(r.log, pair) {
		return "no-log", writeStatus(stream, statusNoLog)
	}
	set, lowest, a, err := v.describe(&r)
	if err != nil {
		return "failed", errors.Join(err, writeStatus(stream, statusFailed))
	}
	if err := wire.WriteFrame(stream, append([]byte{byte(statusOK)}, a.encode()...)); err != nil {
		return "cut", err
	}
	return v.reconcile(stream, in, p, set, lowest, touched)
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

func (v *server) reconcile(
	stream io.Writer, in *bufio.Reader, p peer.ID, set reconcile.Set, lowest reconcile.Bound, touched func(),
) (string, error) {
	for range maxRounds {
		touched()
		msg, err := wire.ReadFrame(in, maxAskedSize)
		if errors.Is(err, io.EOF) {
			return "ok", nil
		}
		if err != nil {
			return "cut", err
		}
		if !v.s.budgets.served.Solvent(p) {
			return "busy", writeStatus(stream, statusBusy)
		}
		reply, work, err := reconcile.Answer(set, lowest, msg, maxAnswerSize)
		v.s.budgets.served.Charge(p, len(msg)+len(reply)+work.Ranges*rangeCost+work.Read*readCost)
		if errors.Is(err, reconcile.ErrForm) {
			return "malformed", err
		}
		if err != nil {
			return "failed", errors.Join(err, writeStatus(stream, statusFailed))
		}
		if err := wire.WriteFrame(stream, reply); err != nil {
			return "cut", err
		}
	}
	return "long", nil
}

func writeStatus(stream io.Writer, s status) error { return wire.WriteFrame(stream, []byte{byte(s)}) }

// idle is how long the asker may take from one message to the next, fetching
// meanwhile what the last one told.
const idle = 30 * time.Second
