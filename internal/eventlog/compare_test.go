package eventlog

import (
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// twoStores makes two stores of n events in batches of 64, gap apart, and gives the
// second one 100 single events more, evenly among them.
func twoStores(tb testing.TB, n int, gap time.Duration) (own, peer *Store, missing map[event.ID]bool) {
	tb.Helper()
	own, peer, missing = compareStore(tb), compareStore(tb), make(map[event.ID]bool)
	busy, other := newAuthor(1), newAuthor(2)
	for i := range n / 64 {
		busy.hlc += event.HLC(gap.Milliseconds()) << 16
		at := busy.hlc
		b := busy.seal(tb, room, texts(64, 100)...)
		mustAppend(tb, own, b)
		mustAppend(tb, peer, b)
		if every := n / 64 / 100; i%every == every/2 && len(missing) < 100 {
			d := texts(1, 100)
			d[0].HLC = at
			b := other.seal(tb, room, d...)
			mustAppend(tb, peer, b)
			missing[b.Events[0].ID] = true
		}
	}
	return own, peer, missing
}

// compareStore opens a store that keeps next to nothing decoded.
func compareStore(tb testing.TB) *Store {
	tb.Helper()
	p := profileFor(false)
	p.recent = 1
	s, err := openWith(tb.Context(), Options{Dir: tb.TempDir(), Key: testKey}, p)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// compared is what a comparison found and took.
type compared struct {
	need                [][32]byte
	rounds, bytes       int
	ownDecoded, decoded uint64 // events read from either disk
}

// compareStores compares as internal/delivery does, with its sizes of messages.
func compareStores(tb testing.TB, own, peer *Store) (c compared) {
	tb.Helper()
	ownBefore, peerBefore := own.decoded.Load(), peer.decoded.Load()
	set := peer.Range(room)
	all := [2]reconcile.Bound{reconcile.At(0), reconcile.At(reconcile.Infinity)}
	sum, err := set.Sum(all[0], all[1])
	if err != nil {
		tb.Fatal(err)
	}
	asker := reconcile.NewAsker(own.Range(room), all[0], all[1], 1_800_000_000, sum.Count)
	for {
		msg, err := asker.Next(32<<10, 128<<10)
		if err != nil {
			tb.Fatal(err)
		}
		if msg == nil {
			break
		}
		reply, _, err := reconcile.Answer(set, all[0], msg, 128<<10)
		if err != nil {
			tb.Fatal(err)
		}
		found, err := asker.Take(reply)
		if err != nil {
			tb.Fatal(err)
		}
		c.need, c.rounds, c.bytes = append(c.need, found.Need...), c.rounds+1, c.bytes+len(msg)+len(reply)
	}
	c.ownDecoded, c.decoded = own.decoded.Load()-ownBefore, peer.decoded.Load()-peerBefore
	return c
}

func (c *compared) check(tb testing.TB, missing map[event.ID]bool) {
	tb.Helper()
	found := make(map[event.ID]bool)
	for _, id := range c.need {
		found[id] = missing[id]
	}
	if len(found) != len(missing) || len(c.need) != len(missing) {
		tb.Errorf("%d of %d missing events were found, %d asked for", len(found), len(missing), len(c.need))
	}
}

// Comparing finds what is missing in a large log without reading it: it decodes
// the neighbours of what is missing and no more, however large the log is. When nothing is
// missing it decodes nothing.
func TestALargeLogIsNotRead(t *testing.T) {
	if testing.Short() {
		t.Skip("200,000 events")
	}
	const n = 100_000
	own, peer, missing := twoStores(t, n, 30*time.Minute)
	c := compareStores(t, own, peer)
	c.check(t, missing)
	t.Logf("%d rounds, %d bytes, %d and %d events decoded", c.rounds, c.bytes, c.ownDecoded, c.decoded)
	if c.ownDecoded > 100*80 || c.decoded > 100*80 || c.rounds > 10 {
		t.Errorf("of %d events %d and %d were decoded, in %d rounds", n, c.ownDecoded, c.decoded, c.rounds)
	}
	if c := compareStores(t, peer, peer); len(c.need) > 0 || c.decoded > 0 {
		t.Errorf("%d events were decoded to find that nothing is missing", c.decoded)
	}
}

// BenchmarkCompare compares two logs of a million events of which one lacks 100: of
// a year and a half, and of a quarter of an hour with 1,000 a second. Fetching is not part of it.
func BenchmarkCompare(b *testing.B) {
	for _, pace := range []struct {
		name string
		gap  time.Duration
	}{{"quiet", 50 * time.Minute}, {"busy", 0}} {
		own, peer, missing := twoStores(b, 1_000_000, pace.gap)
		b.Run(pace.name, func(b *testing.B) {
			var c compared
			for b.Loop() {
				c = compareStores(b, own, peer)
				c.check(b, missing)
				forgetBusy(own, peer)
			}
			b.ReportMetric(float64(c.rounds), "rounds")
			b.ReportMetric(float64(c.bytes), "B/compare")
			b.ReportMetric(float64(c.decoded), "decoded")
			b.ReportMetric(float64(c.ownDecoded), "decoded-own")
		})
	}
}

// BenchmarkBusySecond compares two logs that have a million events in one second, of
// which one lacks 100, as a hostile author may make them. -benchmem tells what is held.
func BenchmarkBusySecond(b *testing.B) {
	own, peer := compareStore(b), compareStore(b)
	missing := make(map[event.ID]bool)
	at := hlcOf(1_700_000_000)
	a, other := newAuthor(1), newAuthor(2)
	for i := range 4000 {
		d := texts(250, 0)
		for i := range d {
			at++
			d[i].HLC = at
		}
		x := a.seal(b, room, d...)
		mustAppend(b, own, x)
		mustAppend(b, peer, x)
		if i%40 == 0 {
			x := other.seal(b, room, event.Draft{HLC: at})
			mustAppend(b, peer, x)
			missing[x.Events[0].ID] = true
		}
	}
	for b.Loop() {
		c := compareStores(b, own, peer)
		c.check(b, missing)
		b.ReportMetric(float64(c.rounds), "rounds")
		b.ReportMetric(float64(c.bytes), "B/compare")
		b.ReportMetric(float64(c.decoded), "decoded")
		forgetBusy(own, peer)
	}
}

// forgetBusy has stores read seconds again.
func forgetBusy(stores ...*Store) {
	for _, s := range stores {
		s.busy.list, s.busy.held = nil, 0
	}
}
