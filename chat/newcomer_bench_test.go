package chat_test

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node"
)

// past writes n events of 256 bytes into the lobby of a node that has no
// messenger yet, in batches of a size, a batch a second, of ten authors.
func past(b *testing.B, n *node.Node, events, size int) {
	b.Helper()
	store, err := eventlog.Open(b.Context(), eventlog.Options{Dir: filepath.Join(n.Dir(), "store"), Key: n.StoreKey()})
	if err != nil {
		b.Fatal(err)
	}
	log := event.PublicRoomLog(n.Network().ID, "lobby")
	payload, err := event.Message{Type: event.TypeText, Data: []byte(strings.Repeat("x", 240))}.Encode()
	if err != nil {
		b.Fatal(err)
	}
	var keys [10]ed25519.PrivateKey
	var ends [10]event.Event
	for i := range keys {
		keys[i] = mint(i)
	}
	at := time.Now().Add(-time.Duration(events/size+1) * time.Second)
	var batches []*event.Batch
	for i := range events / size {
		key, last := keys[i%10], &ends[i%10]
		drafts := make([]event.Draft, size)
		for j := range drafts {
			drafts[j] = event.Draft{
				HLC: event.HLCAt(at.Add(time.Duration(i)*time.Second)) + event.HLC(j), Kind: event.KindMessage, Payload: payload,
			}
		}
		author := event.Author(key.Public().(ed25519.PublicKey))
		x, err := event.Seal(log, author, last.Seq, last.ID, drafts, func(m []byte) []byte { return ed25519.Sign(key, m) })
		if err != nil {
			b.Fatal(err)
		}
		*last = x.Events[size-1]
		if batches = append(batches, x); len(batches) == 32 || i == events/size-1 {
			_, errs := store.AppendAll(b.Context(), batches, false)
			for _, err := range errs {
				if err != nil {
					b.Fatal(err)
				}
			}
			batches = batches[:0]
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkNewcomer is how fast a node that joins a room gets its history from
// one other node over TCP, until the last of it is in the store. Take
// -benchtime 1x: an iteration is a whole history.
func BenchmarkNewcomer(b *testing.B) {
	for _, c := range []struct{ events, size int }{{102_400, 64}, {20_000, 1}} {
		b.Run(fmt.Sprintf("%d in batches of %d", c.events, c.size), func(b *testing.B) {
			var took time.Duration
			for range b.N {
				took += newcomer(b, c.events, c.size)
			}
			b.ReportMetric(float64(b.N*c.events)/took.Seconds(), "events/s")
		})
	}
}

func newcomer(b *testing.B, events, size int) time.Duration {
	cfg := localConfig(b.TempDir())
	n, err := node.Start(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close() })
	past(b, n, events, size)
	m, err := chat.Open(b.Context(), n, chat.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	if _, err := m.Join(b.Context(), "lobby"); err != nil {
		b.Fatal(err)
	}
	other, newly := loopback(b, peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()})
	for len(other.Peers()) == 0 {
		waitABit()
	}
	began := time.Now()
	if _, err := newly.Join(b.Context(), "lobby"); err != nil {
		b.Fatal(err)
	}
	for newly.LastCursor() < uint64(events) {
		if time.Since(began) > 10*time.Minute {
			b.Fatalf("after ten minutes it has %d", newly.LastCursor())
		}
		waitABit()
	}
	return time.Since(began)
}

// waitABit is real time: a benchmark has no other.
func waitABit() { <-time.After(5 * time.Millisecond) }
