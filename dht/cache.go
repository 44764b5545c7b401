package dht

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
)

// Bounds of the look-up cache.
const (
	cached     = 4096
	foundFor   = refresh          // that what was found is taken as true
	missingFor = 10 * time.Second // that what was not found is
)

// cache remembers look-ups, the least recently used of which are forgotten, and
// has those of one key that come together made once. It may be used by any
// goroutine.
type cache[V any] struct {
	entries *lru.Cache[string, cacheEntry[V]]
	flights singleflight.Group
	lookups *prometheus.CounterVec // by result
	life    func(V) time.Duration  // that what was found is good for
}

type cacheEntry[V any] struct {
	val   V
	found bool
	until time.Time
}

func newCache[V any](lookups *prometheus.CounterVec, life func(V) time.Duration) *cache[V] {
	entries, err := lru.New[string, cacheEntry[V]](cached)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &cache[V]{entries: entries, lookups: lookups, life: life}
}

// get returns what was looked up under key, or has it looked up now, for all who
// ask for it meanwhile: look goes on when ctx ends. Errors of look are not
// remembered. Errors: look's, ctx's.
func (c *cache[V]) get(ctx context.Context, key string, look func() (val V, found bool, err error)) (val V, found bool, err error) {
	if e, ok := c.fresh(key); ok {
		c.lookups.WithLabelValues("hit").Inc()
		return e.val, e.found, nil
	}
	c.lookups.WithLabelValues("miss").Inc()
	flight := c.flights.DoChan(key, func() (any, error) {
		if e, ok := c.fresh(key); ok { // found between the look above and now
			return e, nil
		}
		return c.note(key, look)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return val, false, r.Err
		}
		e := r.Val.(cacheEntry[V])
		return e.val, e.found, nil
	case <-ctx.Done():
		return val, false, ctx.Err()
	}
}

func (c *cache[V]) fresh(key string) (cacheEntry[V], bool) {
	e, ok := c.entries.Get(key)
	return e, ok && time.Now().Before(e.until)
}

// note looks something up and remembers it.
func (c *cache[V]) note(key string, look func() (V, bool, error)) (cacheEntry[V], error) {
	val, found, err := look()
	if err != nil {
		return cacheEntry[V]{}, err
	}
	life := missingFor
	if found {
		life = min(foundFor, c.life(val))
	}
	e := cacheEntry[V]{val, found, time.Now().Add(life)}
	c.entries.Add(key, e)
	return e, nil
}

// forget has the next get look key up.
func (c *cache[V]) forget(key string) {
	c.flights.Forget(key)
	c.entries.Remove(key)
}
