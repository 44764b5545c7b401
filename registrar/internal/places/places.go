// Package places bounds what is held at once, in all and by each: connections,
// streams, calls. Whoever finds no place is turned away at once and waits for
// nothing.
package places

import (
	"net/netip"
	"sync"
)

// Places counts. Make one with [New]; its methods may be called by any goroutine.
type Places[K comparable] struct {
	all, each int

	mu    sync.Mutex
	taken int
	of    map[K]int
}

// New returns so many places in all, of which one key gets at most each.
func New[K comparable](all, each int) *Places[K] {
	return &Places[K]{all: all, each: each, of: make(map[K]int)}
}

// Enter takes a place, if there is one. leave gives it back; it may be called
// again, which does nothing.
func (p *Places[K]) Enter(key K) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.all || p.of[key] >= p.each {
		return nil, false
	}
	p.taken++
	p.of[key]++
	return sync.OnceFunc(func() { p.leave(key) }), true
}

func (p *Places[K]) leave(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[key]--; p.of[key] == 0 {
		delete(p.of, key)
	}
}

// Site is what counts as one address: of IPv6 the /64, which one machine has to
// itself. The zero Addr, where none is known, is one too.
func Site(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if p, err := addr.Prefix(64); err == nil && addr.Is6() {
		return p.Addr()
	}
	return addr
}
