package delivery

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of the sync protocol. spec: 06-sync §2
const (
	maxSyncRequest = 64
	maxSyncAnswer  = 512
	maxToldHeads   = 8
	maxAskedSize   = 32 << 10         // bytes of a message of the asker's
	maxAnswerSize  = 128 << 10        // of one of the server's
	maxRounds      = 512              // messages of one session
	syncTime       = 15 * time.Second // for a message and its reply
	sessionTime    = time.Minute      // for a session, the fetching in it too
)

// syncRequest opens a session about a log, of which the asker keeps what is of
// the second floor or later.
//
//	SyncRequest { bytes log = 1; uint64 floor = 2 }
type syncRequest struct {
	log   event.LogID
	floor uint64
}

// syncAnswer follows the status of the server's first frame: what the server
// keeps, its heads, whether it misses none of their ancestors, and how many
// events it has.
//
//	SyncAnswer { uint64 floor = 1; bytes heads = 2 (n × 32, n ≤ 8); uint64 complete = 3; uint64 count = 4 }
//
// Fields of both come in this order, none twice and none unknown; what is 0 or
// empty is left out.
type syncAnswer struct {
	floor    uint64
	heads    []event.ID
	complete bool
	count    uint64
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func (r *syncRequest) encode() []byte {
	b := protowire.AppendTag(make([]byte, 0, maxSyncRequest), 1, protowire.BytesType)
	return appendUint(protowire.AppendBytes(b, r.log[:]), 2, r.floor)
}

func decodeSyncRequest(b []byte) (r syncRequest, err error) {
	err = eachField(b, 2, func(num protowire.Number, v []byte, n uint64) bool {
		if num == 1 {
			return readLog(v, &r.log)
		}
		r.floor = n
		return v == nil && n > 0
	})
	if err == nil && r.log == (event.LogID{}) {
		err = fmt.Errorf("%w: log", errRequest)
	}
	return r, err
}

func (a *syncAnswer) encode() []byte {
	b := appendUint(make([]byte, 0, maxSyncAnswer), 1, a.floor)
	b = appendIDs(b, 2, a.heads)
	if a.complete {
		b = appendUint(b, 3, 1)
	}
	return appendUint(b, 4, a.count)
}

func decodeSyncAnswer(b []byte) (a syncAnswer, err error) {
	err = eachField(b, 4, func(num protowire.Number, v []byte, n uint64) (ok bool) {
		if num == 2 {
			a.heads, ok = splitIDs(v, maxToldHeads)
			return ok
		}
		switch num {
		case 1:
			a.floor = n
		case 3:
			a.complete = n == 1
			return v == nil && a.complete
		case 4:
			a.count = n
		}
		return v == nil && n > 0
	})
	return a, err
}
