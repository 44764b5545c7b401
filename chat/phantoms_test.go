package chat_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
)

// Somebody invents as many parents as a log takes, under several keys. A node that
// missed messages then gets them all the same, the oldest first.
func TestInventedParentsKeepNobodyFromCatchingUp(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 invented parents")
	}
	attack(t, func(t *testing.T, v *villain) {
		v.say(0, "lobby", "before")
		for i := range 12 { // 8,192 of one key, 65,536 in all
			v.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 50)}, ed25519.SeedSize))
			var seq uint64
			var last event.ID
			for range 7 {
				b := v.inventive(seq, last, 200)
				seq, last = seq+200, b.Events[199].ID
				v.publish(b.Payload())
			}
		}
		if n := v.metric(1, "parley_delivery_batches_unstored_total", ""); n < 12 {
			t.Fatalf("%d batches were refused", n)
		}
		v.Cut(1, true)
		time.Sleep(15 * time.Second)
		var said []string
		for i := range 50 {
			said = append(said, fmt.Sprint("missed ", i))
			v.say(0, "lobby", said[i])
			time.Sleep(100 * time.Millisecond)
		}
		v.Cut(1, false)
		v.Wait(3*time.Minute, "what was missed", func() error {
			got := make(map[string]bool)
			for _, m := range v.history(1, "lobby", chat.Query{}) {
				got[m.Text] = true
			}
			for _, text := range said {
				if !got[text] {
					return fmt.Errorf("%q is missing", text)
				}
			}
			return nil
		})
	})
}

// inventive makes a batch of n events of a chain, each with seven parents that are
// nowhere.
func (v *villain) inventive(seq uint64, last event.ID, n int) *event.Batch {
	v.t.Helper()
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = event.Draft{HLC: event.HLCAt(time.Now()) + event.HLC(i), Kind: event.KindMessage, Payload: []byte("x")}
		for range 7 {
			var id event.ID
			_, _ = rand.Read(id[:])
			drafts[i].Parents = append(drafts[i].Parents, id)
		}
	}
	author := event.Author(v.key.Public().(ed25519.PublicKey))
	b, err := event.Seal(v.log, author, seq, last, drafts, func(m []byte) []byte { return ed25519.Sign(v.key, m) })
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}
