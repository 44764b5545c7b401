package directory

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/internal/heartbeat"
)

var self, other = Key{100}, Key{101}

// open makes a directory for a test in fake time.
func open(t *testing.T, cfg Config) *Directory {
	cfg.Self = self
	d := Open(cfg)
	t.Cleanup(d.Close)
	return d
}

// beat is the next heartbeat of the node i.
func (d *Directory) beat(i byte, via Key, change ...func(*heartbeat.Heartbeat)) Verdict {
	d.mu.Lock()
	h := heartbeat.Heartbeat{Author: Key{i}, Seq: 1, Interval: time.Second, Time: time.Now().UnixMilli(), Version: "v1"}
	if e := d.nodes[h.Author]; e != nil {
		h.Seq = e.newest.Seq + 1
	}
	d.mu.Unlock()
	for _, f := range change {
		f(&h)
	}
	return d.Heard(&h, fmt.Appendf(nil, "%d of %d", h.Seq, i), Member{Ticket: []byte{i}}, via)
}

func goodbye(h *heartbeat.Heartbeat) { h.Goodbye = true }

func (d *Directory) state(i byte) State {
	for _, n := range d.Nodes() {
		if k := (Key{i}); string(n.ID[6:]) == string(k[:]) {
			return n.State
		}
	}
	return 0
}

// spec: 11-registrars M19
func TestSilenceIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		d.beat(1, self)
		d.beat(2, self, func(h *heartbeat.Heartbeat) { h.Interval = 10 * time.Second })
		for _, v := range []struct {
			after      time.Duration
			fast, slow State
		}{
			{2400 * time.Millisecond, Online, Online},
			{2800 * time.Millisecond, Suspect, Online},
			{3900 * time.Millisecond, Suspect, Online},
			{4300 * time.Millisecond, Offline, Online},
			{24900 * time.Millisecond, Offline, Online},
			{25300 * time.Millisecond, Offline, Suspect},
			{40300 * time.Millisecond, Offline, Offline},
		} {
			time.Sleep(v.after - elapsed())
			if d.state(1) != v.fast || d.state(2) != v.slow {
				t.Errorf("after %v: %v and %v", v.after, d.state(1), d.state(2))
			}
		}
		if d.beat(1, self); d.state(1) != Online {
			t.Errorf("back, and %v", d.state(1))
		}
	})
}

// elapsed is how long a bubble has been running: it begins at midnight.
func elapsed() time.Duration {
	return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// spec: 11-registrars M19
func TestGoodbyesAndLostConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		d.beat(1, self, goodbye)
		if d.state(1) != Offline {
			t.Errorf("after a goodbye: %v", d.state(1))
		}
		d.beat(2, self)
		d.beat(3, other)
		d.Lost(Key{2})
		d.Lost(Key{3}) // reports elsewhere
		d.Lost(Key{4}) // unknown
		if d.state(2) != Suspect || d.state(3) != Online || d.state(4) != 0 {
			t.Errorf("after lost connections: %v, %v, %v", d.state(2), d.state(3), d.state(4))
		}
		d.beat(3, other)
		d.beat(2, other)
		time.Sleep(sweepEvery + time.Millisecond)
		if d.state(2) != Online {
			t.Errorf("after it came to another registrar: %v", d.state(2))
		}
	})
}

// spec: 11-registrars M18
func TestOldHeartbeatsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		d.beat(1, self)
		d.beat(1, self, goodbye)
		for seq := range uint64(3) {
			if v := d.beat(1, other, func(h *heartbeat.Heartbeat) { h.Seq = seq }); v != Stale || d.state(1) != Offline {
				t.Errorf("number %d again: %v, %v", seq, v, d.state(1))
			}
		}
	})
}

func TestTheDirectoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{MaxNodes: 3, Forget: time.Minute})
		d.beat(1, self, goodbye)
		time.Sleep(time.Second)
		d.beat(2, self, goodbye)
		d.beat(3, self)
		if v := d.beat(4, self); v != Noted || d.state(1) != 0 || d.state(2) != Offline {
			t.Errorf("the fourth: %v; %v, %v", v, d.state(1), d.state(2))
		}
		if v := d.beat(5, self); v != Noted || d.state(2) != 0 {
			t.Errorf("the fifth: %v; %v", v, d.state(2))
		}
		if v := d.beat(6, self); v != Full {
			t.Errorf("where all are online: %v", v)
		}
		time.Sleep(time.Minute + time.Second)
		if n := len(d.Nodes()); n != 0 {
			t.Errorf("%d are remembered", n)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.changes.marks.Len()+d.reports.marks.Len() != 0 {
			t.Error("the journals keep who is forgotten")
		}
	})
}

// Who was revoked is told as such at once, and its heartbeats count no more.
func TestTheRevokedAreSaidToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked atomic.Bool
		d := open(t, Config{Revoked: func(k Key) bool { return revoked.Load() && k == Key{1} }})
		d.beat(1, self)
		d.beat(2, self)
		synctest.Wait()
		revoked.Store(true)
		time.Sleep(sweepEvery + time.Millisecond)
		if v := d.beat(1, self); v != Gone || d.state(1) != Revoked || d.state(2) != Online {
			t.Errorf("%v, %v, %v", v, d.state(1), d.state(2))
		}
	})
}

// spec: 11-registrars M20
func TestAllTogetherSendFiveHundredASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		for _, v := range []struct {
			nodes int
			want  time.Duration
		}{{0, time.Second}, {1, time.Second}, {500, time.Second}, {750, 1500 * time.Millisecond}, {5000, 10 * time.Second}, {1 << 20, time.Minute}} {
			d.mu.Lock()
			d.share = share{here: v.nodes}
			d.mu.Unlock()
			if got := d.Interval(); got != v.want {
				t.Errorf("%d nodes: %v", v.nodes, got)
			}
		}
		for i := range byte(9) {
			d.beat(i, self)
		}
		d.beat(9, self, goodbye)
		time.Sleep(sweepEvery + time.Millisecond)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.share.here != 9 {
			t.Errorf("counted %d", d.share.here)
		}
	})
}

func TestWhoHasTooManySaysSo(t *testing.T) {
	for _, v := range []struct {
		nodes, own, registrars int
		want                   float64
	}{
		{100, 100, 1, 0},            // nobody else is there
		{30, 30, 3, 1 - 20.0/30},    // 1.5 × 10 + 5 are fair
		{30, 20, 3, 0},              //
		{3, 3, 3, 0},                // small numbers are no load
		{200, 100, 2, 0},            //
		{200, 200, 2, 1 - 155./200}, //
		{0, 0, 3, 0},                //
	} {
		got := (&share{nodes: v.nodes, own: v.own, registrars: v.registrars}).excess()
		if got < v.want-1e-9 || got > v.want+1e-9 {
			t.Errorf("%+v: %v", v, got)
		}
	}
}

// A watcher is told all nodes, then changes alone, the newest of each.
func TestWatchersAreToldOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		w := d.Watch()
		if nodes, whole, err := w.Next(t.Context()); len(nodes) != 0 || !whole || err != nil {
			t.Errorf("of nothing: %v, %v, %v", nodes, whole, err)
		}
		none := func(when string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if nodes, _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: told of %v, %v", when, nodes, err)
			}
		}
		one := func(when string, want State) {
			t.Helper()
			if nodes, whole, err := w.Next(t.Context()); err != nil || !whole || len(nodes) != 1 || nodes[0].State != want {
				t.Errorf("%s: told of %+v, %v", when, nodes, err)
			}
		}
		none("nothing happened")
		d.beat(1, self)
		one("a new node", Online)
		d.beat(1, self, func(h *heartbeat.Heartbeat) { h.Load = 9 })
		none("it is as it was")
		for name, change := range map[string]func(*heartbeat.Heartbeat){
			"its load":    func(h *heartbeat.Heartbeat) { h.Load = 50 },
			"its zone":    func(h *heartbeat.Heartbeat) { h.Load, h.Zone = 50, "roof" },
			"its version": func(h *heartbeat.Heartbeat) { h.Load, h.Version = 50, "v2" },
		} {
			d.beat(1, self, change)
			one(name, Online)
		}
		d.beat(1, other, func(h *heartbeat.Heartbeat) { h.Load = 50 })
		one("it reports elsewhere", Online)
		time.Sleep(3 * time.Second)
		d.beat(1, self)
		one("twice changed, told once", Online)
		none("and no more")
		time.Sleep(5 * time.Second)
		one("silent", Offline)
	})
}

// However many nodes there are and however slow it is, a watcher comes to see the
// newest of all.
func TestASlowWatcherMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		const nodes = 3*batch + 5
		key := func(i int) Key { return Key{byte(i), byte(i >> 8), 1} }
		seq := uint64(0)
		beat := func(i int, load uint8) {
			seq++
			d.Heard(&heartbeat.Heartbeat{Author: key(i), Seq: seq, Interval: time.Minute, Load: load}, nil, Member{}, self)
		}
		for i := range nodes {
			beat(i, 0)
		}
		w, seen := d.Watch(), make(map[string]uint8)
		for round := 0; ; round++ {
			told, whole, err := w.Next(t.Context())
			if err != nil || len(told) > batch {
				t.Fatalf("%d nodes at once, %v", len(told), err)
			}
			for _, n := range told {
				seen[string(n.ID)] = n.Load
			}
			if whole {
				break
			}
			if round == 0 { // between the first batch and the second
				for i := range nodes {
					beat(i, 100)
				}
			}
		}
		if len(seen) != nodes {
			t.Errorf("saw %d of %d", len(seen), nodes)
		}
		for id, load := range seen {
			if load != 100 {
				t.Fatalf("the last of %x was %d", id, load)
			}
		}
	})
}

// Passed on are the newest heartbeats that came here: at first of who is there.
func TestReportsAreOfWhoReportsHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, Config{})
		d.beat(1, self)
		d.beat(2, other)
		d.beat(4, self)
		time.Sleep(5 * time.Second) // 1 and 4 are offline, and that is nobody's news
		d.beat(3, self)
		d.beat(3, self)
		d.beat(5, self, goodbye)
		r := d.Reports()
		expect := func(want ...string) {
			t.Helper()
			got, err := r.Next(t.Context())
			if err != nil || len(got) != len(want) {
				t.Fatalf("reported %+v, %v; want %v", got, err, want)
			}
			for i := range got {
				if string(got[i].Heartbeat) != want[i] || got[i].Ticket[0] != got[i].Author[0] {
					t.Errorf("reported %s, want %s", got[i].Heartbeat, want[i])
				}
			}
		}
		expect("2 of 3", "1 of 5")
		d.beat(1, other)
		d.beat(4, self)
		expect("2 of 4")
	})
}
