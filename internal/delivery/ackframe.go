package delivery

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of the protocol of acknowledgements. spec: 04-delivery §8
const (
	maxAckRequest = 34
	maxAck        = 11
)

// ackRequest asks to be told how far the asker's own events in a log are stored.
//
//	AckRequest { bytes log = 1 }
type ackRequest struct{ log event.LogID }

func (r ackRequest) encode() []byte {
	return protowire.AppendBytes(protowire.AppendTag(make([]byte, 0, maxAckRequest), 1, protowire.BytesType), r.log[:])
}

func decodeAckRequest(b []byte) (r ackRequest, err error) {
	err = eachField(b, 1, func(_ protowire.Number, v []byte, _ uint64) bool { return readLog(v, &r.log) })
	if err == nil && r.log == (event.LogID{}) {
		err = fmt.Errorf("%w: log", errRequest)
	}
	return r, err
}

// ack is the highest seq of the asker's events that is stored. The first follows
// the status, each other is a frame.
//
//	Ack { uint64 seq = 1 }
//
// It is empty while there is none.
type ack uint64

func (a ack) encode() []byte { return appendUint(make([]byte, 0, maxAck), 1, uint64(a)) }

func decodeAck(b []byte) (a ack, err error) {
	err = eachField(b, 1, func(_ protowire.Number, v []byte, n uint64) bool {
		a = ack(n)
		return v == nil && n > 0
	})
	return a, err
}
