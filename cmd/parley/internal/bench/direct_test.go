package bench

import (
	"testing"
	"time"
)

// What the other has not acknowledged is told as lost, and waited for no longer
// than was ordered: one who is gone for good does not hold a measurement for ever.
func TestWhatIsNotAcknowledgedIsLost(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c, err := newCrew(t.Context(), Opening{Nodes: 2, Transport: TCP}, true)
	t.Cleanup(func() { _ = c.close() })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.meet(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := DirectOrder{To: c.addrs[1].ID, InFlight: 4, Size: MinSize, For: 200 * time.Millisecond, Wait: acknowledging}
	var all, none DirectTally
	if err := c.hands[0].call(t.Context(), "Direct", order, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count == 0 || all.Lost != 0 {
		t.Errorf("%d messages, %d lost, while the other is there", all.Count, all.Lost)
	}
	if err := c.hands[1].close(); err != nil {
		t.Fatal(err)
	}
	order.Wait = 200 * time.Millisecond
	if err := c.hands[0].call(t.Context(), "Direct", order, &none); err != nil {
		t.Fatal(err)
	}
	if none.Count != order.InFlight || none.Lost != none.Count {
		t.Errorf("%d messages, %d lost, want %d of each: the other is gone", none.Count, none.Lost, order.InFlight)
	}
}
