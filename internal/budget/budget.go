// Package budget says how much each of many peers or authors may still cost: a
// token bucket for every key, of which the least recently used are forgotten.
//
//	b := budget.New[peer.ID](100, 2000)     // a second, at once
//	if b.Take(p, n) { … }                   // only if there is enough
//	if b.Solvent(p) { … b.Charge(p, cost) } // what it cost is known afterwards
//
// What is refused takes nothing. Debt is paid off as time passes, and a key
// that was forgotten has none. All methods may be called by any goroutine.
package budget

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxKeys is how many keys are remembered.
const maxKeys = 4096

// Budgets has one bucket a key. Make it with New.
type Budgets[K comparable] struct {
	buckets   *lru.Cache[K, *rate.Limiter]
	perSecond rate.Limit
	atOnce    int
}

// New returns full buckets that hold atOnce and gain perSecond each second.
func New[K comparable](perSecond float64, atOnce int) *Budgets[K] {
	buckets, err := lru.New[K, *rate.Limiter](maxKeys)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Budgets[K]{buckets: buckets, perSecond: rate.Limit(perSecond), atOnce: atOnce}
}

// bucket returns the bucket of key. Two callers that race to make it may get
// different ones once, which costs a little generosity.
func (b *Budgets[K]) bucket(key K) *rate.Limiter {
	if l, ok := b.buckets.Get(key); ok {
		return l
	}
	l := rate.NewLimiter(b.perSecond, b.atOnce)
	b.buckets.Add(key, l)
	return l
}

// Take takes n, if key has as much.
func (b *Budgets[K]) Take(key K, n int) bool { return b.bucket(key).AllowN(time.Now(), n) }

// Wait takes n when key has as much, or fails when ctx ends before.
func (b *Budgets[K]) Wait(ctx context.Context, key K, n int) error {
	return b.bucket(key).WaitN(ctx, min(n, b.atOnce))
}

// Solvent reports whether key has anything left.
func (b *Budgets[K]) Solvent(key K) bool {
	l, ok := b.buckets.Get(key)
	return !ok || l.Tokens() >= 1
}

// Charge takes n whatever key has: it may get into debt, by one full bucket a
// call at most.
func (b *Budgets[K]) Charge(key K, n int) {
	b.bucket(key).ReserveN(time.Now(), min(n, b.atOnce))
}
