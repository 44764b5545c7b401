package delivery

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// served decodes what collect answers.
func served(t *testing.T, m *memory, r *request) (batches []*event.Batch) {
	t.Helper()
	r.log = testLog
	payloads, _, err := collect(m, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payloads {
		b, err := event.Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return batches
}

// chain writes n batches of 10 events, a second apart.
func chain(t *testing.T, a *author, n int) (batches []*event.Batch) {
	t.Helper()
	for i := range n {
		batches = append(batches, a.write(t, testTime.Add(time.Duration(i)*time.Second), 10))
	}
	return batches
}

func TestWhatIsWantedIsServedWithItsAncestors(t *testing.T) {
	chain := chain(t, newAuthor(1), 20)
	m := newMemory(chain...)
	for _, test := range []struct {
		name string
		r    request
		want int // batches
	}{
		{"alone", request{want: []event.ID{tail(chain[9])}}, 1},
		{"in the middle of its batch", request{want: []event.ID{chain[9].Events[4].ID}}, 1},
		{"two", request{want: []event.ID{tail(chain[9]), tail(chain[3])}}, 2},
		{"some ancestors", request{want: []event.ID{tail(chain[9])}, limit: 25}, 4},
		{"all", request{want: []event.ID{tail(chain[9])}, limit: maxLimit}, 10},
		{"the heads", request{limit: maxLimit}, 20},
		{"after what one has", request{have: []event.ID{tail(chain[14])}, limit: maxLimit}, 5},
		{"nothing new", request{have: []event.ID{tail(chain[19])}, limit: maxLimit}, 0},
		{"wanted though had", request{want: []event.ID{tail(chain[3])}, have: []event.ID{tail(chain[9])}, limit: maxLimit}, 4},
		{"unknown", request{want: []event.ID{{9}}, have: []event.ID{{8}}, limit: maxLimit}, 0},
		{"two, one beyond the bound", request{want: []event.ID{tail(chain[19]), tail(chain[0])}, limit: 10}, 3},
	} {
		got := served(t, m, &test.r)
		if len(got) != test.want {
			t.Errorf("%s: %d batches, not %d", test.name, len(got), test.want)
		}
		for i := 1; i < len(got); i++ {
			if got[i].Events[0].Seq < got[i-1].Events[0].Seq {
				t.Errorf("%s: a batch comes before its ancestor", test.name)
			}
		}
	}
}

func TestAReplyIsBounded(t *testing.T) {
	a := newAuthor(1)
	m := newMemory()
	var last *event.Batch
	for i := range 200 {
		last = a.write(t, testTime.Add(time.Duration(i)*time.Second), event.MaxBatchEvents)
		if _, err := m.Append(t.Context(), last, false); err != nil {
			t.Fatal(err)
		}
	}
	bytes := 0
	for _, b := range served(t, m, &request{want: []event.ID{tail(last)}, limit: maxLimit}) {
		bytes += len(b.Payload())
	}
	if bytes > maxReplySize+event.MaxBatchBytes {
		t.Errorf("%d bytes", bytes)
	}
}

// One side of a partition wrote more than a request may make us look at. What
// the other side wrote before that, and is asked for by name, is served all the
// same: nothing else would ever bring it.
func TestWhatIsWantedIsServedBehindALongHistoryThatOneHas(t *testing.T) {
	theirs := newAuthor(1).write(t, testTime, 1)
	m := newMemory(theirs)
	a := newAuthor(2)
	for i := range maxWalk + 100 {
		_, _ = m.Append(t.Context(), a.write(t, testTime.Add(time.Duration(i+1)*time.Second), 1), false)
	}
	for _, want := range [][]event.ID{{tail(theirs)}, nil} {
		got := served(t, m, &request{want: want, have: []event.ID{a.last}, limit: maxLimit})
		if len(got) != 1 || got[0].Events[0].ID != tail(theirs) {
			t.Errorf("%d batches", len(got))
		}
	}
}

// Several authors who name each other's newest events: whatever one has, asking
// with it and storing the answers ends in having everything.
func TestAskingAgainAndAgainBringsEverything(t *testing.T) {
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 1))
		authors := []*author{newAuthor(1), newAuthor(2), newAuthor(3)}
		full, part := newMemory(), newMemory()
		for i := range 120 {
			a := authors[dice.IntN(3)]
			var parents []event.ID
			if o := authors[dice.IntN(3)]; o != a && o.seq > 0 {
				parents = append(parents, o.last)
			}
			// clocks differ by up to a minute, so that time misleads
			at := testTime.Add(time.Duration(i)*time.Second + time.Duration(a.id[0])*time.Minute/256)
			b := a.write(t, at, 1+dice.IntN(3), parents...)
			_, _ = full.Append(t.Context(), b, false)
			if dice.IntN(4) == 0 {
				_, _ = part.Append(t.Context(), b, false)
			}
		}
		rounds := 0
		for ; len(part.batches) < len(full.batches) && rounds < 100; rounds++ {
			r := request{limit: 64}
			missing, _ := part.Missing(testLog)
			if len(missing) == 0 {
				r.have, _ = part.Heads(testLog)
			} else {
				r.want = missing[:min(len(missing), maxWant)]
			}
			for _, b := range served(t, full, &r) {
				_, _ = part.Append(t.Context(), b, false)
			}
		}
		if len(part.batches) < len(full.batches) {
			t.Errorf("seed %d: %d of %d after %d rounds", seed, len(part.batches), len(full.batches), rounds)
		}
	}
}
