package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// ConnectionsOptions say how many nodes a hub is to carry, and what they send.
type ConnectionsOptions struct {
	Leaves    int     // a multiple of Seats
	Rate      float64 // a second, of all together
	Size      int
	For       time.Duration
	Transport string
	Address   netip.Addr // the zero one: loopback
	Profiles  string
}

// starSettles is how long the hub has to fetch what gossip lost, and leaves to
// hear what is under way: nobody brings them what is lost.
const starSettles = 10 * time.Second

// calm is how long all are left alone once all are in their rooms: they look for
// others of them in the table then, 10 s after they came.
func (s *Star) calm() time.Duration {
	return 3*time.Second + time.Duration(s.leaves())*25*time.Millisecond
}

// Connections measures a hub, which is a whole node, with many leaves connected
// to it, four in each of its rooms: each message crosses the hub, which verifies
// and stores it, to the three others. Messages count where they were verified,
// or at the hub told as an update.
func Connections(ctx context.Context, o ConnectionsOptions, say Say) (*Result, error) {
	star := newStar(o.Leaves)
	star.Address = o.Address
	_, _ = rand.Read(star.Secret[:]) // never fails
	say("starting a hub, and %d nodes in %d processes", o.Leaves, star.crowds())
	c, err := newCrew(ctx, Opening{Nodes: 1 + star.crowds(), Senders: o.Leaves, Transport: o.Transport, Star: star}, false)
	if c != nil {
		defer func() { _ = c.close() }()
	}
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := c.gather(ctx, star); err != nil {
		return nil, err
	}
	setUp := time.Since(began)
	sleep(ctx, star.calm())
	if err := c.begin(ctx, o.Profiles); err != nil {
		return nil, err
	}
	say("all are in their rooms; they send for %v", o.For)
	r, err := c.star(ctx, star, o, say)
	if err != nil {
		return nil, err
	}
	r.SetUpMS = ms(setUp)
	return r, nil
}

// gather connects all leaves with the hub, and has them join their rooms once
// they and the hub know of each other there.
func (c *crew) gather(ctx context.Context, s *Star) error {
	if _, err := all[None](ctx, c, c.members()[1:], "Meet", []peer.AddrInfo{c.addrs[0]}); err != nil {
		return err
	}
	err := c.each(func(i int) error {
		want := s.voices(i).count
		if i == 0 {
			want = s.leaves()
		}
		return c.hands[i].call(ctx, "Await", Company{want, meeting}, &None{})
	})
	if err != nil {
		return err
	}
	_, err = all[None](ctx, c, c.members()[1:], "Join", None{})
	return err
}

// star has the leaves send, waits for what is missing, and adds up.
func (c *crew) star(ctx context.Context, s *Star, o ConnectionsOptions, say Say) (*Result, error) {
	everybody := c.members()
	hub, crowd := everybody[:1], everybody[1:]
	begun := time.Now()
	before, err := c.uses(ctx, hub, everybody)
	if err != nil {
		return nil, err
	}
	sents, err := all[Sent](ctx, c, crowd, "Send", Order{o.Rate / float64(o.Leaves), o.Size, o.For})
	if err != nil {
		return nil, err
	}
	counts := make([]int, o.Leaves)
	for i, sent := range sents {
		if sent.Failed > 0 {
			return nil, fmt.Errorf("%d of %d messages could not be sent: %s", sent.Failed, sent.Count, sent.Why)
		}
		s.voices(crowd[i]).share(sent.Count, counts)
	}
	say("all is sent; waiting for what is missing")
	tallies, err := all[Tally](ctx, c, everybody, "Tally", Awaited{counts, starSettles})
	if err != nil {
		return nil, err
	}
	took := time.Since(begun)
	after, err := c.uses(ctx, hub, everybody)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Workload: "connections", Nodes: o.Leaves, Senders: o.Leaves, Size: o.Size, Transport: o.Transport,
		Carried: &Carried{}, Repaired: new(int), RSS: after[0].RSS / 1e6,
	}
	if err := r.room(sents, tallies); err != nil {
		return nil, err
	}
	r.Silence = 0 // of whom, among so many, says nothing
	r.HubCores = (after[0].CPU - before[0].CPU).Seconds() / took.Seconds()
	r.CPU = float64((after[1].CPU - before[1].CPU).Microseconds()) / float64(max(1, r.Sent*Seats))
	return r, nil
}

// uses is what several groups of members have used, each together.
func (c *crew) uses(ctx context.Context, groups ...[]int) (out []Use, err error) {
	for _, members := range groups {
		u, err := c.use(ctx, members)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}
