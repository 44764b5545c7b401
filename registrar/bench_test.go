package registrar

import (
	"sync"
	"sync/atomic"
	"testing"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/guard"
)

// BenchmarkRegister renews tickets, each on the audit log's disk before the answer:
// in process without HTTP, and through TLS on loopback, both calls of the client,
// by so many callers, each with a connection of its own. The guard is opened wide:
// it would let 200 a second pass.
func BenchmarkRegister(b *testing.B) {
	m := newMinistry(b)
	rate := guard.Rate{PerSecond: 1e6, Burst: 1e6}
	m.guard = guard.New(guard.Config{Address: rate, Network: rate, Strangers: rate}, m.node.Now())
	a := m.newcomer()
	a.Code = m.code()
	a.Ticket = mustRegister(b, m, a).Ticket
	a.Code = ""
	for _, callers := range []int{1, 64} {
		name := map[int]string{1: "callers=1", 64: "callers=64"}[callers]
		b.Run("process/"+name, func(b *testing.B) {
			m := *m
			m.t = b
			m.roomForNonces()
			share(b, callers, func(int) error {
				_, err := m.register(b.Context(), caller{}, m.application(a))
				return err
			})
		})
		b.Run("TLS/"+name, func(b *testing.B) {
			m.roomForNonces()
			clients := make([]*client.Client, callers)
			for i := range clients {
				clients[i] = client.OverTLS(m.addr, &m.fingerprint)
				defer clients[i].Close()
			}
			share(b, callers, func(i int) error {
				_, err := clients[i].Register(b.Context(), a)
				return err
			})
		})
	}
}

// roomForNonces forgets those that were used: a benchmark uses more than a minute's.
func (m *ministry) roomForNonces() {
	m.nonces.mu.Lock()
	defer m.nonces.mu.Unlock()
	clear(m.nonces.used)
}

// share has callers do b.N calls between them, the i-th of them do(i).
func share(b *testing.B, callers int, do func(i int) error) {
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkHeartbeat has members say that they are there, in process without HTTP and
// through TLS on loopback, by so many callers, each with a connection of its own.
func BenchmarkHeartbeat(b *testing.B) {
	m := newMinistry(b)
	wide := guard.Rate{PerSecond: 1e6, Burst: 1e6}
	m.guard = guard.New(guard.Config{Address: wide, Network: wide, Strangers: wide, Peer: wide}, m.node.Now())
	m.unproven = m.guard
	var seq atomic.Uint64
	const callers = 64
	members, clients := make([]client.Applicant, callers), make([]*client.Client, callers)
	for i := range members {
		members[i], clients[i] = m.registered(), client.OverTLS(m.addr, &m.fingerprint)
		defer clients[i].Close()
	}
	b.Run("process", func(b *testing.B) {
		share(b, 1, func(int) error {
			_, err := m.heartbeat(b.Context(), caller{}, &v1.HeartbeatRequest{Heartbeat: m.beat(members[0], seq.Add(1))})
			return err
		})
	})
	b.Run("TLS/callers=64", func(b *testing.B) {
		share(b, callers, func(i int) error {
			_, err := clients[i].Heartbeat(b.Context(), m.beat(members[i], seq.Add(1)), nil)
			return err
		})
	})
}
