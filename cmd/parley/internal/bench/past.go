package bench

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/chat"
)

// clock is the wall clock, or stands where it was put.
type clock struct{ at atomic.Int64 } // Unix nanoseconds; 0: the wall clock

func (c *clock) now() time.Time {
	if ns := c.at.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Now()
}

// Past says what a member is to have written in the past.
type Past struct {
	Events int
	Burst  int // so many at a time, as few batches as they fill; then the clock goes on
	Size   int
	Since  time.Time // when the first were written; the last are a minute old
}

// Write fills the room with messages as they would lie there if the member had
// written them over a long time.
func (m *Member) Write(o Past, _ *None) error {
	p, ok := m.party.(*ours)
	if !ok {
		return errors.New("the baseline keeps no history")
	}
	defer p.clock.at.Store(0)
	span := time.Since(o.Since) - time.Minute
	for i := 0; i < o.Events; i += o.Burst {
		at := o.Since.Add(time.Duration(float64(span) * float64(i) / float64(o.Events)))
		p.clock.at.Store(at.UnixNano())
		var contents []chat.Content
		for j := i; j < min(i+o.Burst, o.Events); j++ {
			contents = append(contents, chat.Text(stamp(m.opening.Self, j, at, o.Size)))
		}
		for _, err := range p.rooms[0].SendAll(m.ctx, slices.Values(contents)) {
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
		}
	}
	return m.ctx.Err()
}
