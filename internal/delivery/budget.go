package delivery

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/internal/event"
)

// Budgets: how much one peer or author may cost. The least recently used are
// forgotten beyond maxBudgets of each sort. spec: 04-delivery §4
const (
	maxBudgets = 4096

	uselessPerSecond = 100 // ignored batches of one forwarder
	uselessAtOnce    = 2000

	authorPerSecond = 32 << 20 // bytes of one author's gossip
	authorAtOnce    = 64 << 20

	servedPerSecond = 8 << 20 // bytes that one peer may fetch
	servedAtOnce    = 32 << 20

	requestsPerSecond = 20
	requestsAtOnce    = 100
)

// budgets has the token buckets of peers and authors.
type budgets struct {
	useless  *lru.Cache[peer.ID, *rate.Limiter]
	authors  *lru.Cache[event.Author, *rate.Limiter]
	served   *lru.Cache[peer.ID, *rate.Limiter]
	requests *lru.Cache[peer.ID, *rate.Limiter]
}

func newBudgets() *budgets {
	return &budgets{
		useless: newBuckets[peer.ID](), authors: newBuckets[event.Author](),
		served: newBuckets[peer.ID](), requests: newBuckets[peer.ID](),
	}
}

func newBuckets[K comparable]() *lru.Cache[K, *rate.Limiter] {
	c, err := lru.New[K, *rate.Limiter](maxBudgets)
	if err != nil {
		panic(err) // only for a size below one
	}
	return c
}

// bucket returns the bucket of key. Two callers that race to make it may get
// different ones once, which costs a little generosity.
func bucket[K comparable](c *lru.Cache[K, *rate.Limiter], key K, perSecond rate.Limit, atOnce int) *rate.Limiter {
	if b, ok := c.Get(key); ok {
		return b
	}
	b := rate.NewLimiter(perSecond, atOnce)
	c.Add(key, b)
	return b
}

// solvent reports whether forwarder p has not yet sent too much that was of no
// use.
func (b *budgets) solvent(p peer.ID) bool {
	bucket, ok := b.useless.Get(p)
	return !ok || bucket.Tokens() >= 1
}

// charge puts one useless batch on p's account.
func (b *budgets) charge(p peer.ID) {
	bucket(b.useless, p, uselessPerSecond, uselessAtOnce).Allow()
}

// author reports whether an author may gossip n bytes more.
func (b *budgets) author(a event.Author, n int) bool {
	return bucket(b.authors, a, authorPerSecond, authorAtOnce).AllowN(time.Now(), n)
}

// request reports whether p may ask once more.
func (b *budgets) request(p peer.ID) bool {
	return bucket(b.requests, p, requestsPerSecond, requestsAtOnce).Allow()
}

// serve reports whether p may be sent n bytes more.
func (b *budgets) serve(p peer.ID, n int) bool {
	return bucket(b.served, p, servedPerSecond, servedAtOnce).AllowN(time.Now(), n)
}
