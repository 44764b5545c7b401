package delivery

import (
	"context"
	"slices"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Bring stores verified batches of this log that came by another way than the
// network, such as a file, and takes note of them as of received ones. When it
// returns they are on disk. Own events among them move the end of the own
// chain: nothing is sent meanwhile, and what is sent later comes after them.
func (l *Log) Bring(ctx context.Context, batches []*event.Batch) ([]eventlog.Appended, []error) {
	if slices.ContainsFunc(batches, func(b *event.Batch) bool { return b.Author() == l.s.cfg.Author }) {
		l.chain.Lock()
		defer l.chain.Unlock()
	}
	res, errs := l.s.cfg.Store.AppendAll(ctx, batches, true)
	for i, b := range batches {
		l.appended(b, res[i], errs[i], false)
	}
	return res, errs
}
