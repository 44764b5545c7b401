package registry

import (
	"bytes"
	"encoding/binary"

	"github.com/parley-chat/parley/internal/event"
)

func (e *End) append(b []byte) []byte {
	b = append(b, e.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	return append(b, e.ID[:]...)
}

func endOf(b []byte) End {
	return End{event.LogID(b[:32]), Place{binary.BigEndian.Uint64(b[32:40]), event.ID(b[40:72])}}
}

// Compare orders ends by their log.
func (e End) Compare(f End) int { return bytes.Compare(e.Log[:], f.Log[:]) }
