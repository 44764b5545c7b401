package dht

import (
	"context"
	"sync/atomic"
)

// tally counts whom something was told, for the library does not say. It
// travels in the context of the call. Safe for concurrent use; of nil nothing
// is counted.
type tally struct {
	took atomic.Int64
	last atomic.Pointer[error] // why one did not
}

type tallyKey struct{}

func withTally(ctx context.Context) (context.Context, *tally) {
	t := new(tally)
	return context.WithValue(ctx, tallyKey{}, t), t
}

func tallyOf(ctx context.Context) *tally {
	t, _ := ctx.Value(tallyKey{}).(*tally)
	return t
}

// note takes note that a server took it, or why not.
func (t *tally) note(err error) {
	switch {
	case t == nil:
	case err == nil:
		t.took.Add(1)
	default:
		t.last.Store(&err)
	}
}

// err is why nobody took it; nil if one did, or none was asked.
func (t *tally) err() error {
	if last := t.last.Load(); last != nil && t.took.Load() == 0 {
		return *last
	}
	return nil
}
