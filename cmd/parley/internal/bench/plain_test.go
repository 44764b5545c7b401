package bench

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// The baseline's sender waits for its slowest receiver, and for nobody who
// cannot be heard.
func TestBaselineWaitsForTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowest{counts: make([]atomic.Uint64, 2), more: make(chan struct{}, 1)}
		w.wait(t.Context(), plainWindow-1) // nobody has anything yet

		waited := make(chan struct{})
		go func() {
			defer close(waited)
			w.wait(t.Context(), plainWindow+9)
		}()
		still := func() bool {
			synctest.Wait()
			select {
			case <-waited:
				return false
			default:
				return true
			}
		}
		w.set(&w.counts[0], 500)
		if !still() {
			t.Fatal("it does not wait for the one who has nothing")
		}
		w.set(&w.counts[1], 9)
		if !still() {
			t.Fatal("it does not wait for the one who lacks as much as may be under way")
		}
		w.set(&w.counts[1], 10)
		if still() {
			t.Fatal("it waits though all have enough")
		}
		for i := range w.counts {
			w.set(&w.counts[i], math.MaxUint64/2)
		}
		w.wait(t.Context(), math.MaxUint64/4)
	})
}
