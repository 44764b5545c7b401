package reconcile_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/reconcile"
)

const base = 1_700_000_000

// item is the i-th item of the tests' world: three share a second.
func item(i int) reconcile.Item {
	return reconcile.Item{Second: base + uint64(i)/3, ID: sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))}
}

func numbered(from, to int) (items []reconcile.Item) {
	for i := from; i < to; i++ {
		items = append(items, item(i))
	}
	return items
}

// session is what a whole run brought.
type session struct {
	need         [][32]byte
	rounds       int
	sent, got    int // bytes
	work         reconcile.Work
	have         int
	differs      bool
	longest      int // open ranges
	asked, reply [][]byte
}

// failer is what tests, benchmarks and rapid share.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// meet lets one set ask another.
func meet(t failer, own, peer reconcile.Set, lowest reconcile.Bound, now, count uint64, limit, reply int, tell ...func(*reconcile.Asker)) session {
	t.Helper()
	a := reconcile.NewAsker(own, lowest, reconcile.At(reconcile.Infinity), now, count)
	for _, f := range tell {
		f(a)
	}
	var s session
	for {
		msg, err := a.Next(limit, reply)
		if err != nil {
			t.Fatal(err)
		}
		if msg == nil {
			s.differs = a.Differs()
			return s
		}
		if len(msg) > limit {
			t.Fatalf("message of %d bytes", len(msg))
		}
		answer, work, err := reconcile.Answer(peer, lowest, msg, reply)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) > reply {
			t.Fatalf("reply of %d bytes", len(answer))
		}
		f, err := a.Take(answer)
		if err != nil {
			t.Fatal(err)
		}
		s.need, s.have = append(s.need, f.Need...), s.have+f.Have
		s.sent, s.got = s.sent+len(msg), s.got+len(answer)
		s.work.Ranges += work.Ranges
		s.work.Read += work.Read
		s.asked, s.reply = append(s.asked, msg), append(s.reply, answer)
		s.longest = max(s.longest, a.Open())
		if s.rounds++; s.rounds > 10_000 {
			t.Fatal("without end")
		}
	}
}

func compareIDs(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }

// missing is the obvious way to find out.
func missing(own, peer reconcile.Slice, lowest reconcile.Bound) (need [][32]byte, have int) {
	has := make(map[[32]byte]int)
	for i := range own {
		has[own[i].ID] = 1
	}
	for i := range peer {
		if lowest.Includes(&peer[i]) {
			continue
		}
		if has[peer[i].ID] == 0 {
			need = append(need, peer[i].ID)
		}
		has[peer[i].ID] = 2
	}
	for i := range own {
		if has[own[i].ID] == 1 && !lowest.Includes(&own[i]) {
			have++
		}
	}
	slices.SortFunc(need, compareIDs)
	return need, have
}

// Any two sets, whatever floor, limits and wrong guesses: exactly what is
// missing is found.
func TestExactlyWhatIsMissingIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 5, 40, 300, 3000}).Draw(t, "size")
		ownShare := rapid.IntRange(0, 100).Draw(t, "own share")
		peerShare := rapid.IntRange(0, 100).Draw(t, "peer's share")
		spread := rapid.SampledFrom([]uint64{1, 1 << 4, 1 << 12, 1 << 22}).Draw(t, "spread")
		seed := rapid.Uint64().Draw(t, "seed")
		var mine, theirs []reconcile.Item
		for i := range size {
			dice := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(i)))
			it := reconcile.Item{Second: base + binary.BigEndian.Uint64(dice[:])%spread, ID: sha256.Sum256(dice[:])}
			if dice[10]&1 == 0 {
				// Long common prefixes. What follows must be as good as
				// unique, and so must sums of it: a fingerprint is of a sum,
				// and sums of short ids are equal by chance.
				clear(it.ID[:24])
			}
			if int(dice[8])*100/256 < ownShare {
				mine = append(mine, it)
			}
			if int(dice[9])*100/256 < peerShare {
				theirs = append(theirs, it)
			}
		}
		own, peer := reconcile.NewSlice(mine), reconcile.NewSlice(theirs)
		lowest := reconcile.At(0)
		if rapid.Bool().Draw(t, "floor") {
			lowest = reconcile.At(base + rapid.Uint64Range(0, spread).Draw(t, "lowest"))
		}
		limit := rapid.SampledFrom([]int{4096, 32 << 10}).Draw(t, "limit")
		reply := rapid.SampledFrom([]int{4096, 5000, 128 << 10}).Draw(t, "reply limit")
		now := base + rapid.SampledFrom([]uint64{0, 1 << 12, 1 << 22}).Draw(t, "now")
		count := rapid.SampledFrom([]uint64{0, uint64(len(peer)), 1 << 20, 1 << 63}).Draw(t, "told")
		var tell []func(*reconcile.Asker)
		if rapid.Bool().Draw(t, "oldest first") {
			tell = append(tell, (*reconcile.Asker).OldestFirst)
		}
		s := meet(t, own, peer, lowest, now, count, limit, reply, tell...)
		need, have := missing(own, peer, lowest)
		slices.SortFunc(s.need, compareIDs)
		if !slices.Equal(s.need, need) || s.have != have {
			t.Fatalf("found %d and %d, not %d and %d", len(s.need), s.have, len(need), have)
		}
		if s.differs != (len(need)+have > 0) {
			t.Fatalf("differs: %v", s.differs)
		}
	})
}

// spec: 06-sync M15
func TestEqualSetsTakeOneRound(t *testing.T) {
	set := reconcile.NewSlice(numbered(0, 10_000))
	s := meet(t, set, set, reconcile.At(0), base+4000, 10_000, 32<<10, 128<<10)
	if s.rounds != 1 || s.differs || s.got != 1 || s.sent > 200 {
		t.Errorf("%+v", s)
	}
}

// A newcomer learns of the newest first: of the last hour before the rest of
// the day, and of that before what is older; within each nearly so.
func TestTheNewestComesFirst(t *testing.T) {
	const n = 100_000
	peer := reconcile.NewSlice(numbered(0, n))
	at := make(map[[32]byte]int)
	for i := range peer {
		at[peer[i].ID] = i
	}
	s := meet(t, reconcile.Slice{}, peer, reconcile.At(0), base+n/3, n, 32<<10, 128<<10)
	if len(s.need) != n {
		t.Fatalf("%d", len(s.need))
	}
	const hour = 3 * 3600
	for i, id := range s.need {
		if fromEnd := n - at[id]; i < hour && fromEnd > hour+3 || fromEnd > i+n/4 && i < n/2 {
			t.Fatalf("the %d. is the %d. from the end", i, fromEnd)
		}
	}
	t.Logf("%d rounds, %d B asked, %d B answered", s.rounds, s.sent, s.got)
}

// Told so, it learns of the oldest first: nothing comes before something of an
// earlier second.
func TestTheOldestComesFirst(t *testing.T) {
	const n = 20_000
	peer := reconcile.NewSlice(numbered(0, n))
	at := make(map[[32]byte]uint64)
	for i := range peer {
		at[peer[i].ID] = peer[i].Second
	}
	s := meet(t, reconcile.Slice{}, peer, reconcile.At(0), base+n/3, n, 32<<10, 128<<10, (*reconcile.Asker).OldestFirst)
	if len(s.need) != n || !slices.IsSortedFunc(s.need, func(a, b [32]byte) int { return cmp.Compare(at[a], at[b]) }) {
		t.Errorf("%d needed, or in another order", len(s.need))
	}
}

// What is found does not depend on how it is told: the sets change while they
// are compared, and the next run finds the rest.
func TestARunGoesOnWhereAnotherWasCut(t *testing.T) {
	own, peer := reconcile.NewSlice(numbered(0, 1000)), reconcile.NewSlice(numbered(0, 20_000))
	byID := make(map[[32]byte]reconcile.Item)
	for _, it := range peer {
		byID[it.ID] = it
	}
	runs := 0
	for ; len(own) < len(peer) && runs < 200; runs++ {
		a := reconcile.NewAsker(own, reconcile.At(0), reconcile.At(reconcile.Infinity), base+7000, uint64(len(peer)))
		var got []reconcile.Item
		for range 4 { // rounds, then the line is cut
			msg, err := a.Next(32<<10, 8<<10)
			if err != nil || msg == nil {
				break
			}
			answer, _, err := reconcile.Answer(peer, reconcile.At(0), msg, 8<<10)
			if err != nil {
				t.Fatal(err)
			}
			f, err := a.Take(answer)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range f.Need {
				got = append(got, byID[id])
			}
		}
		own = reconcile.NewSlice(append(slices.Clone(own), got...))
	}
	if len(own) != len(peer) {
		t.Errorf("%d of %d after %d runs", len(own), len(peer), runs)
	}
	t.Logf("%d runs", runs)
}
