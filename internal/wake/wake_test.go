package wake_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/wake"
)

func TestOrderAndReuse(t *testing.T) {
	q := wake.New[int](4)
	var got []int
	for round := range 3 {
		for i := range 4 {
			if !q.Put(round*4 + i) {
				t.Fatalf("put %d was refused", i)
			}
		}
		<-q.Wake()
		var lost bool
		got, lost = q.TakeAll(got)
		if want := []int{round * 4, round*4 + 1, round*4 + 2, round*4 + 3}; !slices.Equal(got, want) || lost {
			t.Fatalf("got %v, %v, want %v", got, lost, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { q.Put(1); got, _ = q.TakeAll(got) }); n != 0 {
		t.Errorf("%v allocations a round with a spare slice", n)
	}
}

func TestOverflowIsToldOnce(t *testing.T) {
	q := wake.New[int](2)
	for i := range 5 {
		if ok := q.Put(i); ok != (i < 2) {
			t.Errorf("put %d: %v", i, ok)
		}
	}
	got, lost := q.TakeAll(nil)
	if !slices.Equal(got, []int{0, 1}) || !lost {
		t.Errorf("got %v, %v", got, lost)
	}
	q.Put(9)
	if got, lost = q.TakeAll(nil); !slices.Equal(got, []int{9}) || lost {
		t.Errorf("after the overflow: %v, %v", got, lost)
	}
	q.Overflow()
	<-q.Wake()
	if got, lost = q.TakeAll(nil); len(got) != 0 || !lost {
		t.Errorf("told overflow: %v, %v", got, lost)
	}
}

func TestLimitBelowOne(t *testing.T) {
	q := wake.New[int](0)
	if !q.Put(1) || q.Put(2) {
		t.Error("a limit of nothing should hold one")
	}
}

// A wake-up must never be lost: a reader that sleeps after its last TakeAll has
// to see what was put meanwhile.
func TestNothingIsLostBetweenWakeAndTake(t *testing.T) {
	const writers, each = 8, 2000
	q := wake.New[int](writers * each)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				q.Put(i)
			}
		})
	}
	n := 0
	var items []int
	for n < writers*each {
		<-q.Wake()
		items, _ = q.TakeAll(items)
		n += len(items)
	}
	wg.Wait()
	if left, _ := q.TakeAll(nil); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
}
