package delivery

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of the fetch protocol. spec: 04-delivery §6
const (
	maxWant      = 64      // ids asked for at once
	maxHave      = 16      // ids told at once
	maxLimit     = 1024    // ancestors in one reply, rounded up to a whole batch
	maxReplySize = 1 << 20 // bytes of payloads in one reply, the same
	maxRequest   = 32 + 32*(maxWant+maxHave) + 64
	fetchTime    = 15 * time.Second // for one request and its reply
)

// status is the first frame of a reply, one byte.
type status byte

const (
	statusOK     status = 0 // payloads follow, ancestors first, then an empty frame
	statusNoLog  status = 1 // the log is not served to this peer, or not known
	statusBusy   status = 2 // over budget: ask again later
	statusFailed status = 3 // the store failed
)

// errRequest is what every malformed request is.
var errRequest = errors.New("fetch request malformed")

// request asks for the stored batches that hold events of a log, and for their
// ancestors up to a number of events, those left out that the asker has.
//
//	Request { bytes log = 1; bytes want = 2 (n × 32); bytes have = 3 (n × 32); uint64 limit = 4 }
//
// Without want it asks for the server's heads. Fields come in this order, none
// twice and none unknown.
type request struct {
	log   event.LogID
	want  []event.ID // at most maxWant
	have  []event.ID // at most maxHave: heads of an asker who misses no ancestor of them
	limit int        // ancestors, 0 to maxLimit
}

func (r *request) encode() []byte {
	b := make([]byte, 0, maxRequest)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, r.log[:])
	b = appendIDs(b, 2, r.want)
	b = appendIDs(b, 3, r.have)
	b = protowire.AppendTag(b, 4, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(r.limit))
}

func appendIDs(b []byte, num protowire.Number, ids []event.ID) []byte {
	if len(ids) == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(ids)*len(event.ID{})))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func decodeRequest(b []byte) (*request, error) {
	r := new(request)
	var last protowire.Number
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num <= last || num > 4 || (typ == protowire.VarintType) != (num == 4) {
			return nil, fmt.Errorf("%w: field %d", errRequest, num)
		}
		last, b = num, b[n:]
		if n = r.field(num, b); n < 0 {
			return nil, fmt.Errorf("%w: field %d", errRequest, num)
		}
		b = b[n:]
	}
	if r.log == (event.LogID{}) || r.limit > maxLimit {
		return nil, fmt.Errorf("%w: log or limit", errRequest)
	}
	return r, nil
}

// field reads the value of one field; negative if it is wrong.
func (r *request) field(num protowire.Number, b []byte) int {
	if num == 4 {
		v, n := protowire.ConsumeVarint(b)
		r.limit = int(min(v, maxLimit+1))
		return n
	}
	v, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return n
	}
	ok := false
	switch num {
	case 1:
		if ok = len(v) == len(r.log); ok {
			r.log = event.LogID(v)
		}
	case 2:
		r.want, ok = splitIDs(v, maxWant)
	case 3:
		r.have, ok = splitIDs(v, maxHave)
	}
	if !ok {
		return -1
	}
	return n
}

func splitIDs(v []byte, most int) ([]event.ID, bool) {
	const size = len(event.ID{})
	if len(v)%size != 0 || len(v) == 0 || len(v) > most*size {
		return nil, false
	}
	ids := make([]event.ID, 0, len(v)/size)
	for ; len(v) > 0; v = v[size:] {
		ids = append(ids, event.ID(v))
	}
	return ids, true
}
