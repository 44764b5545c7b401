package chat_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/node/nodetest"
)

// exported returns what node i exports of a room.
func (p *party) exported(i int, name string) (payloads [][]byte) {
	p.t.Helper()
	r, err := p.ms[i].Room(name)
	if err != nil {
		p.t.Fatal(err)
	}
	for payload, err := range r.Export(p.t.Context()) {
		if err != nil {
			p.t.Fatal(err)
		}
		payloads = append(payloads, payload)
	}
	return payloads
}

// imports brings payloads in at node i and sums up what became of them.
func (p *party) imports(i int, name string, payloads [][]byte) (sum chat.Imported) {
	p.t.Helper()
	from := chat.Origin{Network: p.Nodes[i].Network().ID, Room: name}
	for done, err := range p.ms[i].Import(p.t.Context(), from, slices.Values(payloads)) {
		if err != nil {
			p.t.Fatal(err)
		}
		sum.New += done.New
		sum.Known += done.Known
		sum.Refused = append(sum.Refused, done.Refused...)
		sum.Done = done.Done
	}
	return sum
}

// talk makes both nodes of a party write n messages each, in batches.
func (p *party) talk(n int) {
	p.t.Helper()
	for i := range 2 {
		contents := func(yield func(chat.Content) bool) {
			for j := range n {
				if !yield(chat.Text(fmt.Sprintf("%d of %d", j, i))) {
					return
				}
			}
		}
		for _, err := range p.join(i, "lobby").SendAll(p.t.Context(), contents) {
			if err != nil {
				p.t.Fatal(err)
			}
		}
	}
	p.waitSame(time.Minute, "lobby", 2*n, 0, 1)
}

// A node that never met the others has the same history by an export, in
// batches as they were, and takes nothing twice.
func TestExportAndImportGiveTheSameHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.talk(600)
		payloads := p.exported(0, "lobby")
		if len(payloads) != len(p.ids(0, "lobby")) {
			t.Fatalf("%d of %d events are exported", len(payloads), len(p.ids(0, "lobby")))
		}
		if got := p.imports(2, "Lobby", payloads); got.New != len(payloads) || got.Known != 0 || len(got.Refused) > 0 || got.Done != len(payloads) {
			t.Errorf("imported %d new, %d known, %d refused", got.New, got.Known, len(got.Refused))
		}
		if !slices.Equal(p.ids(0, "lobby"), p.ids(2, "lobby")) {
			t.Error("the history is another one")
		}
		if got := p.imports(2, "lobby", payloads); got.New != 0 || got.Known != len(payloads) {
			t.Errorf("again: %d new, %d known", got.New, got.Known)
		}
		if !slices.EqualFunc(payloads, p.exported(2, "lobby"), bytes.Equal) {
			t.Error("exported again it is not the same")
		}
		if r, err := p.ms[2].Room("lobby"); err != nil || r.Joined() || r.Name() != "Lobby" {
			t.Errorf("the room is joined, or has another name: %v, %v", r, err)
		}
		if infos, err := p.ms[2].Rooms(t.Context()); err != nil || slices.ContainsFunc(infos, func(r chat.RoomInfo) bool { return r.Joined }) {
			t.Errorf("rooms are %v, %v", infos, err)
		}
		p.Restart(2) // it is remembered
		if !slices.Equal(p.ids(0, "lobby"), p.ids(2, "lobby")) {
			t.Error("after a restart the history is another one")
		}
	})
}

// Each payload is refused for its own reason, and stops none of the others.
//
// spec: 08-export M7, M8
func TestWhatAnImportRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.talk(40)
		p.join(0, "attic")
		p.say(0, "attic", "elsewhere")
		attic := p.exported(0, "attic")
		payloads := p.exported(0, "lobby")
		whole := len(payloads)
		flipped := func(i, at int) []byte {
			b := bytes.Clone(payloads[i])
			b[at] ^= 1
			return b
		}
		content := bytes.Index(payloads[5], []byte(" of "))
		bad := []struct {
			name    string
			payload []byte
			want    error
		}{
			{"signature", flipped(0, 10), chat.ErrForged},
			{"content", flipped(5, content), chat.ErrForged},
			{"header", flipped(7, 66+2+4+40), chat.ErrForged},
			{"path", flipped(9, len(payloads[9])-1), chat.ErrForged},
			{"another room", attic[0], chat.ErrOtherRoom},
			{"nothing", nil, chat.ErrForged},
			{"garbage", []byte(strings.Repeat("x", 100)), chat.ErrForged},
			{"too large", make([]byte, event.MaxBatchBytes+1), chat.ErrForged},
		}
		var all [][]byte
		for i := range payloads {
			all = append(all, payloads[i])
			if i < len(bad) {
				all = append(all, bad[i].payload)
			}
		}
		got := p.imports(2, "lobby", all)
		if got.New != whole || len(got.Refused) != len(bad) {
			t.Fatalf("%d of %d are new, %d of %d refused", got.New, whole, len(got.Refused), len(bad))
		}
		for i, r := range got.Refused {
			if r.Index != 2*i+1 || !errors.Is(r.Err, bad[i].want) {
				t.Errorf("%s: payload %d is refused for %v", bad[i].name, r.Index, r.Err)
			}
		}
		if !slices.Equal(p.ids(0, "lobby"), p.ids(2, "lobby")) {
			t.Error("the history is another one")
		}
	})
}

// spec: 08-export M6
func TestAnImportIntoAnotherNetworkIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.talk(1)
		from := chat.Origin{Network: [32]byte{9}, Room: "hall"}
		n := 0
		for _, err := range p.ms[0].Import(t.Context(), from, slices.Values(p.exported(0, "lobby"))) {
			if n++; !errors.Is(err, chat.ErrOtherNetwork) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := p.ms[0].Room("hall"); n != 1 || !errors.Is(err, chat.ErrNoRoom) {
			t.Errorf("%d answers, and the room: %v", n, err)
		}
	})
}

// Events of a clock that runs ahead are refused until they are due.
//
// spec: 08-export M8
func TestAnImportRefusesWhatIsDatedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		v := &villain{party: p, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
		r, err := p.ms[0].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		b := v.seal(r.Log(), 1, event.ID{}, time.Now().Add(10*time.Minute), "early")
		if got := p.imports(0, "lobby", [][]byte{b.Payload()}); len(got.Refused) != 1 || !errors.Is(got.Refused[0].Err, chat.ErrAhead) {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(6 * time.Minute)
		if got := p.imports(0, "lobby", [][]byte{b.Payload()}); got.New != 1 {
			t.Fatalf("later: %+v", got)
		}
	})
}

// A directory is lost and its key put back: the own events come from an
// export, and what is written next continues them. Who joins first has written
// his first event a second time before; after the import nothing forks.
//
// spec: 08-export M9
func TestImportedOwnEventsAreContinued(t *testing.T) {
	for _, joined := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := gather(t, 2, nodetest.Config{})
			p.talk(300)
			payloads := p.exported(0, "lobby")
			p.Stop(0)
			if err := os.RemoveAll(filepath.Join(p.Dir(0), "store")); err != nil {
				t.Fatal(err)
			}
			p.Cut(0, true)
			p.Start(0)
			forks := 0
			if joined {
				p.join(0, "lobby")
				forks = 1
			}
			if got := p.imports(0, "lobby", payloads); got.New != len(payloads) {
				t.Errorf("%d of %d are new", got.New, len(payloads))
			}
			p.join(0, "lobby")
			p.say(0, "lobby", "after")
			numbers := make(map[uint64]int)
			for _, m := range p.history(0, "lobby", chat.Query{All: true}) {
				if m.Self {
					numbers[m.Seq]++
				}
			}
			twice := 0
			for _, n := range numbers {
				twice += n - 1
			}
			if twice != forks || len(numbers) != 302 {
				t.Errorf("joined %v: %d numbers, %d of them twice", joined, len(numbers), twice)
			}
		})
	}
}

// A caller who stops listening ends an import, and it can be repeated.
func TestAnImportIsLeftAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.talk(40)
		payloads := p.exported(0, "lobby")
		from := chat.Origin{Network: p.Nodes[2].Network().ID, Room: "lobby"}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := iter.Seq[[]byte](func(yield func([]byte) bool) {
			for i, b := range payloads {
				if i == len(payloads)/2 {
					cancel()
				}
				if !yield(b) {
					return
				}
			}
		})
		for _, err := range p.ms[2].Import(ctx, from, cancelled) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		if got := p.imports(2, "lobby", payloads); got.New+got.Known != len(payloads) {
			t.Errorf("got %+v", got)
		}
	})
}
