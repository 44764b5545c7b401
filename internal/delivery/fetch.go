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
	maxReplySize = 1 << 20 // bytes of payloads in one reply, rounded up to a whole batch
	maxRequest   = 32 + 32*maxWant + 16
	fetchTime    = 15 * time.Second // for one request and its reply
)

// status is the first byte of the first frame of a reply.
type status byte

const (
	statusOK     status = 0 // what was asked for follows
	statusNoLog  status = 1 // the log is not served to this peer, or not known
	statusBusy   status = 2 // over budget: ask again later
	statusFailed status = 3 // the store failed
)

// errRequest is what every malformed request is.
var errRequest = errors.New("request malformed")

// request asks for the stored batches that hold events of a log.
//
//	Request { bytes log = 1; bytes want = 2 (n × 32, n from 1 to 64) }
//
// Fields come in this order, none twice and none unknown.
type request struct {
	log  event.LogID
	want []event.ID
}

func (r *request) encode() []byte {
	b := make([]byte, 0, maxRequest)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, r.log[:])
	return appendIDs(b, 2, r.want)
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
	err := eachField(b, 2, func(num protowire.Number, v []byte, _ uint64) (ok bool) {
		if num == 1 {
			ok = readLog(v, &r.log)
		} else {
			r.want, ok = splitIDs(v, maxWant)
		}
		return ok
	})
	if err == nil && (r.log == (event.LogID{}) || len(r.want) == 0) {
		err = fmt.Errorf("%w: log or ids", errRequest)
	}
	return r, err
}

// eachField reads a message in the strict form, with fields up to last; those
// that are bytes give v, varints n.
func eachField(b []byte, last protowire.Number, read func(num protowire.Number, v []byte, n uint64) bool) error {
	var before protowire.Number
	for len(b) > 0 {
		num, typ, size := protowire.ConsumeTag(b)
		if size < 0 || num <= before || num > last || size != protowire.SizeTag(num) {
			return fmt.Errorf("%w: field %d", errRequest, num)
		}
		before, b = num, b[size:]
		var v []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			v, size = protowire.ConsumeBytes(b)
			if size != protowire.SizeBytes(len(v)) {
				size = -1
			}
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
			if size != protowire.SizeVarint(n) {
				size = -1
			}
		default:
			size = -1
		}
		if size < 0 || !read(num, v, n) {
			return fmt.Errorf("%w: field %d", errRequest, num)
		}
		b = b[size:]
	}
	return nil
}

func readLog(v []byte, log *event.LogID) bool {
	if len(v) != len(log) {
		return false
	}
	*log = event.LogID(v)
	return true
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

// unknownCost is what an id is charged with that is not stored, in bytes.
const unknownCost = 256

// collect returns the stored batches of a log that hold the wanted events, each
// once, as far as they fit a reply, and what looking cost, in bytes.
func collect(store Store, r *request) (payloads [][]byte, cost int, err error) {
	sent, size := make(map[event.ID]struct{}), 0
	for _, id := range r.want {
		if size >= maxReplySize {
			break
		}
		if _, ok := sent[id]; ok {
			continue
		}
		b, ok, err := store.Batch(id)
		if err != nil {
			return nil, cost, err
		}
		if !ok || b.Log() != r.log { // known, perhaps, but not to those of this log
			cost += unknownCost
			continue
		}
		for i := range b.Events {
			sent[b.Events[i].ID] = struct{}{}
		}
		payloads = append(payloads, b.Payload())
		size += len(b.Payload())
	}
	return payloads, cost + size, nil
}
