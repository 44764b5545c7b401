// Package wake has the bounded queue between one that must not wait and one
// that may be slow: put never blocks, the reader is woken and takes all that is
// there, and an overflow flag tells him that something is missing, so that he
// reads it again where it is kept.
//
//	q := wake.New[Update](1024)
//	q.Put(u)                       // any goroutine
//
//	for {                          // one reader
//		select {
//		case <-q.Wake():
//		case <-ctx.Done():
//			return
//		}
//		items, lost := q.TakeAll(items)
//	}
//
// All methods may be called by any goroutine. Items come out in the order in
// which they were put. What was put before a wake-up is seen by the TakeAll
// after it; a wake-up may find nothing, when an earlier TakeAll took it along.
package wake

import "sync"

// Queue holds at most a fixed number of items. Make one with New.
type Queue[T any] struct {
	limit int
	wake  chan struct{}

	mu       sync.Mutex
	items    []T
	overflow bool
}

// New returns an empty queue for at most limit items; a limit below one is one.
// Memory is taken as items come.
func New[T any](limit int) *Queue[T] {
	return &Queue[T]{limit: max(limit, 1), wake: make(chan struct{}, 1)}
}

// Put appends v and wakes the reader. When the queue is full it drops v, sets
// the overflow flag, wakes the reader all the same, and returns false.
func (q *Queue[T]) Put(v T) bool {
	q.mu.Lock()
	ok := len(q.items) < q.limit
	if ok {
		q.items = append(q.items, v)
	} else {
		q.overflow = true
	}
	q.mu.Unlock()
	q.signal()
	return ok
}

// Overflow sets the overflow flag and wakes the reader, for a loss that
// happened before the queue.
func (q *Queue[T]) Overflow() {
	q.mu.Lock()
	q.overflow = true
	q.mu.Unlock()
	q.signal()
}

// Wake returns the channel that has one value after something was put or lost
// since the last TakeAll. It is never closed.
func (q *Queue[T]) Wake() <-chan struct{} { return q.wake }

// TakeAll empties the queue: it returns the items, oldest first, and whether
// any was lost after the last of them or between them since the last call.
// spare, which may be nil, is cleared and used for later items: hand in what
// the last call returned once it is dealt with, and nothing is allocated.
func (q *Queue[T]) TakeAll(spare []T) (items []T, overflow bool) {
	clear(spare[:cap(spare)])
	q.mu.Lock()
	defer q.mu.Unlock()
	items, overflow = q.items, q.overflow
	q.items, q.overflow = spare[:0], false
	return items, overflow
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
