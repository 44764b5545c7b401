package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Upset says what happens to how many members while others send. They are the
// last ones; what is measured is measured at the others.
type Upset struct {
	Kill  int // end like a machine that loses power, after a third of the time
	Stop  int // do nothing any more from then on, with their connections open
	Slow  int // have the processor for a tenth of the time
	Churn int // are killed and started again, each every churnTime
}

// Count is how many members are upset.
func (u Upset) Count() int { return u.Kill + u.Stop + u.Slow + u.Churn }

// split tells who is left in peace and who is not.
func (u Upset) split(members []int) (well, upset []int) {
	n := len(members) - u.Count()
	return members[:n], members[n:]
}

// Times of being slow and of coming back.
const (
	slowPeriod = 500 * time.Millisecond
	slowShare  = 10 // one of so many parts it runs
	churnTime  = 3 * time.Second
)

// begin upsets members until what it returns is called, which waits.
func (u Upset) begin(ctx context.Context, c *crew, upset []int, all time.Duration) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	errs := make([]error, len(upset))
	var wg sync.WaitGroup
	for i, m := range upset {
		wg.Go(func() { errs[i] = u.upset(ctx, c, m, i, all/3) })
	}
	return func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}
}

// upset does to member m, the i-th of those concerned, what is its share.
func (u Upset) upset(ctx context.Context, c *crew, m, i int, after time.Duration) error {
	switch {
	case i < u.Kill:
		if sleep(ctx, after) {
			c.hands[m].kill()
		}
		return nil
	case i < u.Kill+u.Stop:
		if sleep(ctx, after) {
			return pause(c.hands[m].proc.Process)
		}
		return nil
	case i < u.Kill+u.Stop+u.Slow:
		return slow(ctx, c.hands[m])
	default:
		return churn(ctx, c, m, c.addrs[:len(c.addrs)-u.Count()], time.Duration(i)*churnTime/time.Duration(u.Churn))
	}
}

// slow lets a member run for a part of the time.
func slow(ctx context.Context, h *hand) error {
	for {
		if err := pause(h.proc.Process); err != nil {
			return err
		}
		going := sleep(ctx, slowPeriod-slowPeriod/slowShare)
		if err := resume(h.proc.Process); err != nil || !going {
			return err
		}
		if !sleep(ctx, slowPeriod/slowShare) {
			return nil
		}
	}
}

// churn kills a member and starts it again, over and over. It meets those who
// are well: they stay where they are.
func churn(ctx context.Context, c *crew, m int, well []peer.AddrInfo, first time.Duration) error {
	if !sleep(ctx, first) {
		return nil
	}
	for {
		c.hands[m].kill()
		if err := c.start(context.WithoutCancel(ctx), m); err != nil {
			return err
		}
		if err := c.hands[m].call(context.WithoutCancel(ctx), "Meet", well, &None{}); err != nil {
			return err
		}
		if !sleep(ctx, churnTime) {
			return nil
		}
	}
}
