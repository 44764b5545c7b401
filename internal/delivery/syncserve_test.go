package delivery

import (
	"bufio"
	"bytes"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// A small message that divides two busy seconds costs what reading them does: who
// sends many has spent his budget before much was read.
func TestWhoMakesUsReadPaysForIt(t *testing.T) {
	const seconds, batches = 6, 40
	store, a := openStore(t), newAuthor(1)
	for i := range seconds {
		for j := range batches {
			b := a.write(t, testTime.Add(time.Duration(i)*time.Second+time.Duration(j)*time.Millisecond), 250)
			if _, err := store.Append(t.Context(), b, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	// From within each second to within the next: about 189 bytes.
	msg := []byte{0x61}
	last := uint64(0)
	for i := range seconds {
		second := uint64(testTime.Unix()) + uint64(i)
		msg = append(appendVarint(msg, second-last+1), 1, 128, 1)
		msg, last = append(msg, make([]byte, 16)...), second
	}
	var frame, out bytes.Buffer
	if err := wire.WriteFrame(&frame, msg); err != nil {
		t.Fatal(err)
	}
	v := newServer(&Service{cfg: Config{Store: store}, budgets: newBudgets()})
	const p = peer.ID("asker")
	result, err := v.reconcile(&opening{stream: &out, in: bufio.NewReader(&frame), p: p}, store.Range(testLog), reconcile.At(0), func() {})
	if err != nil || result != "ok" || len(msg) > 189 {
		t.Fatalf("%d bytes: %s, %v", len(msg), result, err)
	}
	const read = seconds * batches * 250
	if v.s.budgets.served.Take(p, servedAtOnce-read*readCost/2) { // half: some is paid off already
		t.Errorf("charged less than for %d events", read)
	}
	if !v.s.budgets.served.Take(p, servedAtOnce-4*read*readCost) {
		t.Errorf("charged as for more than %d events", 4*read)
	}
}

func appendVarint(b []byte, v uint64) []byte {
	var digits []byte
	for ; v > 0 || len(digits) == 0; v >>= 7 {
		digits = append([]byte{byte(v&0x7f) | 0x80}, digits...)
	}
	digits[len(digits)-1] &= 0x7f
	return append(b, digits...)
}
