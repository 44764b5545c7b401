package nodetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/parley-chat/parley/node"
)

// announceEvery is how often each node is heard again.
const announceEvery = 10 * time.Second

// air stands in for multicast: nodes of one tag hear each other wherever packets go.
type air struct {
	reaches func(a, b int) bool

	mu     sync.Mutex
	voices map[int]voice
}

// voice is a node that announces itself and listens.
type voice struct {
	self  node.DiscoverySelf
	found func(peer.AddrInfo)
}

func newAir(reaches func(a, b int) bool) *air {
	return &air{reaches: reaches, voices: make(map[int]voice)}
}

// join makes host i heard at once, and it hears the others.
func (a *air) join(i int, v voice) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.voices[i] = v
	for _, j := range slices.Sorted(maps.Keys(a.voices)) {
		a.tellLocked(j, i)
		a.tellLocked(i, j)
	}
}

func (a *air) leave(i int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.voices, i)
}

// announce lets all whom host i reaches hear it again.
func (a *air) announce(i int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, j := range slices.Sorted(maps.Keys(a.voices)) {
		a.tellLocked(i, j)
	}
}

// tellLocked lets host to hear host from, if it can. found does not block, so the lock may be held.
func (a *air) tellLocked(from, to int) {
	speaker, listener := a.voices[from], a.voices[to]
	if from == to || speaker.self.Tag != listener.self.Tag || !a.reaches(from, to) {
		return
	}
	listener.found(peer.AddrInfo{ID: speaker.self.ID, Addrs: speaker.self.Listen()})
}

// ears is host i's node.Discovery.
type ears struct {
	air  *air
	host int

	mu    sync.Mutex
	heard uint64
}

func (e *ears) Run(ctx context.Context, self node.DiscoverySelf, found func(peer.AddrInfo)) error {
	e.air.join(e.host, voice{self, func(p peer.AddrInfo) {
		e.mu.Lock()
		e.heard++
		e.mu.Unlock()
		found(p)
	}})
	defer e.air.leave(e.host)
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.air.announce(e.host)
		}
	}
}

func (e *ears) Status() node.DiscoveryStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	return node.DiscoveryStatus{Interfaces: []string{"air"}, Heard: e.heard}
}
