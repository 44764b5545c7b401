package dht

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of the look-up cache.
const (
	cached     = 4096
	foundFor   = refresh          // that what was found is taken as true
	missingFor = 10 * time.Second // that what was not found is
)

// cache remembers look-ups, the least recently used of which are forgotten. It
// may be used by any goroutine.
type cache[V any] struct {
	entries *lru.Cache[string, cacheEntry[V]]
	lookups *prometheus.CounterVec // by result
}

type cacheEntry[V any] struct {
	val   V
	found bool
	until time.Time
}

func newCache[V any](lookups *prometheus.CounterVec) *cache[V] {
	entries, err := lru.New[string, cacheEntry[V]](cached)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &cache[V]{entries, lookups}
}

// get returns what was looked up under key, or has it looked up now. Errors of
// look are not remembered.
func (c *cache[V]) get(key string, look func() (val V, found bool, err error)) (val V, found bool, err error) {
	if e, ok := c.entries.Get(key); ok && time.Now().Before(e.until) {
		c.lookups.WithLabelValues("hit").Inc()
		return e.val, e.found, nil
	}
	c.lookups.WithLabelValues("miss").Inc()
	if val, found, err = look(); err != nil {
		return val, found, err
	}
	life := missingFor
	if found {
		life = foundFor
	}
	c.entries.Add(key, cacheEntry[V]{val, found, time.Now().Add(life)})
	return val, found, nil
}
