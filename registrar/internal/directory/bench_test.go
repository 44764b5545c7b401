package directory

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/heartbeat"
)

// BenchmarkSweep looks at a directory that is full, which happens four times a second.
func BenchmarkSweep(b *testing.B) {
	d := Open(Config{Self: self})
	d.Close() // only the sweeps end
	for i := range uint32(20_000) {
		h := heartbeat.Heartbeat{Seq: 1, Interval: time.Minute}
		binary.BigEndian.PutUint32(h.Author[:], i+1)
		d.Heard(&h, nil, Member{}, self)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		d.sweep(now)
	}
}
