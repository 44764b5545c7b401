package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// SyncOptions say what two are to compare.
type SyncOptions struct {
	Events    int
	Missing   int
	Burst     int // events that were written at a time
	Size      int
	Transport string
	Loss      float64
	Profiles  string
}

// historySpan is how far back the history of a sync goes.
const historySpan = 500 * 24 * time.Hour

// The members of a sync: who wrote most of the history, who lacks it, and who
// wrote what is missing in the end, spread over all of the time.
const (
	author = iota
	newcomer
	straggler
)

// Sync measures how a newcomer catches up with a room's history, and then how
// fast it finds some messages in it that it lacks.
func Sync(ctx context.Context, o SyncOptions, say Say) (caughtUp, synced *Result, err error) {
	say("starting %d members", 3)
	c, err := newCrew(ctx, Opening{Nodes: 3, Senders: 3, Transport: o.Transport, Loss: o.Loss}, false)
	if c != nil {
		defer func() { _ = c.close() }()
	}
	if err != nil {
		return nil, nil, err
	}
	say("one writes %d messages", o.Events)
	past := Past{Events: o.Events, Burst: o.Burst, Size: o.Size, Since: time.Now().Add(-historySpan)}
	if err := c.hands[author].call(ctx, "Write", past, &None{}); err != nil {
		return nil, nil, err
	}
	if err := c.begin(ctx, o.Profiles); err != nil {
		return nil, nil, err
	}
	say("another fetches them")
	if caughtUp, err = c.catchUp(ctx, newcomer, []int{o.Events, 0, 0}); err != nil {
		return nil, nil, err
	}
	caughtUp.describe("newcomer", o, o.Events)
	if o.Missing == 0 {
		return caughtUp, nil, nil
	}
	synced, err = c.spread(ctx, o, say)
	return caughtUp, synced, err
}

// spread has a straggler bring some messages while the newcomer is away, and
// measures how that one finds them.
func (c *crew) spread(ctx context.Context, o SyncOptions, say Say) (*Result, error) {
	if err := c.hands[newcomer].close(); err != nil {
		return nil, err
	}
	say("%d messages are written that it lacks", o.Missing)
	past := Past{Events: o.Missing, Burst: 1, Size: o.Size, Since: time.Now().Add(-historySpan + time.Hour)}
	if err := c.hands[straggler].call(ctx, "Write", past, &None{}); err != nil {
		return nil, err
	}
	if _, err := c.catchUp(ctx, author, []int{0, 0, o.Missing}); err != nil {
		return nil, err
	}
	if err := c.hands[straggler].close(); err != nil {
		return nil, err
	}
	// It forgets where the author is: it meets him when the clock runs.
	if err := os.Remove(filepath.Join(c.memberDir(newcomer), "peers.json")); err != nil {
		return nil, err
	}
	if err := c.start(ctx, newcomer); err != nil {
		return nil, err
	}
	say("it is back and looks for them")
	r, err := c.catchUp(ctx, newcomer, []int{0, 0, o.Missing})
	if err != nil {
		return nil, err
	}
	r.describe("sync", o, o.Missing)
	r.Missing = o.Missing
	return r, nil
}

// describe says what was measured: how fast so many messages were found.
func (r *Result) describe(workload string, o SyncOptions, found int) {
	r.Workload, r.Size, r.Events = workload, o.Size, o.Events
	r.EventsPerS = float64(found) / r.Seconds
}

// catchUp has member who meet the author, or the straggler him, and waits until
// it has what the others sent.
func (c *crew) catchUp(ctx context.Context, who int, sent []int) (*Result, error) {
	with := author
	if who == author {
		with = straggler
	}
	before, begun := Use{}, time.Now()
	if err := c.hands[who].call(ctx, "Use", None{}, &before); err != nil {
		return nil, err
	}
	if err := c.hands[who].call(ctx, "Meet", c.addrs[with:with+1], &None{}); err != nil {
		return nil, err
	}
	var t Tally
	if err := c.hands[who].call(ctx, "Tally", Awaited{sent, catchingUp}, &t); err != nil {
		return nil, err
	}
	if t.Missing > 0 {
		return nil, fmt.Errorf("%d messages are still missing after %v", t.Missing, catchingUp)
	}
	after := Use{}
	if err := c.hands[who].call(ctx, "Use", None{}, &after); err != nil {
		return nil, err
	}
	o := c.opening
	return &Result{
		Nodes: 2, Transport: o.Transport, LossRate: o.Loss, Repaired: &t.Repaired,
		Seconds: t.Last.Sub(begun).Seconds(), Kilobytes: float64(after.Traffic-before.Traffic) / 1e3, RSS: after.RSS / 1e6,
	}, nil
}

// catchingUp is how long that may take.
const catchingUp = 10 * time.Minute
