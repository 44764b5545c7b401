package event_test

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// An author writes two messages, which share one signature; a reader checks them.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, 32)) // a real one is random
	author := event.Author(key.Public().(ed25519.PublicKey))
	name, _ := event.RoomKey("  Lobby ")
	log := event.PublicRoomLog([32]byte{1}, name)

	var clock event.Clock
	var drafts []event.Draft
	for _, text := range []string{"hello", "anybody there?"} {
		payload, _ := event.Message{Type: event.TypeText, Data: []byte(text)}.Encode()
		drafts = append(drafts, event.Draft{
			HLC: clock.Now(time.UnixMilli(1_767_225_600_000)), Kind: event.KindMessage,
			Payload: payload, Salt: [event.SaltSize]byte{1}, // random too
		})
	}
	sealed, err := event.Seal(log, author, 0, event.ID{}, drafts, func(b []byte) []byte { return ed25519.Sign(key, b) })
	if err != nil {
		panic(err)
	}

	b, err := event.Decode(sealed.Payload())
	if err != nil {
		panic(err)
	}
	if err := b.Verify(); err != nil {
		panic(err)
	}
	for i := range b.Events {
		m, _ := event.DecodeMessage(b.Events[i].Payload())
		fmt.Printf("%d %s\n", b.Events[i].Seq, m.Data)
	}
	// Output:
	// 1 hello
	// 2 anybody there?
}
