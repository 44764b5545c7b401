package chat

import (
	"slices"
	"sync"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wake"
)

// maxSignals is how many signals wait for one listener; more are dropped.
const maxSignals = 256

// listener hears the signals of one type in one log.
type listener struct {
	typ   string
	heard *wake.Queue[Signal]
	ended chan struct{} // closed when the room is left
}

// listeners hands signals to all who listen. The zero value is ready.
type listeners struct {
	mu sync.Mutex
	of map[event.LogID][]*listener
}

func (h *listeners) add(log event.LogID, typ string) *listener {
	l := &listener{typ, wake.New[Signal](maxSignals), make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[event.LogID][]*listener)
	}
	h.of[log] = append(h.of[log], l)
	return l
}

func (h *listeners) remove(log event.LogID, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := slices.DeleteFunc(h.of[log], func(other *listener) bool { return other == l })
	if len(left) == 0 {
		delete(h.of, log)
		return
	}
	h.of[log] = left
}

// put never blocks: a full queue drops. Each listener gets data of his own.
func (h *listeners) put(log event.LogID, s Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.of[log] {
		if l.typ == s.Type {
			s.Data = slices.Clone(s.Data)
			l.heard.Put(s)
		}
	}
}

// end tells those who listen to a log that it was left.
func (h *listeners) end(log event.LogID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.of[log] {
		close(l.ended)
	}
	delete(h.of, log)
}
