package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// RoomOptions say what a room is to carry.
type RoomOptions struct {
	Nodes     int
	Senders   int // the first of them
	Rate      float64
	Size      int
	For       time.Duration
	Transport string
	Loss      float64
	Baseline  bool
	InProcess bool
	Upset     Upset
	Profiles  string // a directory for a processor profile of each member; empty: none
}

// settle is how long sync has for what gossip lost. The baseline has no sync.
func (o *RoomOptions) settle() time.Duration {
	if o.Baseline {
		return 3 * time.Second
	}
	return 2 * time.Minute
}

// calm is how long the members are left alone once all know of all: a mesh
// forms, and those who have met compare what they have.
func (c *crew) calm() time.Duration {
	return 3*time.Second + time.Duration(len(c.hands))*400*time.Millisecond
}

// Room measures a room in which some send and all receive.
func Room(ctx context.Context, o RoomOptions, say Say) (*Result, error) {
	say("starting %d members", o.Nodes)
	c, err := newCrew(ctx, Opening{
		Nodes: o.Nodes, Senders: o.Senders, Transport: o.Transport, Loss: o.Loss, Baseline: o.Baseline,
	}, o.InProcess)
	if c != nil {
		defer func() { _ = c.close() }()
	}
	if err != nil {
		return nil, err
	}
	if err := c.meet(ctx); err != nil {
		return nil, err
	}
	sleep(ctx, c.calm())
	if err := c.begin(ctx, o.Profiles); err != nil {
		return nil, err
	}
	say("all have met; %d send for %v", o.Senders, o.For)
	return c.room(ctx, o, say)
}

// room sends, waits for what is missing, and adds up.
func (c *crew) room(ctx context.Context, o RoomOptions, say Say) (*Result, error) {
	well, upset := o.Upset.split(c.members())
	before, err := c.use(ctx, well)
	if err != nil {
		return nil, err
	}
	stop := o.Upset.begin(ctx, c, upset, o.For)
	sents, err := all[Sent](ctx, c, c.members()[:o.Senders], "Send", Order{o.Rate, o.Size, o.For})
	if err = errors.Join(err, stop()); err != nil {
		return nil, err
	}
	counts := make([]int, o.Senders)
	for i, s := range sents {
		if s.Failed > 0 {
			return nil, fmt.Errorf("%d of %d messages could not be sent: %s", s.Failed, s.Count, s.Why)
		}
		counts[i] = s.Count
	}
	say("all is sent; waiting for what is missing")
	tallies, err := all[Tally](ctx, c, well, "Tally", Awaited{counts, o.settle()})
	if err != nil {
		return nil, err
	}
	after, err := c.use(ctx, well)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Workload: "room", Nodes: o.Nodes, Senders: o.Senders, Size: o.Size, Transport: o.Transport, Baseline: o.Baseline, LossRate: o.Loss,
		Carried: &Carried{}, Repaired: new(int), RSS: after.RSS / 1e6,
	}
	if err := r.room(sents, tallies); err != nil {
		return nil, err
	}
	r.CPU = float64((after.CPU - before.CPU).Microseconds()) / float64(max(1, r.Sent*len(well)))
	return r, nil
}

// room adds up what was sent and received.
func (r *Result) room(sents []Sent, tallies []Tally) error {
	took := hdrhistogram.New(lowest, highest, digits)
	first, last := sents[0].First, time.Time{}
	for _, s := range sents {
		r.Sent += s.Count
		if s.First.Before(first) {
			first = s.First
		}
	}
	for i := range tallies {
		t := &tallies[i]
		h, err := hdrhistogram.Decode(t.Latencies)
		if err != nil {
			return err
		}
		took.Merge(h)
		if t.Twice > 0 {
			return fmt.Errorf("%d messages came twice to one member", t.Twice)
		}
		r.Lost += t.Missing
		*r.Repaired += t.Repaired
		r.Silence = max(r.Silence, ms(t.Silence))
		if t.Last.After(last) {
			last = t.Last
		}
	}
	r.percentiles(took)
	r.Seconds = last.Sub(first).Seconds()
	if r.Seconds > 0 {
		// How a message came is known of their number alone. That no two members
		// missed the same one is the worst case.
		r.PerSecond = float64(max(0, r.Sent-*r.Repaired-r.Lost)) / r.Seconds
	}
	return nil
}
