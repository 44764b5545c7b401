package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
)

// crowd is the party of a process that has many leaves of a star. They are in
// rooms that differ, so none of them hears what another does.
type crowd struct {
	leaves []*leaf
	heard  atomic.Pointer[func(text string)]
}

// crowdGC is how much a crowd's heap grows, in percent, until its garbage is
// collected.
const crowdGC = 400

// openCrowd starts the leaves. What is measured is the hub: ten processes that
// look for work on all processors, and collect garbage when they like, would
// disturb it as machines of their own do not.
func openCrowd(ctx context.Context, o Opening) (*crowd, error) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(crowdGC)
	c, own := &crowd{}, o.voices()
	for i := own.first; i < own.first+own.count; i++ {
		l, err := openLeaf(ctx, leafConfig{
			dir: filepath.Join(o.Dir, strconv.Itoa(i)), network: o.network(), room: starRoom(o.Star.roomOf(i)), heard: c.hear,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("leaf %d: %w", i, err), c.close())
		}
		c.leaves = append(c.leaves, l)
	}
	return c, nil
}

// addr is none: nobody dials a leaf.
func (c *crowd) addr() peer.AddrInfo { return peer.AddrInfo{} }

func (c *crowd) meet(_ context.Context, others []peer.AddrInfo) {
	for _, l := range c.leaves {
		l.meet(others[0])
	}
}

// others counts the leaves that know the hub in their rooms.
func (c *crowd) others() (n int) {
	for _, l := range c.leaves {
		if l.met() {
			n++
		}
	}
	return n
}

// Join has all leaves of a crowd join their rooms.
func (m *Member) Join(None, *None) error {
	c, ok := m.party.(*crowd)
	if !ok {
		return errors.New("not a crowd")
	}
	for _, l := range c.leaves {
		if err := l.join(m.ctx); err != nil {
			return err
		}
	}
	return nil
}

// send has the leaves speak in turn.
func (c *crowd) send(ctx context.Context, texts iter.Seq[string]) iter.Seq[error] {
	return func(yield func(error) bool) {
		k := 0
		for t := range texts {
			if !yield(c.leaves[k%len(c.leaves)].say(ctx, t)) {
				return
			}
			k++
		}
	}
}

func (c *crowd) listen(ctx context.Context, heard func(string)) {
	c.heard.Store(&heard)
	<-ctx.Done()
}

func (c *crowd) hear(text string) {
	if heard := c.heard.Load(); heard != nil {
		(*heard)(text)
	}
}

// repaired is nothing: who stores nothing does not compare it.
func (c *crowd) repaired() (int, error) { return 0, nil }

func (c *crowd) traffic() int64 { return 0 }

func (c *crowd) close() error {
	var errs []error
	for _, l := range c.leaves {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}
