package directory

import "context"

// batch is how many nodes a reader is handed at once.
const batch = 256

// Watcher tells of changes. It belongs to one goroutine and costs nothing when it
// is not used any more.
type Watcher struct {
	d     *Directory
	at    uint64
	begun bool
}

// Watch returns one that begins with all nodes.
func (d *Directory) Watch() *Watcher { return &Watcher{d: d} }

// Next waits for changes and returns them, each node as it is now and at most 256;
// whole says that nothing is left to tell. Its first call does not wait. That a node
// is forgotten is not told. Errors: ctx's.
func (w *Watcher) Next(ctx context.Context) (nodes []Node, whole bool, err error) {
	first := !w.begun
	w.begun = true
	for {
		nodes, whole, wake := w.take()
		if len(nodes) > 0 || first {
			return nodes, whole, ctx.Err()
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

func (w *Watcher) take() (nodes []Node, whole bool, wake <-chan struct{}) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	entries, next := w.d.changes.since(w.at, batch, nil)
	w.at = next
	for _, e := range entries {
		nodes = append(nodes, e.node())
	}
	return nodes, next == w.d.changes.last, w.d.changes.woken()
}

// Report is a heartbeat that came to this registrar, to be passed on.
type Report struct {
	Author    Key
	Heartbeat []byte // signed
	Ticket    []byte // that admits its author
}

// Reports hands out heartbeats that came here. It belongs to one goroutine.
type Reports struct {
	d  *Directory
	at uint64
}

// Reports returns one that begins with the newest heartbeat of each node that reports
// here and is there.
func (d *Directory) Reports() *Reports { return &Reports{d: d} }

// Next waits until heartbeats came, and returns the newest of some nodes. Errors:
// ctx's.
func (r *Reports) Next(ctx context.Context) ([]Report, error) {
	for {
		reports, wake := r.take()
		if len(reports) > 0 {
			return reports, ctx.Err()
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Reports) take() (out []Report, wake <-chan struct{}) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	// What went silent is not told again: elsewhere it would be news.
	fits := func(e *entry) bool {
		return e.registrar == r.d.cfg.Self && (e.state < Offline || e.newest.Goodbye)
	}
	entries, next := r.d.reports.since(r.at, batch, fits)
	r.at = next
	for _, e := range entries {
		out = append(out, Report{e.key, e.signed, e.member.Ticket})
	}
	return out, r.d.reports.woken()
}
