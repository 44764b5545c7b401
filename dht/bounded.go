package dht

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// maxStored bounds what all others together may have stored here, keys and
// values, in bytes: some 300,000 providers. When it is full an eighth is made
// free, so that it is read through seldom. spec: 09-dht §6
const (
	maxStored = 64 << 20
	makeFree  = maxStored / 8
)

// bounded is a store that, once it is full, takes from those who hold most:
// whoever makes keys to fill it takes his own place, and who has told little
// keeps it. Safe for concurrent use.
type bounded struct {
	datastore.Batching

	mu      sync.Mutex // held while writing: what is counted is what was there
	size    int
	held    map[uint64]int // bytes by holder
	seed    maphash.Seed   // of holders: nobody chooses whom to be counted with
	evicted atomic.Uint64
}

func newBounded(of datastore.Batching) *bounded {
	return &bounded{Batching: of, held: make(map[uint64]int), seed: maphash.MakeSeed()}
}

// holder is who stored a key: the last part of it is the provider's ID, or the
// key of the node whose record it is.
func (b *bounded) holder(key string) uint64 {
	return maphash.String(b.seed, key[strings.LastIndexByte(key, '/')+1:])
}

// add counts that a key takes so many bytes more, or fewer.
func (b *bounded) add(key string, more int) {
	h := b.holder(key)
	b.size += more
	if b.held[h] += more; b.held[h] <= 0 {
		delete(b.held, h)
	}
}

// bytes is how much is stored.
func (b *bounded) bytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

// count reads how much is there.
func (b *bounded) count() error {
	ctx := context.Background()
	all, err := b.Query(ctx, query.Query{})
	if err != nil {
		return err
	}
	defer all.Close()
	for e := range all.Next() {
		if e.Error != nil {
			return e.Error
		}
		b.add(e.Key, len(e.Key)+len(e.Value))
	}
	return nil
}

// growth is how much the store grows when a key gets a value; nil deletes.
func (b *bounded) growth(ctx context.Context, key datastore.Key, value []byte) (int, error) {
	before, err := b.GetSize(ctx, key)
	switch {
	case errors.Is(err, datastore.ErrNotFound) && value == nil:
		return 0, nil
	case errors.Is(err, datastore.ErrNotFound):
		return len(key.String()) + len(value), nil
	case err != nil:
		return 0, err
	case value == nil:
		return -len(key.String()) - before, nil
	default:
		return len(value) - before, nil
	}
}

// makeRoom makes sure that there is room for so many bytes.
func (b *bounded) makeRoom(ctx context.Context, need int) error {
	if b.size+need <= maxStored {
		return nil
	}
	doomed, err := b.doomed(ctx, maxStored-makeFree-need)
	if err != nil {
		return err
	}
	for _, e := range doomed {
		key := datastore.RawKey(e.Key)
		if err := b.Batching.Delete(ctx, key); err != nil {
			return err
		}
		b.add(e.Key, -len(e.Key)-e.Size)
		b.evicted.Add(1)
	}
	return nil
}

// doomed is what has to go so that the store has at most so many bytes.
func (b *bounded) doomed(ctx context.Context, limit int) (out []query.Entry, err error) {
	share, left := fairShare(b.held, limit), maps.Clone(b.held)
	all, err := b.Query(ctx, query.Query{KeysOnly: true, ReturnsSizes: true})
	if err != nil {
		return nil, err
	}
	defer all.Close()
	for e := range all.Next() {
		if e.Error != nil {
			return nil, e.Error
		}
		if h := b.holder(e.Key); left[h] > share {
			left[h] -= len(e.Key) + e.Size
			out = append(out, e.Entry)
		}
	}
	return out, nil
}

// fairShare is how much each may hold at most so that all together hold no more
// than limit: who holds less keeps all of it.
func fairShare(held map[uint64]int, limit int) int {
	sizes := slices.Sorted(maps.Values(held))
	for i, size := range sizes {
		if share := max(limit, 0) / (len(sizes) - i); size > share {
			return share
		}
		limit -= size
	}
	return math.MaxInt
}

// Put makes room where there is none.
func (b *bounded) Put(ctx context.Context, key datastore.Key, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.makeRoom(ctx, len(key.String())+len(value)); err != nil {
		return err
	}
	more, err := b.growth(ctx, key, value)
	if err == nil {
		err = b.Batching.Put(ctx, key, value)
	}
	if err == nil {
		b.add(key.String(), more)
	}
	return err
}

// Delete makes room.
func (b *bounded) Delete(ctx context.Context, key datastore.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	less, err := b.growth(ctx, key, nil)
	if err == nil {
		err = b.Batching.Delete(ctx, key)
	}
	if err == nil {
		b.add(key.String(), less)
	}
	return err
}

// Batch gathers changes, for which room is made as for others.
func (b *bounded) Batch(context.Context) (datastore.Batch, error) {
	return &boundedBatch{b: b, ops: make(map[datastore.Key][]byte)}, nil
}

// boundedBatch is changes by key; nil deletes. Not safe for concurrent use.
type boundedBatch struct {
	b   *bounded
	ops map[datastore.Key][]byte
}

func (w *boundedBatch) Put(_ context.Context, key datastore.Key, value []byte) error {
	w.ops[key] = append([]byte{}, value...)
	return nil
}

func (w *boundedBatch) Delete(_ context.Context, key datastore.Key) error {
	w.ops[key] = nil
	return nil
}

// Commit writes them.
func (w *boundedBatch) Commit(ctx context.Context) error {
	b := w.b
	b.mu.Lock()
	defer b.mu.Unlock()
	to, err := b.Batching.Batch(ctx)
	if err != nil {
		return err
	}
	need := 0
	for key, value := range w.ops {
		need += len(key.String()) + len(value)
	}
	if err := b.makeRoom(ctx, need); err != nil {
		return err
	}
	more := make(map[datastore.Key]int, len(w.ops))
	for key, value := range w.ops {
		if more[key], err = b.growth(ctx, key, value); err != nil {
			return err
		}
		if value == nil {
			err = to.Delete(ctx, key)
		} else {
			err = to.Put(ctx, key, value)
		}
		if err != nil {
			return err
		}
	}
	if err := to.Commit(ctx); err != nil {
		return err
	}
	for key, n := range more {
		b.add(key.String(), n)
	}
	return nil
}
