package chat

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Origin says of which room of which network exported events are.
type Origin struct {
	Network [32]byte // the network's ID
	Room    string
}

// Imported is what became of some of what is imported.
type Imported struct {
	New, Known int       // events that were stored, and that had been before
	Refused    []Refused // payloads that were not taken, in their order
	Done       int       // payloads dealt with by now, from the first on
}

// Refused is a payload that was not taken, and why: ErrForged, ErrOtherRoom,
// ErrAhead, ErrNewer, ErrRevoked, ErrScattered.
type Refused struct {
	Index int // among all the payloads of the import, from 0
	Err   error
}

// Bounds of what is verified before it is stored: the greater it is, the more
// batches that were exported event by event come together again.
const (
	portionEvents = 4096
	portionBytes  = 8 << 20
)

// Import verifies exported events as if peers had sent them and stores those
// that are new. It yields what became of one portion after another, each when
// it is safe on disk, at least one; one that is refused stops none of the
// others. Members of the room get what is new as they get everything.
//
// A room that is not joined is not joined by it: its history can be read, and
// nobody is told. Own events, written by this node before its directory was
// restored or on a copy of it, continue the own chain.
//
// An error ends it: ErrOtherNetwork, ErrRoomName, ErrClosed, ctx's, store
// errors such as a full disk. It can be repeated: what is stored is known.
func (m *Messenger) Import(ctx context.Context, from Origin, payloads iter.Seq[[]byte]) iter.Seq2[Imported, error] {
	return func(yield func(Imported, error) bool) {
		in, err := m.importer(from)
		if err != nil {
			yield(Imported{}, err)
			return
		}
		for p := range payloads {
			in.take(p, m.node.Now())
			if !in.full() {
				continue
			}
			if done, err := in.store(ctx); !yield(done, err) || err != nil {
				return
			}
		}
		yield(in.store(ctx))
	}
}

// importer gathers and stores one portion after another.
type importer struct {
	m        *Messenger
	from     Origin
	key      string
	log      event.LogID
	verifier event.Verifier

	taken []imported
	bytes int
	done  Imported
}

// imported is a verified batch, and the payloads that it came in.
type imported struct {
	batch *event.Batch
	from  []int
}

func (m *Messenger) importer(from Origin) (*importer, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	key, err := roomKey(from.Room)
	if err != nil {
		return nil, err
	}
	network := m.node.Network()
	if from.Network != network.ID {
		return nil, ErrOtherNetwork.Withf("the export is of the network with the ID %.8x…, this node is in %.8x…", from.Network, network.ID)
	}
	return &importer{m: m, from: from, key: key, log: event.PublicRoomLog(network.ID, key)}, nil
}

// take verifies a payload. Nothing is kept of one that is refused.
func (in *importer) take(payload []byte, now time.Time) {
	index := in.done.Done
	in.done.Done++
	b, err := in.verify(payload, now)
	if err != nil {
		in.done.Refused = append(in.done.Refused, Refused{index, err})
		return
	}
	in.taken = append(in.taken, imported{b, []int{index}})
	in.bytes += len(payload)
}

// verify makes the checks that what comes from peers must pass.
func (in *importer) verify(payload []byte, now time.Time) (*event.Batch, error) {
	b, err := event.Decode(payload)
	switch {
	case errors.Is(err, event.ErrVersion):
		return nil, ErrNewer.With(err)
	case err != nil:
		return nil, ErrForged.With(err)
	case b.Log() != in.log:
		return nil, ErrOtherRoom
	}
	for i := range b.Events {
		if err := event.LogPublicRoom.Admits(&b.Events[i].Header); err != nil {
			return nil, ErrForged.With(err)
		}
	}
	if err := in.verifier.Verify(b); err != nil {
		return nil, ErrForged.With(err)
	}
	if delivery.Early(now, b) {
		return nil, ErrAhead
	}
	return b, nil
}

func (in *importer) full() bool {
	return len(in.taken)+len(in.done.Refused) >= portionEvents || in.bytes >= portionBytes
}

// store stores what was taken and returns what became of it.
func (in *importer) store(ctx context.Context) (Imported, error) {
	batches := join(in.taken)
	var res []eventlog.Appended
	var errs []error
	if len(batches) > 0 {
		var err error
		if res, errs, err = in.append(ctx, batches); err != nil {
			return Imported{}, err
		}
	}
	for i := range batches {
		if err := in.count(&batches[i], res[i], errs[i]); err != nil {
			return Imported{}, err
		}
	}
	done := in.done
	slices.SortFunc(done.Refused, func(a, b Refused) int { return a.Index - b.Index })
	clear(in.taken)
	in.taken, in.bytes, in.done = in.taken[:0], 0, Imported{Done: done.Done}
	return done, nil
}

func (in *importer) count(b *imported, res eventlog.Appended, err error) error {
	if errors.Is(err, eventlog.ErrScattered) {
		for _, index := range b.from {
			in.done.Refused = append(in.done.Refused, Refused{index, err})
		}
		return nil
	}
	if err == nil && len(res.Cut) == len(res.New) {
		for _, index := range b.from {
			in.done.Refused = append(in.done.Refused, Refused{index, ErrRevoked})
		}
		return nil
	}
	for i, isNew := range res.New {
		switch {
		case isNew:
			in.done.New++
		case !slices.Contains(res.Cut, i):
			in.done.Known++
		}
	}
	return err
}

// append stores batches of the room. Meanwhile it is neither joined nor left.
func (in *importer) append(ctx context.Context, items []imported) ([]eventlog.Appended, []error, error) {
	m := in.m
	end, err := m.change(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer end()
	r, err := m.knownRoom(ctx, in.from.Room, in.key)
	if err != nil {
		return nil, nil, err
	}
	batches := make([]*event.Batch, len(items))
	for i := range items {
		batches[i] = items[i].batch
	}
	if r.Joined() {
		res, errs := r.replica().Bring(ctx, batches)
		return res, errs, nil
	}
	res, errs := m.store.AppendAll(ctx, batches, true)
	for i, b := range batches {
		if errs[i] == nil && res[i].Arrival > 0 {
			m.clock.Observe(m.node.Now(), b.Events[len(b.Events)-1].HLC)
			m.stored(b, res[i].New)
		}
	}
	return res, errs, nil
}

// knownRoom returns the room of a key, within a change. One that is new here
// is remembered as one that was left.
func (m *Messenger) knownRoom(ctx context.Context, name, key string) (*Room, error) {
	m.mu.Lock()
	known := m.rooms[key] != nil
	m.mu.Unlock()
	r, err := m.roomFor(ctx, name, key)
	if err != nil || known {
		return r, err
	}
	return r, m.saveRooms()
}

// join puts together again the batches whose events have all come alone. Each
// takes the place of its first event.
func join(items []imported) []imported {
	of := make(map[event.Claim][]int)
	for i := range items {
		if p, alone := items[i].batch.Proof(); alone && p.Count > 1 {
			c := items[i].batch.Claim()
			of[c] = append(of[c], i)
		}
	}
	gone := make([]bool, len(items))
	for claim, places := range of {
		singles, from := make([]*event.Batch, len(places)), make([]int, len(places))
		for j, i := range places {
			singles[j], from[j] = items[i].batch, items[i].from[0]
		}
		whole, err := event.Join(singles)
		if err != nil || whole.Claim() != claim { // what it claims was verified
			continue
		}
		items[places[0]] = imported{whole, from}
		for _, i := range places[1:] {
			gone[i] = true
		}
	}
	kept := items[:0]
	for i := range items {
		if !gone[i] {
			kept = append(kept, items[i])
		}
	}
	return kept
}
