package chat

import "sync"

// maxMemo is how many results a memo keeps; then it begins anew.
const maxMemo = 1024

// memo keeps the results of a pure function. The zero value is ready.
type memo[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]V
}

// get returns what is kept for k, or what fn makes of it.
func (m *memo[K, V]) get(k K, fn func() V) V {
	m.mu.Lock()
	v, ok := m.of[k]
	m.mu.Unlock()
	if ok {
		return v
	}
	v = fn()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) >= maxMemo {
		m.of = make(map[K]V)
	}
	m.of[k] = v
	return v
}
