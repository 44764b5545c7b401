package dht

import (
	"context"
	"errors"
	"sync"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// maxStored bounds what all others together may have stored here, keys and
// values, in bytes: some 300,000 providers. spec: 09-dht §6
const maxStored = 64 << 20

var errFull = errors.New("no room for more records")

// bounded is a store that takes nothing new once it is full. What is there may
// still be replaced, and makes room as it ages. Safe for concurrent use.
type bounded struct {
	datastore.Batching

	mu   sync.Mutex // held while writing: what is counted is what was there
	size int
}

func newBounded(of datastore.Batching) *bounded { return &bounded{Batching: of} }

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
		b.size += len(e.Key) + len(e.Value)
	}
	return nil
}

// growth is how much the store grows when a key gets a value; nil deletes. It
// is errFull for what is new when there is no room besides what is planned.
func (b *bounded) growth(ctx context.Context, key datastore.Key, value []byte, planned int) (int, error) {
	before, err := b.GetSize(ctx, key)
	switch {
	case errors.Is(err, datastore.ErrNotFound) && value == nil:
		return 0, nil
	case errors.Is(err, datastore.ErrNotFound):
		more := len(key.String()) + len(value)
		if b.size+planned+more > maxStored {
			return 0, errFull
		}
		return more, nil
	case err != nil:
		return 0, err
	case value == nil:
		return -len(key.String()) - before, nil
	default:
		return len(value) - before, nil
	}
}

// Put refuses what is new when there is no room for it.
func (b *bounded) Put(ctx context.Context, key datastore.Key, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	more, err := b.growth(ctx, key, value, 0)
	if err == nil {
		err = b.Batching.Put(ctx, key, value)
	}
	if err == nil {
		b.size += more
	}
	return err
}

// Delete makes room.
func (b *bounded) Delete(ctx context.Context, key datastore.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	less, err := b.growth(ctx, key, nil, 0)
	if err == nil {
		err = b.Batching.Delete(ctx, key)
	}
	if err == nil {
		b.size += less
	}
	return err
}

// Batch gathers changes. Of what is new in a batch, what there is no room for
// is left out without a word: the rest is not to suffer.
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
	planned := 0
	for key, value := range w.ops {
		more, err := b.growth(ctx, key, value, planned)
		switch {
		case errors.Is(err, errFull):
			continue
		case err != nil:
		case value == nil:
			err = to.Delete(ctx, key)
		default:
			err = to.Put(ctx, key, value)
		}
		if err != nil {
			return err
		}
		planned += more
	}
	if err := to.Commit(ctx); err != nil {
		return err
	}
	b.size += planned
	return nil
}
